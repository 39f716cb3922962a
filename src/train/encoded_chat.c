/* encoded_chat: the ids of conversations; see encoded.h. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "train/conversation.h"
#include "train/encoded_internal.h"

static int blame(const pb_encoder *enc, pb_split s, int example)
{
    return pb_error_prefix("%s: %s: line %d", enc->data->name, pb_split_name[s],
                           enc->data->split[s].example[example].line);
}

static void take_prompt(pb_encoder *enc, pb_split s, int example, pb_chat_ids *ids)
{
    pb_encoded *set = enc->set;
    pb_ids_free(&set->text[s][example]);
    pb_ids_free(&set->said[s][example]);
    set->text[s][example] = ids->prompt;
    set->said[s][example] = ids->said;
    ids->prompt = ids->said = (pb_ids){0};
}

/* Encodes an example with its answers, which are the items from *item on. */
static int encode_example(pb_encoder *enc, pb_split s, int example, int *item)
{
    pb_encoded *set = enc->set;
    const pb_example *e = &enc->data->split[s].example[example];
    for (int k = 0; k < e->answers || !k; k++) {
        pb_chat_ids ids;
        int rc = pb_chat_encode(enc->chat, e->text, k < e->answers ? e->answer[k] : NULL, &ids);
        if (!rc && k < e->answers) {
            set->answer[s][(*item)++] = ids.answer;
            if ((int)ids.answer.count > enc->longest_answer)
                enc->longest_answer = (int)ids.answer.count;
            ids.answer = (pb_ids){0};
        }
        if (!rc && !k)
            take_prompt(enc, s, example, &ids);
        pb_chat_ids_free(&ids);
        if (rc)
            return blame(enc, s, example);
    }
    set->length[s][example] = (int)set->text[s][example].count;
    return 0;
}

static int encode_split(pb_encoder *enc, pb_split s)
{
    int n = enc->data->split[s].count, item = 0;
    enc->set->said[s] = pb_alloc((size_t)(n + 1) * sizeof *enc->set->said[s]);
    for (int i = 0; i < n; i++)
        if (encode_example(enc, s, i, &item))
            return -1;
    return 0;
}

/* Drops the oldest turns of a conversation until its prompt fits. */
static int cut_example(pb_encoder *enc, pb_split s, int example)
{
    const pb_example *e = &enc->data->split[s].example[example];
    pb_encoded *set = enc->set;
    int whole = (int)set->text[s][example].count;
    set->cut[s] += whole > enc->limit;
    for (int n = 1; (int)set->text[s][example].count > enc->limit; n++) {
        pb_chat_ids ids = {0};
        char *shorter = pb_conversation_shorten(e->text, n);
        int rc = shorter ? pb_chat_encode(enc->chat, shorter, NULL, &ids)
                         : pb_error("the last message has %d tokens as the template writes it; want at most %d, by "
                                    "max_tokens and the room that the answer needs",
                                    (int)set->text[s][example].count, enc->limit);
        if (!rc)
            take_prompt(enc, s, example, &ids);
        pb_chat_ids_free(&ids);
        free(shorter);
        if (rc)
            return blame(enc, s, example);
    }
    return 0;
}

/* Returns the number of tokens that the contents of an example's messages have alone. */
static int count_contents(const pb_encoder *enc, const pb_example *e)
{
    pb_json_doc *doc = pb_json_parse("messages", e->text, strlen(e->text));
    const pb_json *list = doc ? pb_json_root(doc) : NULL;
    int n = 0;
    for (size_t i = 0; i < pb_json_size(list); i++) {
        const char *content = pb_json_text(pb_json_get(pb_json_at(list, i), "content"), "");
        pb_ids ids = pb_encoder_ids(enc, content, strlen(content), false);
        n += (int)ids.count;
        pb_ids_free(&ids);
    }
    pb_json_free(doc);
    return n;
}

/* The tokens that the template adds: a mean over validation, of conversations that were not cut. */
static double mean_added(const pb_encoder *enc)
{
    const pb_encoded *set = enc->set;
    double sum = 0;
    int n = 0;
    for (int i = 0; i < enc->data->split[PB_VALIDATION].count; i++) {
        if ((int)set->text[PB_VALIDATION][i].count != set->length[PB_VALIDATION][i])
            continue;
        sum += set->length[PB_VALIDATION][i] - count_contents(enc, &enc->data->split[PB_VALIDATION].example[i]);
        n++;
    }
    return n ? sum / n : 0;
}

/* Decoding ends where the template ends the assistant's turn. */
static int set_stop(pb_encoder *enc)
{
    pb_text stop = {0};
    const char *given = enc->conf->decoding->stop;
    if (pb_chat_stop(enc->chat, &stop))
        return -1;
    if (given && *given)
        pb_text_add(&stop, "%s%s", stop.length ? "|" : "", given);
    enc->set->stop = stop.data ? stop.data : pb_strdup("");
    enc->set->stopping = pb_alloc(sizeof *enc->set->stopping);
    *enc->set->stopping = *enc->conf->decoding;
    enc->set->stopping->stop = enc->set->stop;
    enc->set->decoding = enc->set->stopping;
    return 0;
}

int pb_encoder_conversations(pb_encoder *enc)
{
    const pb_prompting *p = enc->conf->prompting;
    if (p && (p->shots || *p->template || strcmp(p->chat, "none") != 0))
        return pb_error("%s: conversations are presented by a chat template; want a method without template, chat and "
                        "shots",
                        enc->data->name);
    for (int s = 0; s < PB_SPLITS; s++)
        if (encode_split(enc, (pb_split)s))
            return -1;
    int room = enc->conf->decoding->max_new;
    room = enc->positions - (room > enc->longest_answer ? room : enc->longest_answer);
    if (room < 1)
        return pb_error(
            "%s: the longest answer (%d tokens) and the tokens to be generated (max_new %d) fill the model's "
            "%d positions; want room for a message",
            enc->data->name, enc->longest_answer, enc->conf->decoding->max_new, enc->positions);
    enc->limit = pb_min(room, enc->conf->max_tokens);
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < enc->data->split[s].count; i++)
            if (cut_example(enc, (pb_split)s, i))
                return -1;
    enc->set->extra_tokens = mean_added(enc);
    return set_stop(enc);
}
