/* gguf_tokenizer: converts the vocabulary of a GGUF to a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "weights/gguf_internal.h"
#include "base/json.h"

enum { UNKNOWN = 2, CONTROL = 3, USER = 4 }; /* tokenizer.ggml.token_type */

#define LLAMA3                                                                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"           \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN2                                                                                                          \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"                \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The pre-tokenizers of byte-level BPE by llama.cpp's names. */
static const struct {
    const char *name, *expression;
    bool digits, nfc, ignore_merges;
} cuts[] = {{"gpt-2", NULL, false, false, false},   {"default", NULL, false, false, false},
            {"smollm", NULL, true, false, false},   {"llama-bpe", LLAMA3, false, false, true},
            {"llama3", LLAMA3, false, false, true}, {"qwen2", QWEN2, false, true, false}};

/* ---- lists of the file ------------------------------------------------------------------------------- */

typedef struct vocabulary {
    char **token;
    float *score;
    unsigned char *kind;
    int n;
} vocabulary;

static const pb_gguf_value *list(const pb_gguf *f, const char *key, pb_gguf_type item)
{
    const pb_gguf_value *v = pb_gguf_find(f, key);
    return v && v->type == PB_GGUF_LIST && v->item == item && v->count < 1u << 24 ? v : NULL;
}

static int read_vocabulary(const pb_gguf *f, vocabulary *v)
{
    const pb_gguf_value *tokens = list(f, "tokenizer.ggml.tokens", PB_GGUF_TEXT);
    const pb_gguf_value *scores = list(f, "tokenizer.ggml.scores", PB_GGUF_F32);
    const pb_gguf_value *kinds = list(f, "tokenizer.ggml.token_type", PB_GGUF_I32);
    if (!tokens || (scores && scores->count != tokens->count) || (kinds && kinds->count != tokens->count))
        return pb_error("%s: tokenizer.ggml: want lists tokens, scores and token_type of one length", f->path);
    v->n = (int)tokens->count;
    v->token = pb_alloc(((size_t)v->n + 1) * sizeof *v->token);
    v->score = pb_alloc(((size_t)v->n + 1) * sizeof *v->score);
    v->kind = pb_alloc((size_t)v->n + 1);
    const unsigned char *at = tokens->data;
    for (int i = 0; i < v->n; i++) {
        size_t n;
        const char *text = pb_gguf_next_text(&at, &n);
        v->token[i] = pb_format("%.*s", (int)(n < 1 << 20 ? n : 0), text);
        if (scores)
            memcpy(&v->score[i], scores->data + 4 * i, 4);
        v->kind[i] = kinds ? kinds->data[4 * i] : 1;
    }
    return 0;
}

static void free_vocabulary(vocabulary *v)
{
    for (int i = 0; v->token && i < v->n; i++)
        free(v->token[i]);
    free(v->token);
    free(v->score);
    free(v->kind);
}

/* ---- parts of a tokenizer.json -------------------------------------------------------------------------- */

static void add_vocabulary(pb_text *j, const char *const *token, int n)
{
    pb_text_add(j, "\"vocab\": {");
    for (int i = 0; i < n; i++) {
        pb_text_add(j, "%s", i ? ", " : "");
        pb_json_quote(j, token[i]);
        pb_text_add(j, ": %d", i);
    }
    pb_text_add(j, "}");
}

static void add_added(pb_text *j, const char *const *token, const unsigned char *kind, int n)
{
    bool first = true;
    pb_text_add(j, "\"added_tokens\": [");
    for (int i = 0; i < n; i++) {
        if (kind[i] != CONTROL && kind[i] != USER && kind[i] != UNKNOWN)
            continue;
        pb_text_add(j, "%s{\"id\": %d, \"special\": %s, \"normalized\": false, \"content\": ", first ? "" : ", ", i,
                    kind[i] == USER ? "false" : "true");
        pb_json_quote(j, token[i]);
        pb_text_add(j, "}");
        first = false;
    }
    pb_text_add(j, "]");
}

/* `before` and `after` are the tokens before and after a text, or NULL. */
static void add_template(pb_text *j, const char *before, const char *after)
{
    if (!before && !after)
        return;
    pb_text_add(j, ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [");
    if (before) {
        pb_text_add(j, "{\"SpecialToken\": {\"id\": ");
        pb_json_quote(j, before);
        pb_text_add(j, "}}, ");
    }
    pb_text_add(j, "{\"Sequence\": {\"id\": \"A\"}}");
    if (after) {
        pb_text_add(j, ", {\"SpecialToken\": {\"id\": ");
        pb_json_quote(j, after);
        pb_text_add(j, "}}");
    }
    pb_text_add(j, "]}");
}

/* ---- byte-level BPE ---------------------------------------------------------------------------------------- */

static void add_merges(const pb_gguf_value *merges, pb_text *j)
{
    const unsigned char *at = merges->data;
    pb_text_add(j, ", \"merges\": [");
    for (uint64_t i = 0; i < merges->count; i++) {
        size_t n;
        const char *text = pb_gguf_next_text(&at, &n);
        char *merge = pb_format("%.*s", (int)(n < 1 << 20 ? n : 0), text);
        pb_text_add(j, "%s", i ? ", " : "");
        pb_json_quote(j, merge);
        free(merge);
    }
    pb_text_add(j, "]}");
}

static void add_cuts(pb_text *j, int k)
{
    pb_text_add(j, ", \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [");
    if (cuts[k].digits)
        pb_text_add(j, "{\"type\": \"Digits\", \"individual_digits\": true}, ");
    if (cuts[k].expression) {
        pb_text_add(j, "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": ");
        pb_json_quote(j, cuts[k].expression);
        pb_text_add(j, "}}, ");
    }
    pb_text_add(j, "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": %s}]}",
                cuts[k].expression ? "false" : "true");
    if (cuts[k].nfc)
        pb_text_add(j, ", \"normalizer\": {\"type\": \"NFC\"}");
    pb_text_add(j, ", \"decoder\": {\"type\": \"ByteLevel\"}");
}

static int find_cut(const char *name)
{
    for (int k = 0; k < (int)PB_COUNT(cuts); k++)
        if (!strcmp(cuts[k].name, name))
            return k;
    return -1;
}

static int describe_bytes(pb_gguf *f, const vocabulary *v, const char *before, const char *after)
{
    const char *pre = pb_gguf_text(f, "tokenizer.ggml.pre");
    const pb_gguf_value *merges = list(f, "tokenizer.ggml.merges", PB_GGUF_TEXT);
    int k = find_cut(pre ? pre : "default");
    if (k < 0)
        return pb_error("%s: tokenizer.ggml.pre: want gpt-2, default, smollm, llama-bpe or qwen2, got '%s'", f->path,
                        pre);
    if (!merges)
        return pb_error("%s: tokenizer.ggml.merges: want a list of strings", f->path);
    const char *const *token = (const char *const *)v->token;
    pb_text j = {0};
    pb_text_add(&j, "{\"model\": {\"type\": \"BPE\", \"ignore_merges\": %s, ",
                cuts[k].ignore_merges ? "true" : "false");
    add_vocabulary(&j, token, v->n);
    add_merges(merges, &j);
    pb_text_add(&j, ", ");
    add_added(&j, token, v->kind, v->n);
    add_cuts(&j, k);
    add_template(&j, before, after);
    pb_text_add(&j, "}");
    f->tokenizer = j.data;
    return 0;
}

/* ---- SentencePiece: the scores of its tokens are the order of its merges ----------------------------------- */

typedef struct merge {
    float score;
    int left, right, left_size, right_size;
} merge;

/* The best score first; ties by the longer parts, as in transformers' conversion of such files. */
static int by_score(const void *x, const void *y)
{
    const merge *a = x, *b = y;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    if (a->left_size != b->left_size)
        return b->left_size - a->left_size;
    if (a->right_size != b->right_size)
        return b->right_size - a->right_size;
    return a->left != b->left ? a->left - b->left : a->right - b->right;
}

/* Finds every pair of tokens that forms a token. */
static size_t find_merges(const char *const *token, const float *score, const unsigned char *kind, int n, merge **out)
{
    size_t count = 0, capacity = 0;
    pb_index known = {0};
    for (int i = 0; i < n; i++)
        pb_index_put(&known, token[i], strlen(token[i]), i);
    for (int i = 0; i < n; i++) {
        size_t size = strlen(token[i]);
        for (size_t k = 1; kind[i] == 1 && k < size; k++) {
            const char *text = token[i];
            if (((unsigned char)text[k] & 0xC0) == 0x80) /* inside a character */
                continue;
            int left = pb_index_find(&known, text, k), right = pb_index_find(&known, text + k, size - k);
            if (left < 0 || right < 0)
                continue;
            pb_grow(out, count, &capacity, sizeof **out);
            (*out)[count++] = (merge){score[i], left, right, (int)k, (int)(size - k)};
        }
    }
    if (count)
        qsort(*out, count, sizeof **out, by_score);
    pb_index_free(&known);
    return count;
}

char *pb_sentencepiece_json(const char *const *token, const float *score, const unsigned char *kind, int n,
                            const char *space, bool prefix, const char *before, const char *after)
{
    merge *merges = NULL;
    size_t count = find_merges(token, score, kind, n, &merges);
    pb_text j = {0};
    pb_text_add(&j, "{\"model\": {\"type\": \"BPE\", \"byte_fallback\": true, \"fuse_unk\": true, ");
    for (int i = 0; i < n; i++)
        if (kind[i] == UNKNOWN) {
            pb_text_add(&j, "\"unk_token\": ");
            pb_json_quote(&j, token[i]);
            pb_text_add(&j, ", ");
            break;
        }
    add_vocabulary(&j, token, n);
    pb_text_add(&j, ", \"merges\": [");
    for (size_t i = 0; i < count; i++) {
        pb_text_add(&j, "%s[", i ? ", " : "");
        pb_json_quote(&j, token[merges[i].left]);
        pb_text_add(&j, ", ");
        pb_json_quote(&j, token[merges[i].right]);
        pb_text_add(&j, "]");
    }
    pb_text_add(&j, "]}, ");
    add_added(&j, token, kind, n);
    pb_text_add(&j, ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [");
    if (prefix)
        pb_text_add(&j, "{\"type\": \"Prepend\", \"prepend\": \"%s\"}, ", space);
    pb_text_add(&j,
                "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"%s\"}]}, "
                "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": "
                "{\"String\": \"%s\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}",
                space, space);
    if (prefix)
        pb_text_add(&j, ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}");
    pb_text_add(&j, "]}");
    add_template(&j, before, after);
    pb_text_add(&j, "}");
    free(merges);
    return j.data;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

/* Sets *token to the token that is added before ("bos") or after ("eos") every text, or to NULL.  Returns -1 with an
 * error. */
static int around(const pb_gguf *f, const vocabulary *v, const char *which, bool otherwise, const char **token)
{
    char *id_key = pb_format("tokenizer.ggml.%s_token_id", which),
         *key = pb_format("tokenizer.ggml.add_%s_token", which);
    double id = pb_gguf_number(f, id_key, -1), add = pb_gguf_number(f, key, otherwise);
    bool known = id >= 0 && id < v->n, asked = pb_gguf_find(f, key) && add != 0;
    *token = add != 0 && known ? v->token[(int)id] : NULL;
    int rc = asked && !known ? pb_error("%s: %s: want one of the %d tokens", f->path, id_key, v->n) : 0;
    free(id_key);
    free(key);
    return rc;
}

int pb_gguf_describe_tokenizer(pb_gguf *f)
{
    const char *model = pb_gguf_text(f, "tokenizer.ggml.model");
    bool bytes = model && !strcmp(model, "gpt2"), pieces = model && !strcmp(model, "llama");
    if (!model)
        return 0;
    if (!bytes && !pieces)
        return pb_error("%s: tokenizer.ggml.model: want gpt2 or llama, got '%s'", f->path, model);
    vocabulary v = {NULL, NULL, NULL, 0};
    int rc = read_vocabulary(f, &v);
    bool prefix = pb_gguf_number(f, "tokenizer.ggml.add_space_prefix", pieces) != 0;
    const char *before, *after;
    rc = rc || around(f, &v, "bos", pieces, &before) || around(f, &v, "eos", false, &after) ? -1 : 0;
    if (!rc && bytes && prefix)
        rc = pb_error("%s: tokenizer.ggml.add_space_prefix: want false for a byte-level tokenizer", f->path);
    else if (!rc && pieces)
        f->tokenizer = pb_sentencepiece_json((const char *const *)v.token, v.score, v.kind, v.n, "\xE2\x96\x81", prefix,
                                             before, after);
    else if (!rc)
        rc = describe_bytes(f, &v, before, after);
    free_vocabulary(&v);
    return rc;
}
