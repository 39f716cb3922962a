/* tokenizer: a tokenizer.json, its added tokens and its template. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/tokenizer_internal.h"

#define LARGEST_ID 10000000 /* a vocabulary beyond this is a damaged file */

/* ---- the vocabulary --------------------------------------------------------------------------- */

static int check_id(const pb_tokenizer *t, const char *token, const pb_json *value)
{
    long long id = pb_json_integer(value, -1);
    if (id < 0 || id > LARGEST_ID)
        return pb_error("%s: token '%s': want an id of 0..%d", t->path, token, LARGEST_ID);
    return (int)id;
}

static int count_entry(void *ctx, const char *token, const pb_json *value)
{
    pb_tokenizer *t = ctx;
    int id = check_id(t, token, value);
    if (id >= t->tokens)
        t->tokens = id + 1;
    return id < 0 ? -1 : 0;
}

/* Returns the token of entry i of a list of ["token", score], or NULL with an error. */
static const char *listed_token(const pb_tokenizer *t, const pb_json *list, size_t i)
{
    const pb_json *token = pb_json_at(pb_json_at(list, i), 0);
    const char *text = pb_json_text(token, NULL);
    if (text && strlen(text) == pb_json_text_size(token))
        return text;
    pb_error("%s: model: vocab: entry %zu: want [\"token\", score], a token without NUL", t->path, i);
    return NULL;
}

static int keep_entry(void *ctx, const char *token, const pb_json *value)
{
    pb_tokenizer *t = ctx;
    int id = (int)pb_json_integer(value, -1);
    if (pb_tokenizer_keep(t, token, id))
        return -1;
    pb_index_put(&t->index, token, strlen(token), id); /* the keys are distinct, which the parser checks */
    return 0;
}

/* The ids are the indices of the list.  If a text occurs more than once, looking it up finds the last. */
static int keep_list(pb_tokenizer *t, const pb_json *list)
{
    for (size_t i = pb_json_size(list); i-- > 0;) {
        const char *token = listed_token(t, list, i);
        if (!token || pb_tokenizer_keep(t, token, (int)i))
            return -1;
        pb_index_put(&t->index, token, strlen(token), (int)i);
    }
    return 0;
}

static int count_added(pb_tokenizer *t, const pb_json *added)
{
    for (size_t i = 0; i < pb_json_size(added); i++) {
        const char *content = pb_json_text(pb_json_get(pb_json_at(added, i), "content"), "");
        if (!*content)
            return pb_error("%s: added_tokens: entry %zu: want a content", t->path, i);
        if (count_entry(t, content, pb_json_get(pb_json_at(added, i), "id")))
            return -1;
    }
    return 0;
}

static int read_vocabulary(pb_tokenizer *t, const pb_json *root)
{
    const pb_json *vocab = pb_json_get(pb_json_get(root, "model"), "vocab");
    bool list = t->kind->listed;
    if (!(list ? pb_json_is_array : pb_json_is_object)(vocab) || !pb_json_size(vocab) ||
        pb_json_size(vocab) > LARGEST_ID)
        return pb_error("%s: model: vocab: want %s", t->path,
                        list ? "a list of tokens and scores" : "an object of tokens and ids");
    if (list)
        t->tokens = (int)pb_json_size(vocab);
    else if (pb_json_each(vocab, count_entry, t))
        return -1;
    if (count_added(t, pb_json_get(root, "added_tokens")))
        return -1;
    t->token = pb_alloc((size_t)t->tokens * sizeof *t->token);
    return (list ? keep_list(t, vocab) : pb_json_each(vocab, keep_entry, t)) ? -1 : 0;
}

/* ---- words ------------------------------------------------------------------------------------------- */

typedef struct walk {
    const pb_tokenizer *t;
    bool spaced; /* as in pb_pretokenizer_run */
    pb_word_visit *visit;
    void *ctx;
    int *rc; /* becomes -1 when an expression fails */
} walk;

/* Visits the words of a part of the text.  `first` says whether it is the beginning of the text. */
typedef void walk_stretch(const walk *w, const char *text, size_t size, bool first);

/* Visits the added tokens, and calls `next` for the text between them. */
static void walk_between(const walk *w, const char *text, size_t size, bool normalized, bool first, walk_stretch *next)
{
    size_t at = 0, begin, end;
    const pb_added_token *a;
    while ((a = pb_added_token_next(w->t, text, size, at, normalized, &begin, &end))) {
        next(w, text + at, begin - at, first && !at);
        w->visit(w->ctx, text + begin, end - begin, a->id);
        at = end;
    }
    next(w, text + at, size - at, first && !at);
}

static void walk_normal(const walk *w, const char *text, size_t size, bool first)
{
    if (pb_pretokenizer_run(w->t, text, size, first, w->spaced, w->visit, w->ctx))
        *w->rc = -1;
}

static void walk_raw(const walk *w, const char *text, size_t size, bool first)
{
    if (!size)
        return;
    pb_text normal = {0};
    if (pb_normalizer_run(w->t, text, size, &normal, w->t->origin ? &first : NULL))
        *w->rc = -1;
    else
        walk_between(w, normal.data, normal.length, true, first, walk_normal);
    pb_text_free(&normal);
}

static bool is_valid(const char *text, size_t size)
{
    int32_t c;
    for (size_t i = 0, n; i < size; i += n)
        if ((signed char)text[i] >= 0)
            n = 1;
        else if ((n = pb_utf8_next(text + i, size - i, &c)) == 1)
            return false;
    return true;
}

/* Appends the text with every invalid byte replaced by U+FFFD. */
static void repair(const char *text, size_t size, pb_text *out)
{
    for (size_t i = 0; i < size;) {
        int32_t c;
        i += pb_utf8_next(text + i, size - i, &c);
        pb_utf8_add(out, c);
    }
}

static int walk_text(walk w, const char *text, size_t size)
{
    int rc = 0;
    w.rc = &rc;
    if (is_valid(text, size)) {
        walk_between(&w, text, size, false, true, walk_raw);
        return rc;
    }
    pb_text valid = {0};
    repair(text, size, &valid);
    walk_between(&w, valid.data, valid.length, false, true, walk_raw);
    pb_text_free(&valid);
    return rc;
}

int pb_tokenizer_each_word(const pb_tokenizer *t, const char *text, size_t size, pb_word_visit *visit, void *ctx)
{
    return walk_text((walk){.t = t, .visit = visit, .ctx = ctx}, text, size);
}

/* ---- encoding ---------------------------------------------------------------------------------------- */

typedef struct encoding {
    const pb_tokenizer *t;
    pb_ids *id, *word; /* of equal length since the start; word may be NULL */
    int words;
} encoding;

static void add_id(encoding *e, int id, int word)
{
    pb_ids_add(e->id, id);
    if (e->word)
        pb_ids_add(e->word, word);
}

static void encode_word(void *ctx, const char *text, size_t size, int added)
{
    encoding *e = ctx;
    size_t from = e->id->count;
    if (added >= 0)
        pb_ids_add(e->id, added);
    else
        e->t->kind->encode(e->t, text, size, e->id);
    for (size_t i = from; e->word && i < e->id->count; i++)
        pb_ids_add(e->word, e->words);
    e->words++;
}

int pb_tokenizer_encode_words(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit,
                              pb_ids *out, pb_ids *word)
{
    encoding e = {t, out, word, 0};
    size_t start = out->count, after = special ? t->after.count : 0;
    for (size_t i = 0; special && i < t->before.count; i++)
        add_id(&e, t->before.id[i], -1);
    int rc = pb_tokenizer_each_word(t, text, size, encode_word, &e);
    size_t got = out->count - start, kept = (size_t)limit > after ? (size_t)limit - after : 0;
    if (limit > 0 && got > kept) {
        out->count -= got - kept;
        if (word)
            word->count -= got - kept;
    }
    for (size_t i = 0; i < after; i++)
        add_id(&e, t->after.id[i], -1);
    return rc;
}

static void encode_piece(void *ctx, const char *text, size_t size, int added)
{
    const encoding *e = ctx;
    if (added >= 0)
        pb_ids_add(e->id, added);
    else
        e->t->kind->encode(e->t, text, size, e->id);
}

int pb_tokenizer_encode_split(const pb_tokenizer *t, const char *const *word, int words, bool special, pb_ids *out,
                              pb_ids *of)
{
    encoding e = {t, out, of, 0};
    size_t apart = out->count - of->count;
    walk w = {.t = t, .spaced = pb_pretokenizer_is_bytes(t), .visit = encode_piece, .ctx = &e};
    int rc = 0;
    for (size_t i = 0; special && i < t->before.count; i++)
        add_id(&e, t->before.id[i], -1);
    for (int i = 0; i < words && !rc; i++) {
        rc = walk_text(w, word[i], strlen(word[i]));
        while (of->count + apart < out->count)
            pb_ids_add(of, i);
    }
    for (size_t i = 0; special && i < t->after.count; i++)
        add_id(&e, t->after.id[i], -1);
    return rc;
}

int pb_tokenizer_encode(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit, pb_ids *out)
{
    return pb_tokenizer_encode_words(t, text, size, special, limit, out, NULL);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static const pb_tokenizer_model kinds[] = {{"WordPiece", false, pb_wordpiece_read, pb_wordpiece_encode},
                                           {"BPE", false, pb_bpe_read, pb_bpe_encode},
                                           {"Unigram", true, pb_unigram_read, pb_unigram_encode},
                                           {"WordLevel", false, pb_wordlevel_read, pb_wordlevel_encode}};

static int find_kind(pb_tokenizer *t, const char *type)
{
    for (size_t i = 0; i < PB_COUNT(kinds); i++)
        if (!strcmp(type, kinds[i].type)) {
            t->kind = &kinds[i];
            return 0;
        }
    return pb_error("%s: model: type '%s' is not supported; want WordPiece, BPE, Unigram or WordLevel", t->path, type);
}

static int read_tokenizer(pb_tokenizer *t)
{
    const pb_json *root = pb_json_root(t->doc);
    if (!pb_json_is_object(root))
        return pb_error("%s: want a JSON object", t->path);
    const pb_json *model = pb_json_get(root, "model");
    const char *type = pb_json_text(pb_json_get(model, "type"), "(none)");
    if (find_kind(t, type))
        return -1;
    if (read_vocabulary(t, root) || pb_added_tokens_read(t, pb_json_get(root, "added_tokens")) ||
        pb_normalizer_read(t, pb_json_get(root, "normalizer")) ||
        pb_pretokenizer_read(t, pb_json_get(root, "pre_tokenizer")) || t->kind->read(t, model) ||
        pb_added_tokens_index(t))
        return -1;
    return pb_tokenizer_decoder_read(t, pb_json_get(root, "decoder")) ||
                   pb_component_list_each(t, pb_json_get(root, "post_processor"), "processors", pb_post_processor_read)
               ? -1
               : 0;
}

/* Takes ownership of the path and the document. */
static pb_tokenizer *open_document(char *path, pb_json_doc *doc)
{
    pb_tokenizer *t = pb_alloc(sizeof *t);
    t->path = path;
    t->doc = doc;
    if (t->doc && !read_tokenizer(t))
        return t;
    pb_tokenizer_close(t);
    return NULL;
}

pb_tokenizer *pb_tokenizer_open(const char *dir)
{
    char *path = pb_format("%s/tokenizer.json", dir);
    return open_document(path, pb_json_read(path));
}

pb_tokenizer *pb_tokenizer_open_text(const char *name, const char *json)
{
    return open_document(pb_strdup(name), pb_json_parse(name, json, strlen(json)));
}

void pb_tokenizer_close(pb_tokenizer *t)
{
    if (!t)
        return;
    pb_added_tokens_free(t);
    pb_bpe_free(t);
    pb_unigram_free(t);
    pb_component_list_free(&t->pretokenizer);
    pb_component_list_free(&t->normalizer);
    pb_component_list_free(&t->decoder);
    pb_json_free(t->doc);
    free(t->token);
    pb_index_free(&t->index);
    pb_post_processor_free(t);
    free(t->path);
    free(t);
}
