/* tokenizer: a tokenizer.json, its added tokens and its template.  Floor 3. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "files/tokenizer_internal.h"

#define LARGEST_ID 10000000 /* a vocabulary beyond this is a damaged file */

void pb_ids_add(pb_ids *ids, int id)
{
    pb_grow(&ids->id, ids->count, &ids->capacity, sizeof *ids->id);
    ids->id[ids->count++] = id;
}

void pb_ids_free(pb_ids *ids)
{
    free(ids->id);
    *ids = (pb_ids){0};
}

/* ---- vocabulary ------------------------------------------------------------------------------- */

/* The place in the index where these bytes are, or would be. */
static size_t find_place(const pb_tokenizer *t, const char *bytes, size_t n)
{
    size_t place = pb_hash(bytes, n) & (t->index_size - 1);
    for (;; place = (place + 1) & (t->index_size - 1)) {
        int id = t->index[place];
        if (id < 0 || (!strncmp(t->token[id], bytes, n) && !t->token[id][n]))
            return place;
    }
}

int pb_tokenizer_lookup(const pb_tokenizer *t, const char *bytes, size_t n)
{
    return t->index[find_place(t, bytes, n)];
}

int pb_tokenizer_id(const pb_tokenizer *t, const char *token)
{
    int id = pb_tokenizer_lookup(t, token, strlen(token));
    for (size_t i = 0; id < 0 && i < t->added_count; i++)
        if (!strcmp(t->token[t->added[i].id], token)) /* not as normalised */
            id = t->added[i].id;
    return id;
}

int pb_tokenizer_vocab(const pb_tokenizer *t)
{
    return t->tokens;
}

const char *pb_tokenizer_token(const pb_tokenizer *t, int id)
{
    for (size_t i = 0; i < t->added_count; i++)
        if (t->added[i].id == id)
            return t->added[i].content;
    return id >= 0 && id < t->tokens ? t->token[id] : NULL;
}

static int check_id(const pb_tokenizer *t, const char *token, const pb_json *value)
{
    long long id = pb_json_integer(value, -1);
    if (id < 0 || id > LARGEST_ID)
        return pb_error("%s: token '%s': want an id of 0..%d", t->path, token, LARGEST_ID);
    return (int)id;
}

static int keep_token(pb_tokenizer *t, const char *token, int id)
{
    if (t->token[id] && strcmp(t->token[id], token) != 0)
        return pb_error("%s: id %d: two tokens, '%s' and '%s'", t->path, id, t->token[id], token);
    t->token[id] = token;
    return 0;
}

static int count_entry(void *ctx, const char *token, const pb_json *value)
{
    pb_tokenizer *t = ctx;
    int id = check_id(t, token, value);
    if (id >= t->tokens)
        t->tokens = id + 1;
    return id < 0 ? -1 : 0;
}

static int keep_entry(void *ctx, const char *token, const pb_json *value)
{
    pb_tokenizer *t = ctx;
    int id = (int)pb_json_integer(value, -1);
    if (keep_token(t, token, id))
        return -1;
    t->index[find_place(t, token, strlen(token))] = id; /* JSON keys differ, checked when parsed */
    return 0;
}

static int read_vocabulary(pb_tokenizer *t, const pb_json *root)
{
    const pb_json *vocab = pb_json_get(pb_json_get(root, "model"), "vocab");
    const pb_json *added = pb_json_get(root, "added_tokens");
    if (!pb_json_is_object(vocab) || !pb_json_size(vocab))
        return pb_error("%s: model: vocab: want an object of tokens and ids", t->path);
    if (pb_json_each(vocab, count_entry, t))
        return -1;
    for (size_t i = 0; i < pb_json_size(added); i++) {
        const char *content = pb_json_text(pb_json_get(pb_json_at(added, i), "content"), "");
        if (!*content)
            return pb_error("%s: added_tokens: entry %zu: want a content", t->path, i);
        if (count_entry(t, content, pb_json_get(pb_json_at(added, i), "id")))
            return -1;
    }
    for (t->index_size = 64; t->index_size < 2 * (pb_json_size(vocab) + pb_json_size(added));)
        t->index_size *= 2;
    t->token = pb_alloc((size_t)t->tokens * sizeof *t->token);
    t->index = pb_alloc(t->index_size * sizeof *t->index);
    memset(t->index, -1, t->index_size * sizeof *t->index);
    return pb_json_each(vocab, keep_entry, t) ? -1 : 0;
}

/* ---- added tokens: cut out of the text before it is split into words --------------------------- */

static int read_added(pb_tokenizer *t, const pb_json *root)
{
    const pb_json *list = pb_json_get(root, "added_tokens");
    t->added_count = pb_json_size(list);
    t->added = pb_alloc((t->added_count + 1) * sizeof *t->added);
    for (size_t i = 0; i < t->added_count; i++) {
        const pb_json *entry = pb_json_at(list, i);
        pb_added_token *a = &t->added[i];
        a->content = pb_json_text(pb_json_get(entry, "content"), "");
        a->size = strlen(a->content);
        a->id = (int)pb_json_integer(pb_json_get(entry, "id"), -1);
        a->single_word = pb_json_bool(pb_json_get(entry, "single_word"), false);
        a->lstrip = pb_json_bool(pb_json_get(entry, "lstrip"), false);
        a->rstrip = pb_json_bool(pb_json_get(entry, "rstrip"), false);
        a->special = pb_json_bool(pb_json_get(entry, "special"), false);
        a->normalized = pb_json_bool(pb_json_get(entry, "normalized"), false);
        if (keep_token(t, a->content, a->id))
            return -1;
    }
    return 0;
}

/* Tokens that are searched in normalised text are searched by their normalised content. */
static void normalize_added(pb_tokenizer *t)
{
    for (size_t i = 0; i < t->added_count; i++) {
        if (!t->added[i].normalized)
            continue;
        pb_text text = {0};
        pb_normalizer_run(t, t->added[i].content, t->added[i].size, &text);
        t->added[i].size = text.length;
        t->added[i].content = t->added[i].owned = text.data;
    }
    for (size_t i = 0; i < t->added_count; i++)
        if (t->added[i].size)
            t->added_begin[t->added[i].normalized][(unsigned char)t->added[i].content[0]] = true;
}

static void free_added(pb_tokenizer *t)
{
    for (size_t i = 0; i < t->added_count; i++)
        free(t->added[i].owned);
    free(t->added);
}

static const pb_added_token *added_at(const pb_tokenizer *t, const char *text, size_t size, bool normalized)
{
    const pb_added_token *best = NULL;
    for (size_t i = 0; i < t->added_count; i++) {
        const pb_added_token *a = &t->added[i];
        if (a->normalized == normalized && a->size && a->size <= size && a->content[0] == text[0] &&
            !memcmp(a->content, text, a->size) && (!best || a->size > best->size))
            best = a;
    }
    return best;
}

static bool is_word(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC;
}

static size_t step_back(const char *text, size_t at, int32_t *c)
{
    size_t from = at - 1;
    while (from && at - from < 4 && (text[from] & 0xC0) == 0x80)
        from--;
    pb_utf8_next(text + from, at - from, c);
    return from;
}

static bool stands_alone(const char *text, size_t size, size_t from, size_t to)
{
    int32_t c;
    if (from && (step_back(text, from, &c), is_word(c)))
        return false;
    return to == size || (pb_utf8_next(text + to, size - to, &c), !is_word(c));
}

/* The next added token at or behind `from`: its range, with the white space it swallows, in
 * *begin and *end.  NULL: none. */
static const pb_added_token *next_added(const pb_tokenizer *t, const char *text, size_t size, size_t from,
                                        bool normalized, size_t *begin, size_t *end)
{
    for (size_t at = from; at < size; at++) {
        bool may = t->added_begin[normalized][(unsigned char)text[at]];
        const pb_added_token *a = may ? added_at(t, text + at, size - at, normalized) : NULL;
        if (!a)
            continue;
        *begin = at;
        *end = at + a->size;
        if (a->single_word && !stands_alone(text, size, *begin, *end)) {
            at = *end - 1;
            continue;
        }
        int32_t c;
        for (size_t b; a->lstrip && *begin > from && (b = step_back(text, *begin, &c), pb_utf8_is_space(c));)
            *begin = b;
        for (size_t n;
             a->rstrip && *end < size && (n = pb_utf8_next(text + *end, size - *end, &c), pb_utf8_is_space(c));)
            *end += n;
        return a;
    }
    return NULL;
}

/* ---- words ------------------------------------------------------------------------------------------- */

typedef struct walk {
    const pb_tokenizer *t;
    pb_word_visit *visit;
    void *ctx;
} walk;

/* first: the stretch is the text's beginning. */
typedef void walk_stretch(const walk *w, const char *text, size_t size, bool first);

/* Visits the added tokens, and walks the stretches between them by `next`. */
static void walk_between(const walk *w, const char *text, size_t size, bool normalized, bool first, walk_stretch *next)
{
    size_t at = 0, begin, end;
    const pb_added_token *a;
    while ((a = next_added(w->t, text, size, at, normalized, &begin, &end))) {
        next(w, text + at, begin - at, first && !at);
        w->visit(w->ctx, text + begin, end - begin, a->id);
        at = end;
    }
    next(w, text + at, size - at, first && !at);
}

static void walk_normal(const walk *w, const char *text, size_t size, bool first)
{
    pb_splitter_run(w->t, text, size, first, w->visit, w->ctx);
}

static void walk_raw(const walk *w, const char *text, size_t size, bool first)
{
    if (!size)
        return;
    pb_text normal = {0};
    pb_normalizer_run(w->t, text, size, &normal);
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

/* The text with every invalid byte as U+FFFD. */
static void repair(const char *text, size_t size, pb_text *out)
{
    for (size_t i = 0; i < size;) {
        int32_t c;
        i += pb_utf8_next(text + i, size - i, &c);
        pb_utf8_add(out, c);
    }
}

void pb_tokenizer_each_word(const pb_tokenizer *t, const char *text, size_t size, pb_word_visit *visit, void *ctx)
{
    walk w = {t, visit, ctx};
    if (is_valid(text, size)) {
        walk_between(&w, text, size, false, true, walk_raw);
        return;
    }
    pb_text valid = {0};
    repair(text, size, &valid);
    walk_between(&w, valid.data, valid.length, false, true, walk_raw);
    pb_text_free(&valid);
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
        (e->t->is_bpe ? pb_bpe_encode : pb_wordpiece_encode)(e->t, text, size, e->id);
    for (size_t i = from; e->word && i < e->id->count; i++)
        pb_ids_add(e->word, e->words);
    e->words++;
}

void pb_tokenizer_encode_words(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit,
                               pb_ids *out, pb_ids *word)
{
    encoding e = {t, out, word, 0};
    size_t start = out->count, behind = special ? t->behind.count : 0;
    for (size_t i = 0; special && i < t->before.count; i++)
        add_id(&e, t->before.id[i], -1);
    pb_tokenizer_each_word(t, text, size, encode_word, &e);
    size_t got = out->count - start, kept = (size_t)limit > behind ? (size_t)limit - behind : 0;
    if (limit > 0 && got > kept) {
        out->count -= got - kept;
        if (word)
            word->count -= got - kept;
    }
    for (size_t i = 0; i < behind; i++)
        add_id(&e, t->behind.id[i], -1);
}

void pb_tokenizer_encode(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit, pb_ids *out)
{
    pb_tokenizer_encode_words(t, text, size, special, limit, out, NULL);
}

/* ---- the template ------------------------------------------------------------------------------------ */

static int add_special(pb_tokenizer *t, const char *token, pb_ids *to)
{
    int id = token ? pb_tokenizer_id(t, token) : -1;
    if (id < 0)
        return pb_error("%s: post_processor: special token '%s' is not in the vocabulary", t->path,
                        token ? token : "?");
    pb_ids_add(to, id);
    return 0;
}

static int read_template(pb_tokenizer *t, const pb_json *single)
{
    bool seen = false;
    for (size_t i = 0; i < pb_json_size(single); i++) {
        const pb_json *item = pb_json_at(single, i), *special = pb_json_get(item, "SpecialToken");
        if (pb_json_get(item, "Sequence"))
            seen = true;
        else if (add_special(t, pb_json_text(pb_json_get(special, "id"), NULL), seen ? &t->behind : &t->before))
            return -1;
    }
    return seen ? 0 : pb_error("%s: post_processor: single: want a Sequence in it", t->path);
}

/* {"cls": ["[CLS]", 101], "sep": [..]} */
static int read_pair(pb_tokenizer *t, const pb_json *post)
{
    return add_special(t, pb_json_text(pb_json_at(pb_json_get(post, "cls"), 0), NULL), &t->before) ||
                   add_special(t, pb_json_text(pb_json_at(pb_json_get(post, "sep"), 0), NULL), &t->behind)
               ? -1
               : 0;
}

static int read_post_processor(pb_tokenizer *t, const pb_json *post, const char *type)
{
    if (!strcmp(type, "TemplateProcessing"))
        return read_template(t, pb_json_get(post, "single"));
    if (!strcmp(type, "BertProcessing") || !strcmp(type, "RobertaProcessing"))
        return read_pair(t, post);
    if (!strcmp(type, "ByteLevel")) /* moves offsets, adds nothing */
        return 0;
    return pb_error("%s: post_processor: type '%s' is not supported; want TemplateProcessing, BertProcessing, "
                    "RobertaProcessing or ByteLevel",
                    t->path, type);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static int read_tokenizer(pb_tokenizer *t)
{
    const pb_json *root = pb_json_root(t->doc);
    if (!pb_json_is_object(root))
        return pb_error("%s: want a JSON object", t->path);
    const pb_json *model = pb_json_get(root, "model");
    const char *type = pb_json_text(pb_json_get(model, "type"), "(none)");
    t->is_bpe = !strcmp(type, "BPE");
    if (!t->is_bpe && strcmp(type, "WordPiece") != 0)
        return pb_error("%s: model: type '%s' is not supported; want 'WordPiece' or 'BPE'", t->path, type);
    if (read_vocabulary(t, root) || read_added(t, root) || pb_normalizer_read(t, pb_json_get(root, "normalizer")) ||
        pb_splitter_read(t, pb_json_get(root, "pre_tokenizer")) ||
        (t->is_bpe ? pb_bpe_read : pb_wordpiece_read)(t, model))
        return -1;
    normalize_added(t);
    return pb_decoder_read(t, pb_json_get(root, "decoder")) ||
                   pb_steps_each(t, pb_json_get(root, "post_processor"), "processors", read_post_processor)
               ? -1
               : 0;
}

/* Takes the path and the document. */
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
    free_added(t);
    pb_bpe_free(t);
    pb_splitter_free(t);
    free(t->normalizer.step);
    free(t->decoder.step);
    pb_json_free(t->doc);
    free(t->token);
    free(t->index);
    pb_ids_free(&t->before);
    pb_ids_free(&t->behind);
    free(t->path);
    free(t);
}
