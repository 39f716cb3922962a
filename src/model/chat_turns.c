/* chat_turns: the tokens of a conversation, and which of them the assistant says; see chat.h. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/chat_internal.h"

/* ---- tokens and bytes ---------------------------------------------------------------------------------------- */

static int encode(const pb_chat *c, const char *text, size_t size, pb_ids *out)
{
    return pb_tokenizer_encode(c->tokenizer, text, size, false, 0, out);
}

/* Returns the number of ids that both begin with. */
static size_t common_ids(const pb_ids *a, const pb_ids *b)
{
    size_t n = 0;
    while (n < pb_min_size(a->count, b->count) && a->id[n] == b->id[n])
        n++;
    return n;
}

/* Sets *n to the number of tokens of `text`, encoded as `ids`, in front of byte `at`.  A token that spans the place is
 * counted if `spans`.  Returns -1 with an error if it cannot be said which token that is. */
static int tokens_before(const pb_chat *c, const char *text, const pb_ids *ids, size_t at, bool spans, size_t *n)
{
    pb_ids before = {0};
    if (encode(c, text, at, &before)) {
        pb_ids_free(&before);
        return -1;
    }
    size_t count = before.count;
    *n = common_ids(&before, ids);
    pb_ids_free(&before);
    if (*n == count)
        return 0;
    if (*n + 1 != count || *n == ids->count)
        return pb_error("%s: tokens span the place '%.20s' of the assistant's turn", c->name, text + at);
    *n += spans;
    return 0;
}

/* Returns the number of bytes that both texts begin with, without a part of a character. */
static size_t common_bytes(const pb_text *a, const pb_text *b)
{
    size_t n = 0, most = pb_min_size(a->length, b->length);
    while (n < most && a->data[n] == b->data[n])
        n++;
    while (n && n < a->length && ((unsigned char)a->data[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* Returns -1 with an error unless `text` begins with `prefix`. */
static int check_prefix(const pb_chat *c, const pb_text *prefix, const pb_text *text, const char *what)
{
    size_t same = common_bytes(prefix, text);
    if (same == prefix->length)
        return 0;
    return pb_error(
        "%s: the template writes %s in another way when more messages follow: '%.30s' and then '%.30s'; want "
        "a template that only appends, or one with {%% generation %%} blocks",
        c->name, what, prefix->data + same, text->data + same);
}

/* ---- the end of a turn --------------------------------------------------------------------------------------- */

/* Returns the bytes of white space at the beginning of n bytes. */
static size_t leading_space(const char *text, size_t n)
{
    size_t at = 0;
    int32_t c;
    while (at < n) {
        size_t size = pb_utf8_next(text + at, n - at, &c);
        if (!pb_utf8_is_space(c))
            break;
        at += size;
    }
    return at;
}

/* Returns the bytes of the content without white space at its end. */
static size_t trimmed_size(const char *content, size_t n)
{
    size_t end = 0;
    int32_t c;
    for (size_t at = 0; at < n;) {
        size_t size = pb_utf8_next(content + at, n - at, &c);
        at += size;
        end = pb_utf8_is_space(c) ? end : at;
    }
    return end;
}

/* Sets *end to the byte behind a message's content, which must stand at byte `from` as it is, or without the white
 * space around it and behind other white space. */
static int find_content_end(const pb_chat *c, const pb_text *text, size_t from, const char *content, size_t *end)
{
    size_t size = strlen(content), left = text->length - from;
    if (size <= left && !memcmp(text->data + from, content, size)) {
        *end = from + size;
        return 0;
    }
    size_t skip = leading_space(text->data + from, left), lead = leading_space(content, size);
    size = trimmed_size(content, size);
    if (size > lead && size - lead <= left - skip && !memcmp(text->data + from + skip, content + lead, size - lead)) {
        *end = from + skip + size - lead;
        return 0;
    }
    return pb_error("%s: want the assistant's content '%.30s' where the prompt ends, got '%.30s'; want a template that "
                    "writes it there, or one with {%% generation %%} blocks",
                    c->name, content, text->data + from);
}

/* Returns where the turn ends whose content ends with token `from`: behind the first special token, at most at `to`. */
static size_t end_of_turn(const pb_chat *c, const pb_ids *ids, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (pb_tokenizer_is_added(c->tokenizer, ids->id[i]))
            return i + 1;
    return to;
}

static int refuse_open_end(const pb_chat *c, const char *content)
{
    return pb_error("%s: the template writes nothing behind the assistant's content '%.30s', so that a model cannot "
                    "learn to end its turn; want an end-of-turn token",
                    c->name, content);
}

/* ---- the turns before the answer ----------------------------------------------------------------------------- */

/* Renders the first n messages. */
static int render_first(pb_chat *c, const pb_json *messages, size_t n, bool prompt, pb_text *out)
{
    pb_text list = {0};
    pb_text_add(&list, "[");
    for (size_t i = 0; i < n; i++) {
        pb_text_add(&list, "%s", i ? ", " : "");
        pb_json_print(pb_json_at(messages, i), &list);
    }
    pb_text_add(&list, "]");
    int rc = pb_chat_render(c, list.data, prompt, out);
    pb_text_free(&list);
    return rc;
}

static void mark(pb_ids *said, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < said->count; i++)
        said->id[i] = 1;
}

/* Marks the tokens of turn i, by what the template writes of the messages before it and of it. */
static int mark_turn(pb_chat *c, const pb_json *messages, size_t i, const pb_text *prompt, pb_chat_ids *out,
                     pb_text *before, pb_text *with)
{
    const char *content = pb_json_text(pb_json_get(pb_json_at(messages, i), "content"), "");
    size_t content_end, from, to, last;
    if (render_first(c, messages, i, true, before) || render_first(c, messages, i + 1, false, with) ||
        check_prefix(c, before, prompt, "the beginning of the conversation") ||
        find_content_end(c, prompt, before->length, content, &content_end))
        return -1;
    size_t end = common_bytes(with, prompt);
    if (end <= content_end)
        return end < content_end ? check_prefix(c, with, prompt, "an assistant's turn") : refuse_open_end(c, content);
    if (tokens_before(c, prompt->data, &out->prompt, before->length, false, &from) ||
        tokens_before(c, prompt->data, &out->prompt, content_end, true, &to) ||
        tokens_before(c, prompt->data, &out->prompt, end, true, &last))
        return -1;
    mark(&out->said, from, end_of_turn(c, &out->prompt, to, last));
    return 0;
}

static int mark_turns(pb_chat *c, const pb_json *messages, const pb_text *prompt, pb_chat_ids *out)
{
    pb_text before = {0}, with = {0};
    int rc = 0;
    for (size_t i = 0; i < pb_json_size(messages) && !rc; i++)
        if (!strcmp(pb_json_text(pb_json_get(pb_json_at(messages, i), "role"), ""), "assistant"))
            rc = mark_turn(c, messages, i, prompt, out, &before, &with);
    pb_text_free(&before);
    pb_text_free(&with);
    return rc;
}

/* Marks the tokens of the prompt that {% generation %} blocks have written. */
static int mark_blocks(pb_chat *c, const pb_jinja_output *prompt, pb_chat_ids *out)
{
    for (size_t i = 0; i < prompt->marks; i++) {
        const pb_jinja_mark *m = &prompt->mark[i];
        size_t from, to;
        if (m->from == m->to)
            continue;
        if (tokens_before(c, prompt->text.data, &out->prompt, m->from, false, &from) ||
            tokens_before(c, prompt->text.data, &out->prompt, m->to, true, &to))
            return -1;
        mark(&out->said, from, to);
    }
    return 0;
}

/* ---- the answer ---------------------------------------------------------------------------------------------- */

/* A conversation with its answer. */
typedef struct answered {
    const char *answer;
    size_t prompt; /* bytes of the prompt in the text */
    pb_jinja_output whole;
    size_t content_end, end; /* bytes of the text: of the content, and of the turn as far as it is known */
    bool exact;              /* the turn ends there, whatever its tokens are */
} answered;

/* Finds the answer's place by the last {% generation %} block, which may begin in the prompt. */
static int find_block(pb_chat *c, const pb_jinja_output *prompt, answered *a, pb_chat_ids *out)
{
    const pb_jinja_mark *m = a->whole.marks ? &a->whole.mark[a->whole.marks - 1] : NULL;
    if (!m || a->whole.marks == prompt->marks || m->to <= a->prompt)
        return pb_error("%s: want the assistant's answer in a {%% generation %%} block", c->name);
    size_t between = m->from > a->prompt ? m->from - a->prompt : 0, from = out->prompt.count;
    if (between && leading_space(a->whole.text.data + a->prompt, between) < between)
        return pb_error("%s: the template writes '%.30s' between the prompt and the {%% generation %%} block", c->name,
                        a->whole.text.data + a->prompt);
    if (between)
        return pb_error("%s: the template writes white space between the prompt and the {%% generation %%} block; want "
                        "it inside the block, as it is a part of the answer",
                        c->name);
    if (m->from < a->prompt && tokens_before(c, prompt->text.data, &out->prompt, m->from, false, &from))
        return -1;
    mark(&out->said, from, out->said.count);
    a->content_end = a->end = m->to;
    a->exact = true;
    return 0;
}

static int find_content(pb_chat *c, answered *a)
{
    if (find_content_end(c, &a->whole.text, a->prompt, a->answer, &a->content_end))
        return -1;
    a->end = a->whole.text.length;
    return a->end > a->content_end ? 0 : refuse_open_end(c, a->answer);
}

/* Sets out->answer to the tokens of the answer's bytes, which continue those of the prompt if they can. */
static int encode_answer(pb_chat *c, const answered *a, pb_chat_ids *out)
{
    const char *text = a->whole.text.data;
    pb_ids all = {0}, *answer = &out->answer;
    size_t skip = out->prompt.count, content, rc = 0;
    if (encode(c, text, a->end, &all))
        rc = 1;
    if (!rc && (common_ids(&all, &out->prompt) < skip || all.count == skip)) { /* a token spans the prompt's end */
        text += a->prompt;
        all.count = skip = 0;
        rc = (size_t)encode(c, text, a->end - a->prompt, &all);
    }
    size_t shift = (size_t)(text - a->whole.text.data), to = all.count;
    if (!rc && !a->exact) {
        rc = (size_t)tokens_before(c, text, &all, a->content_end - shift, true, &content);
        to = rc ? to : end_of_turn(c, &all, content, all.count);
    }
    for (size_t i = skip; i < to; i++)
        pb_ids_add(answer, all.id[i]);
    pb_ids_free(&all);
    return rc ? -1 : 0;
}

/* The messages with the assistant's answer behind them. */
static char *with_answer(const char *messages, const char *answer)
{
    pb_text t = {0};
    pb_text_bytes(&t, messages, (size_t)(strrchr(messages, ']') - messages));
    pb_text_add(&t, ", {\"role\": \"assistant\", \"content\": ");
    pb_json_quote(&t, answer);
    pb_text_add(&t, "}]");
    return t.data;
}

static int add_answer(pb_chat *c, const char *messages, const pb_jinja_output *prompt, answered *a, pb_chat_ids *out)
{
    char *all = with_answer(messages, a->answer);
    a->prompt = prompt->text.length;
    int rc = pb_chat_output(c, all, false, &a->whole) || check_prefix(c, &prompt->text, &a->whole.text, "the prompt");
    rc = rc || (pb_jinja_marks(c->template) ? find_block(c, prompt, a, out) : find_content(c, a));
    rc = rc || encode_answer(c, a, out);
    free(all);
    return rc ? -1 : 0;
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

static int mark_prompt(pb_chat *c, const pb_json *messages, const pb_jinja_output *prompt, pb_chat_ids *out)
{
    if (encode(c, prompt->text.data, prompt->text.length, &out->prompt))
        return -1;
    for (size_t i = 0; i < out->prompt.count; i++)
        pb_ids_add(&out->said, 0);
    return pb_jinja_marks(c->template) ? mark_blocks(c, prompt, out) : mark_turns(c, messages, &prompt->text, out);
}

static int encode_all(pb_chat *c, const char *messages, answered *a, pb_chat_ids *out)
{
    pb_jinja_output prompt = {0};
    pb_json_doc *doc = pb_json_parse("messages", messages, strlen(messages));
    int rc = !doc || pb_chat_output(c, messages, true, &prompt) || mark_prompt(c, pb_json_root(doc), &prompt, out) ||
             (a->answer && add_answer(c, messages, &prompt, a, out));
    pb_json_free(doc);
    pb_jinja_output_free(&prompt);
    return rc ? -1 : 0;
}

int pb_chat_encode(pb_chat *c, const char *messages, const char *answer, pb_chat_ids *out)
{
    answered a = {.answer = answer};
    *out = (pb_chat_ids){0};
    int rc = encode_all(c, messages, &a, out);
    pb_jinja_output_free(&a.whole);
    return rc;
}

void pb_chat_ids_free(pb_chat_ids *ids)
{
    pb_ids_free(&ids->prompt);
    pb_ids_free(&ids->said);
    pb_ids_free(&ids->answer);
}

int pb_chat_ask(pb_chat *c, const char *system, const char *text, size_t size, pb_ids *out)
{
    pb_text list = {0}, rendered = {0};
    pb_text_add(&list, "[");
    if (system) {
        pb_text_add(&list, "{\"role\": \"system\", \"content\": ");
        pb_json_quote(&list, system);
        pb_text_add(&list, "}, ");
    }
    pb_text_add(&list, "{\"role\": \"user\", \"content\": ");
    pb_json_quote_bytes(&list, text, size);
    pb_text_add(&list, "}]");
    int rc = pb_chat_render(c, list.data, true, &rendered) || encode(c, rendered.data, rendered.length, out) ? -1 : 0;
    pb_text_free(&list);
    pb_text_free(&rendered);
    return rc;
}

int pb_chat_stop(pb_chat *c, pb_text *out)
{
    static const char question[] = "[{\"role\": \"user\", \"content\": \"a\"}]";
    answered a = {.answer = "b"};
    pb_chat_ids ids = {0};
    int rc = encode_all(c, question, &a, &ids), last = ids.answer.count ? ids.answer.id[ids.answer.count - 1] : -1;
    const pb_tokenizer *t = c->tokenizer;
    pb_text end = {0};
    if (!rc && last >= 0 && pb_tokenizer_is_added(t, last))
        pb_text_add(&end, "%s", pb_model_ends(c->model, last) ? "" : pb_tokenizer_token(t, last));
    else if (!rc && !find_content_end(c, &a.whole.text, a.prompt, a.answer, &a.content_end))
        pb_text_bytes(&end, a.whole.text.data + a.content_end, a.end - a.content_end);
    else
        rc = -1;
    for (size_t i = 0; i < end.length; i++) { /* as pb_decoding.stop is written */
        char one = end.data[i] == '\n' ? 'n' : end.data[i];
        pb_text_bytes(out, "\\", strchr("\n|\\", end.data[i]) != NULL);
        pb_text_bytes(out, &one, 1);
    }
    pb_text_free(&end);
    pb_jinja_output_free(&a.whole);
    pb_chat_ids_free(&ids);
    return rc;
}
