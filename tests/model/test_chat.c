/* Conversations: the tokens and the assistant's share of them as transformers has them (tests/golden/chat/tokens.jsonl,
 * by tests/parity/make_chat.py), with {% generation %} blocks and without, what is refused, and stop texts. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "model/chat.h"

static char folder[] = "/tmp/peftbench-chat-XXXXXX";
static const char *const files[] = {"config.json", "tokenizer.json", "tokenizer_config.json", "template.jinja"};

static pb_tokenizer *tokenizer; /* of the model that was opened last */

static char *in_folder(const char *name)
{
    return pb_format("%s/%s", folder, name);
}

static void remove_folder(void)
{
    pb_tokenizer_close(tokenizer);
    for (size_t i = 0; i < PB_COUNT(files); i++) {
        char *path = in_folder(files[i]);
        remove(path);
        free(path);
    }
    rmdir(folder);
}

static void write_to(const char *name, const char *bytes, size_t n)
{
    if (strstr(folder, "XXXXXX")) {
        if (!mkdtemp(folder))
            PB_BUG("no folder in /tmp");
        atexit(remove_folder);
    }
    char *path = in_folder(name);
    if (pb_write_file(path, bytes, n))
        PB_BUG("%s", pb_error_text());
    free(path);
}

static char *read_text(const char *path)
{
    char *text = pb_read_file(path, NULL);
    if (!text)
        PB_BUG("%s", pb_error_text());
    return text;
}

/* A tiny decoder's shape with a tokenizer of tests/golden/bpe and a tokenizer_config.json. */
static pb_model *open_with(const char *name, const char *config)
{
    char *path = pb_format("tests/golden/bpe/%s/tokenizer.json", name), *text = read_text(path);
    char *shape = read_text("tests/golden/families/llama-3/config.json");
    write_to("tokenizer.json", text, strlen(text));
    write_to("config.json", shape, strlen(shape));
    write_to("tokenizer_config.json", config, strlen(config));
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .shapes_only = true});
    pb_tokenizer_close(tokenizer);
    tokenizer = pb_tokenizer_open(folder);
    if (!m || !tokenizer)
        PB_BUG("%s", pb_error_text());
    free(path);
    free(text);
    free(shape);
    return m;
}

/* ---- as transformers -------------------------------------------------------------------------------------- */

/* Removes every `part` of a text. */
static void remove_all(char *text, const char *part)
{
    for (char *at; (at = strstr(text, part));)
        memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
}

static void remove_blocks(char *text)
{
    static const char *const tags[] = {"{% generation %}", "{%- generation %}", "{% endgeneration %}"};
    for (size_t i = 0; i < PB_COUNT(tags); i++)
        remove_all(text, tags[i]);
}

/* The messages without the last one, whose content becomes *answer. */
static char *split(const pb_json *messages, const char **answer)
{
    pb_text t = {0};
    size_t n = pb_json_size(messages) - 1;
    for (size_t i = 0; i < n; i++) {
        pb_text_add(&t, "%s", i ? ", " : "[");
        pb_json_print(pb_json_at(messages, i), &t);
    }
    pb_text_add(&t, "]");
    *answer = pb_json_text(pb_json_get(pb_json_at(messages, n), "content"), "");
    return t.data;
}

static long long number_at(const pb_json *list, size_t i)
{
    return pb_json_integer(pb_json_at(list, i), -1);
}

/* Whether prompt and answer are those of the row, and all that it masks. */
static bool is_as_golden(const pb_json *row, const pb_chat_ids *ids)
{
    const pb_json *id = pb_json_get(row, "ids"), *mask = pb_json_get(row, "mask");
    size_t prompt = ids->prompt.count, n = prompt + ids->answer.count;
    bool same = CHECK(n <= pb_json_size(id) && ids->answer.count && ids->said.count == prompt);
    for (size_t i = 0; i < pb_json_size(id) && same; i++) {
        int said = i < prompt ? ids->said.id[i] : i < n;
        same = CHECK_INT(said, number_at(mask, i));
        if (same && i < n)
            same = CHECK_INT(i < prompt ? ids->prompt.id[i] : ids->answer.id[i - prompt], number_at(id, i));
    }
    return same;
}

static void check_row(const pb_model *m, const pb_json *row, bool blocks)
{
    char *path = pb_format("tests/golden/chat/%s", pb_json_text(pb_json_get(row, "template"), "")),
         *text = read_text(path);
    if (!blocks)
        remove_blocks(text);
    write_to("template.jinja", text, strlen(text));
    char *name = in_folder("template.jinja");
    const char *answer;
    char *prompt = split(pb_json_get(row, "messages"), &answer);
    pb_chat *c = NULL;
    pb_chat_ids ids = {0};
    int rc = pb_chat_open(m, tokenizer, name, NULL, &c) || pb_chat_encode(c, prompt, answer, &ids) ? -1 : 0;
    if (!CHECK_TEXT(rc ? pb_error_text() : "", "") || !is_as_golden(row, &ids))
        printf("of %s, %s blocks, by %s\n", path, blocks ? "with" : "without",
               pb_json_text(pb_json_get(row, "tokenizer"), ""));
    pb_error_clear();
    pb_chat_ids_free(&ids);
    pb_chat_free(c);
    free(prompt);
    free(name);
    free(text);
    free(path);
}

TEST(tokens_and_masks_are_those_of_transformers)
{
    char *text = read_text("tests/golden/chat/tokens.jsonl"), *rest = text, *line;
    int rows = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *doc = pb_json_parse("tokens.jsonl", line, strlen(line));
        const pb_json *row = pb_json_root(doc);
        pb_text config = {0};
        pb_json_print(pb_json_get(row, "special"), &config);
        pb_model *m = open_with(pb_json_text(pb_json_get(row, "tokenizer"), ""), config.data);
        check_row(m, row, true);
        check_row(m, row, false);
        rows++;
        pb_model_free(m);
        pb_text_free(&config);
        pb_json_free(doc);
    }
    CHECK(rows > 70);
    free(text);
}

/* ---- what is refused --------------------------------------------------------------------------------------- */

#define QUESTION "[{\"role\": \"user\", \"content\": \"a\"}]"
#define LONGER                                                                                                         \
    "[{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}, "                       \
    "{\"role\": \"user\", \"content\": \"c\"}]"

/* The error of a template for a conversation, without the folder; "" if there is none. */
static char *error_of(const char *template, const char *messages)
{
    pb_model *m = open_with("gpt2", "{\"eos_token\": \"<|end|>\"}");
    pb_chat *c = NULL;
    pb_chat_ids ids = {0};
    char *name = in_folder("template.jinja");
    write_to("template.jinja", template, strlen(template));
    if (!pb_chat_open(m, tokenizer, name, NULL, &c) && !pb_chat_encode(c, messages, "d", &ids))
        CHECK(ids.answer.count);
    const char *error = pb_error_text();
    char *out = pb_strdup(strstr(error, "template.jinja") ? strstr(error, "template.jinja") : error);
    pb_error_clear();
    pb_chat_ids_free(&ids);
    pb_chat_free(c);
    pb_model_free(m);
    free(name);
    return out;
}

static void check_error(const char *template, const char *messages, const char *want)
{
    char *got = error_of(template, messages);
    CHECK_TEXT(got, want);
    free(got);
}

TEST(a_template_whose_turns_cannot_be_found_is_refused)
{
#define EACH "{% for m in messages %}"
#define PROMPT "{% endfor %}{% if add_generation_prompt %}A{% endif %}"
    check_error(EACH "{{ m.role[0] | upper ~ m.content ~ eos_token }}" PROMPT, LONGER, "");
    check_error(
        EACH "{{ m.role[0] | upper ~ m.content }}" PROMPT, QUESTION,
        "template.jinja: the template writes nothing behind the assistant's content 'd', so that a model cannot "
        "learn to end its turn; want an end-of-turn token");
    check_error(
        EACH "{{ m.content if loop.last else 'x' }};{% endfor %}", LONGER,
        "template.jinja: the template writes the beginning of the conversation in another way when more messages "
        "follow: 'a;' and then 'x;x;c;'; want a template that only appends, or one with {% generation %} blocks");
    check_error(
        EACH "{{ loop.length }}{{ m.content }};{% endfor %}", QUESTION,
        "template.jinja: the template writes the prompt in another way when more messages follow: '1a;' and then "
        "'2a;2d;'; want a template that only appends, or one with {% generation %} blocks");
    check_error(EACH "{{ m.role }} {{ m.content }};{% endfor %}", QUESTION,
                "template.jinja: want the assistant's content 'd' where the prompt ends, got 'assistant d;'; want a "
                "template that writes it there, or one with {% generation %} blocks");
    check_error("{{ bos_token }}", QUESTION,
                "template.jinja: the template uses bos_token; want it in tokenizer_config.json, as a text or null");
    check_error(EACH "{{ m.content }};{% endfor %}{% if false %}{% generation %}{% endgeneration %}{% endif %}",
                QUESTION, "template.jinja: want the assistant's answer in a {% generation %} block");
    check_error("{{ raise_exception('no') }}", QUESTION, "template.jinja:1: the template refuses the conversation: no");
}

/* ---- the model's own template, and stop texts --------------------------------------------------------------- */

static void check_prompt(const pb_model *m, const char *name, const char *system, const char *want,
                         const char *want_stop)
{
    pb_chat *c = NULL;
    pb_ids ids = {0};
    pb_text back = {0}, stop = {0};
    CHECK(!pb_chat_open(m, tokenizer, name, "2025-01-31", &c));
    if (!c || pb_chat_ask(c, system, "a film", 6, &ids) || pb_chat_stop(c, &stop))
        PB_BUG("%s", pb_error_text());
    pb_tokenizer_decode(tokenizer, ids.id, ids.count, false, &back);
    CHECK_TEXT(back.data, want);
    CHECK_TEXT(stop.data ? stop.data : "", want_stop);
    pb_ids_free(&ids);
    pb_text_free(&back);
    pb_text_free(&stop);
    pb_chat_free(c);
}

TEST(the_template_is_that_of_the_files)
{
    pb_model *m = open_with("gpt2",
                            "{\"chat_template\": [{\"name\": \"tool\", \"template\": \"x\"}, {\"name\": \"default\", "
                            "\"template\": \"{{ strftime_now('%Y') }}{% for m in messages %}{{ m.content }}|\\n"
                            "{% endfor %}\"}], \"bos_token\": null}");
    check_prompt(m, "auto", NULL, "2025a film|\n", "\\|\\n");
    static const char other[] = "{% for m in messages %}{{ m.content }}#{% endfor %}";
    write_to("template.jinja", other, strlen(other));
    char *from = in_folder("template.jinja"), *to = in_folder("chat_template.jinja");
    CHECK(!rename(from, to));
    check_prompt(m, "auto", NULL, "a film#", "#");
    remove(to);
    free(from);
    free(to);
    pb_model_free(m);
}

TEST(formats_are_built_in)
{
    pb_model *m = open_with("llama3", "{}");
    pb_chat *c;
    check_prompt(m, "chatml", NULL, "<|im_start|>user\na film<|im_end|>\n<|im_start|>assistant\n", "<\\|im_end\\|>\\n");
    check_prompt(m, "llama2", "Be short.", "<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\na film [/INST]", " </s>");
    check_prompt(m, "mistral", "Be short.", "<s>[INST] Be short.\n\na film [/INST]", "</s>");
    check_prompt(m, "llama3", NULL,
                 "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\na film<|eot_id|>"
                 "<|start_header_id|>assistant<|end_header_id|>\n\n",
                 "<\\|eot_id\\|>");
    check_prompt(m, "zephyr", "Be short.", "<|system|>\nBe short.</s>\n<|user|>\na film</s>\n<|assistant|>\n",
                 "</s>\\n");
    CHECK(pb_chat_open(m, tokenizer, "alpaca", NULL, &c) < 0);
    CHECK_TEXT(pb_error_text(), "chat: want auto|none|chatml|llama3|llama2|mistral|zephyr, or a file such as "
                                "template.jinja, got 'alpaca'");
    pb_error_clear();
    CHECK(pb_chat_open(m, tokenizer, "auto", NULL, &c) < 0);
    CHECK(strstr(pb_error_text(), "chat: the model has no chat template; want the name of a format") != NULL);
    pb_error_clear();
    CHECK(!pb_chat_open(m, tokenizer, "none", NULL, &c) && !c);
    pb_model_free(m);
}
