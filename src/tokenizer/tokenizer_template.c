/* tokenizer_template: the post-processor of a tokenizer.json.  It adds special tokens to a text and says how a pair of
 * texts is encoded: with which special tokens, and with which token types (segments). */
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

/* ---- special tokens -------------------------------------------------------------------------------------- */

/* {"special_tokens": {"[CLS]": {"ids": [101]}}}: the post-processor must add the id that the vocabulary has. */
static bool is_listed(const pb_json *post, const char *token, int id)
{
    const pb_json *ids = pb_json_get(pb_json_get(pb_json_get(post, "special_tokens"), token), "ids");
    return !pb_json_is_array(ids) || (pb_json_size(ids) == 1 && pb_json_integer(pb_json_at(ids, 0), -1) == id);
}

/* Returns the id of a special token, or -1 with an error. */
static int special_id(const pb_tokenizer *t, const pb_json *post, const char *token)
{
    int id = token ? pb_tokenizer_id(t, token) : -1;
    if (id < 0)
        return pb_error("%s: post_processor: special token '%s' is not in the vocabulary", t->path,
                        token ? token : "?");
    if (!is_listed(post, token, id))
        return pb_error("%s: post_processor: special_tokens: '%s' has other ids than the vocabulary; want [%d]",
                        t->path, token, id);
    return id;
}

static int add_special(pb_tokenizer *t, const pb_json *post, const char *token, pb_ids *to)
{
    int id = special_id(t, post, token);
    if (id >= 0)
        pb_ids_add(to, id);
    return id < 0 ? -1 : 0;
}

/* ---- templates ------------------------------------------------------------------------------------------- */

static int read_single(pb_tokenizer *t, const pb_json *post)
{
    const pb_json *single = pb_json_get(post, "single");
    bool seen = false;
    for (size_t i = 0; i < pb_json_size(single); i++) {
        const pb_json *item = pb_json_at(single, i), *special = pb_json_get(item, "SpecialToken");
        if (pb_json_get(item, "Sequence"))
            seen = true;
        else if (add_special(t, post, pb_json_text(pb_json_get(special, "id"), NULL), seen ? &t->after : &t->before))
            return -1;
    }
    return seen ? 0 : pb_error("%s: post_processor: single: want a Sequence in it", t->path);
}

/* Adds a piece of the form of a pair: a text or a special token, and its token type. */
static void add_piece(pb_tokenizer *t, int id, int type)
{
    pb_ids_add(&t->pair, id);
    pb_ids_add(&t->pair_type, type);
}

/* Reads {"Sequence": {"id": "A", "type_id": 0}} or {"SpecialToken": {"id": "[SEP]", "type_id": 1}}. */
static int read_piece(pb_tokenizer *t, const pb_json *post, const pb_json *item)
{
    const pb_json *text = pb_json_get(item, "Sequence"), *special = pb_json_get(item, "SpecialToken");
    const char *name = pb_json_text(pb_json_get(text ? text : special, "id"), "");
    long long type = pb_json_integer(pb_json_get(text ? text : special, "type_id"), 0);
    if (type < 0 || type > 255)
        return pb_error("%s: post_processor: pair: type_id: want 0..255, got %lld", t->path, type);
    int id = !text ? special_id(t, post, name) : strcmp(name, "B") != 0 ? FIRST_TEXT : SECOND_TEXT;
    if (id == -1)
        return -1;
    add_piece(t, id, (int)type);
    return 0;
}

static size_t count_pieces(const pb_tokenizer *t, int id)
{
    size_t n = 0;
    for (size_t i = 0; i < t->pair.count; i++)
        n += t->pair.id[i] == id;
    return n;
}

/* A file without `pair` can be used for single texts.  Hugging Face's tokenizers write a pair of A and B with nothing
 * else where nothing was said of pairs, so that this is no form for pairs either. */
static int read_pair(pb_tokenizer *t, const pb_json *post)
{
    const pb_json *pair = pb_json_get(post, "pair");
    for (size_t i = 0; i < pb_json_size(pair); i++)
        if (read_piece(t, post, pb_json_at(pair, i)))
            return -1;
    if (t->pair.count == 2 && count_pieces(t, FIRST_TEXT) == 1 && count_pieces(t, SECOND_TEXT) == 1)
        t->pair.count = t->pair_type.count = 0;
    else if (!t->pair_problem && pb_json_size(pair) &&
             (count_pieces(t, FIRST_TEXT) != 1 || count_pieces(t, SECOND_TEXT) != 1))
        t->pair_problem = "pair: want each of the sequences A and B in it, once";
    return 0;
}

/* {"cls": ["[CLS]", 101], "sep": [..]}.  BERT: [CLS] A [SEP] B [SEP], where B and its [SEP] are of type 1.  RoBERTa:
 * <s> A </s></s> B </s>, all of type 0. */
static int read_cls_and_sep(pb_tokenizer *t, const pb_json *post, bool roberta)
{
    if (add_special(t, post, pb_json_text(pb_json_at(pb_json_get(post, "cls"), 0), NULL), &t->before) ||
        add_special(t, post, pb_json_text(pb_json_at(pb_json_get(post, "sep"), 0), NULL), &t->after))
        return -1;
    int cls = t->before.id[t->before.count - 1], sep = t->after.id[t->after.count - 1], type = roberta ? 0 : 1;
    add_piece(t, cls, 0);
    add_piece(t, FIRST_TEXT, 0);
    add_piece(t, sep, 0);
    if (roberta)
        add_piece(t, sep, 0);
    add_piece(t, SECOND_TEXT, type);
    add_piece(t, sep, type);
    return 0;
}

int pb_post_processor_read(pb_tokenizer *t, const pb_json *post, const char *type)
{
    bool bert = !strcmp(type, "BertProcessing"), roberta = !strcmp(type, "RobertaProcessing");
    if (!strcmp(type, "ByteLevel")) /* changes offsets only */
        return 0;
    if (!bert && !roberta && strcmp(type, "TemplateProcessing") != 0)
        return pb_error("%s: post_processor: type '%s' is not supported; want TemplateProcessing, BertProcessing, "
                        "RobertaProcessing or ByteLevel",
                        t->path, type);
    if (t->pair.count)
        t->pair_problem = "two processors add tokens; want one that has a form for pairs of texts";
    if (bert || roberta)
        return read_cls_and_sep(t, post, roberta);
    return read_single(t, post) || read_pair(t, post) ? -1 : 0;
}

void pb_post_processor_free(pb_tokenizer *t)
{
    pb_ids_free(&t->before);
    pb_ids_free(&t->after);
    pb_ids_free(&t->pair);
    pb_ids_free(&t->pair_type);
}

/* ---- pairs ----------------------------------------------------------------------------------------------- */

bool pb_tokenizer_has_pair(const pb_tokenizer *t)
{
    return t->pair.count && !t->pair_problem;
}

int pb_tokenizer_check_pair(const pb_tokenizer *t)
{
    return pb_tokenizer_has_pair(t)
               ? 0
               : pb_error("%s: post_processor: %s", t->path,
                          t->pair_problem ? t->pair_problem
                                          : "it does not say how a pair of texts is encoded; want a TemplateProcessing "
                                            "with `pair`, a BertProcessing or a RobertaProcessing");
}
