/* tokenizer_bpe: byte-pair encoding of one piece of text. Sennrich et al. 2016, arXiv:1508.07909; over bytes as in
 * Radford et al. 2019 (GPT-2), or over characters with byte fallback (SentencePiece).
 *
 * A piece starts as single characters.  Of all adjacent pairs that can be merged, the pair of the lowest rank (the
 * leftmost of equals) becomes one symbol, until none is left.  The pairs are kept in a heap, so that a piece of n
 * characters takes O(n log n).
 *
 * SentencePiece has no words: a whole text is one piece, with blanks written as U+2581.  But if no merge produces a
 * symbol in which a blank follows another character, no merge crosses the beginning of a blank.  The text between two
 * such seams can then be encoded separately, as a word, and the ids of frequent words are cached. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

/* ---- merges -------------------------------------------------------------------------------------------- */

static size_t slot_of(const pb_bpe *b, int left, int right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 32) & (b->size - 1);
    while (b->merge[i].left >= 0 && (b->merge[i].left != left || b->merge[i].right != right))
        i = (i + 1) & (b->size - 1);
    return i;
}

static const pb_bpe_merge *find_merge(const pb_bpe *b, int left, int right)
{
    const pb_bpe_merge *m = &b->merge[slot_of(b, left, right)];
    return m->left >= 0 ? m : NULL;
}

static const char blank[] = "\xE2\x96\x81"; /* U+2581 */
enum { BLANK = sizeof blank - 1 };

static bool is_blank(const char *text, size_t size)
{
    return size >= BLANK && !memcmp(text, blank, BLANK);
}

/* Returns the number of bytes before the first blank that follows another character, or all. */
static size_t up_to_seam(const char *text, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if (is_blank(text + i, size - i) && !(i >= BLANK && is_blank(text + i - BLANK, BLANK)))
            return i;
    return size;
}

/* Reads a merge: "left right" in one string, or the two in a list. */
static int split_merge(const pb_json *v, const char **left, size_t *n, const char **right)
{
    const char *text = pb_json_text(v, NULL), *space = text ? strchr(text, ' ') : NULL;
    *left = text ? text : pb_json_text(pb_json_at(v, 0), NULL);
    *right = text ? space ? space + 1 : NULL : pb_json_text(pb_json_at(v, 1), NULL);
    *n = text ? (size_t)(space ? space - text : 0) : *left ? strlen(*left) : 0;
    return *left && *right && *n && **right ? 0 : -1;
}

static int read_merge(pb_tokenizer *t, const pb_json *v, int rank)
{
    const char *left, *right;
    size_t n;
    if (split_merge(v, &left, &n, &right))
        return pb_error("%s: model: merges: entry %d: want \"left right\" or [\"left\", \"right\"]", t->path, rank);
    pb_text whole = {0};
    pb_text_bytes(&whole, left, n);
    pb_text_add(&whole, "%s", right);
    pb_bpe_merge m = {pb_tokenizer_lookup(t, left, n), pb_tokenizer_lookup(t, right, strlen(right)),
                      pb_tokenizer_lookup(t, whole.data, whole.length), rank};
    int rc = 0;
    if (m.left < 0 || m.right < 0 || m.id < 0)
        rc = pb_error("%s: model: merges: entry %d: '%.*s' + '%s': want both and '%s' in the vocabulary", t->path, rank,
                      (int)n, left, right, whole.data);
    else {
        pb_bpe_merge *slot = &t->bpe.merge[slot_of(&t->bpe, m.left, m.right)];
        *slot = slot->left >= 0 ? *slot : m; /* the first of equals counts */
        t->bpe.seams = t->bpe.seams && up_to_seam(whole.data, whole.length) == whole.length;
    }
    pb_text_free(&whole);
    return rc;
}

static int read_merges(pb_tokenizer *t, const pb_json *merges)
{
    size_t n = pb_json_size(merges);
    if (!pb_json_is_array(merges) || n > 1u << 28)
        return pb_error("%s: model: merges: want a list", t->path);
    for (t->bpe.size = 64; t->bpe.size < 2 * n;)
        t->bpe.size *= 2;
    t->bpe.merge = pb_alloc(t->bpe.size * sizeof *t->bpe.merge);
    for (size_t i = 0; i < t->bpe.size; i++)
        t->bpe.merge[i].left = -1;
    t->bpe.seams = !t->bytes && !t->bpe.ignore_merges && pb_tokenizer_lookup(t, blank, BLANK) >= 0;
    for (size_t i = 0; i < n; i++)
        if (read_merge(t, pb_json_at(merges, i), (int)i))
            return -1;
    return 0;
}

/* ---- the cache of words ----------------------------------------------------------------------------------- */

enum { CACHE = 1 << 14, LONGEST = 24, MOST = 6 };

typedef struct cached {
    unsigned char size, ids; /* size 0: free */
    char text[LONGEST];
    int id[MOST];
} cached;

struct pb_word_cache {
    cached word[CACHE];
};

static cached *cache_slot(const pb_bpe *b, const char *text, size_t size)
{
    return &b->cache->word[pb_hash(text, size) & (CACHE - 1)];
}

static void cache_word(cached *c, const char *text, size_t size, const int *id, size_t ids)
{
    if (ids > MOST)
        return;
    c->size = (unsigned char)size;
    c->ids = (unsigned char)ids;
    memcpy(c->text, text, size);
    memcpy(c->id, id, ids * sizeof *id);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* Looks up the ids of the characters that stand for single bytes (pb_byte_character). */
static void find_written_bytes(const pb_tokenizer *t, int id[256])
{
    for (int i = 0; i < 256; i++) {
        pb_text c = {0};
        pb_utf8_add(&c, pb_byte_character((unsigned char)i));
        id[i] = pb_tokenizer_lookup(t, c.data, c.length);
        pb_text_free(&c);
    }
}

int pb_bpe_read(pb_tokenizer *t, const pb_json *model)
{
    const pb_json *unknown = pb_json_get(model, "unk_token");
    t->bpe.byte_fallback = pb_json_bool(pb_json_get(model, "byte_fallback"), false);
    t->bpe.fuse_unknown = pb_json_bool(pb_json_get(model, "fuse_unk"), false);
    t->bpe.ignore_merges = pb_json_bool(pb_json_get(model, "ignore_merges"), false);
    const char *name = pb_json_text(unknown, NULL);
    t->bpe.unknown = name ? pb_tokenizer_id(t, name) : -1;
    if (name && t->bpe.unknown < 0)
        return pb_error("%s: model: unk_token: '%s' is not in the vocabulary", t->path, name);
    static const char *const empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < PB_COUNT(empty); i++)
        if (*pb_json_text(pb_json_get(model, empty[i]), ""))
            return pb_error("%s: model: %s: is not supported; want none", t->path, empty[i]);
    if (pb_json_number(pb_json_get(model, "dropout"), 0) > 0)
        return pb_error("%s: model: dropout: is not supported; want none", t->path);
    t->bpe.cache = pb_alloc(sizeof *t->bpe.cache);
    if (read_merges(t, pb_json_get(model, "merges")))
        return -1;
    if (t->bytes)
        find_written_bytes(t, t->bpe.byte_id);
    pb_tokenizer_byte_ids(t, t->bpe.named_id);
    return 0;
}

void pb_bpe_free(pb_tokenizer *t)
{
    free(t->bpe.merge);
    free(t->bpe.cache);
}

/* ---- merging one piece ------------------------------------------------------------------------------------ */

typedef struct symbol {
    int id, before, after; /* neighbours, -1 at the ends; id < 0: merged into the one before */
} symbol;

typedef struct waiting { /* the pair that begins at symbol `at`, when it had these ids */
    int rank, at, left, right, id;
} waiting;

typedef struct piece {
    const pb_bpe *bpe;
    symbol *symbol;
    size_t count, capacity;
    waiting *heap;
    size_t waits, heap_capacity;
} piece;

static bool sooner(const waiting *a, const waiting *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(piece *p, int at)
{
    int after = p->symbol[at].after;
    const pb_bpe_merge *m = after < 0 ? NULL : find_merge(p->bpe, p->symbol[at].id, p->symbol[after].id);
    if (!m)
        return;
    pb_grow(&p->heap, p->waits, &p->heap_capacity, sizeof *p->heap);
    waiting new = {m->rank, at, m->left, m->right, m->id};
    size_t i = p->waits++;
    for (; i && sooner(&new, &p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = new;
}

static waiting pop(piece *p)
{
    waiting top = p->heap[0], last = p->heap[--p->waits];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < p->waits) {
        child += child + 1 < p->waits && sooner(&p->heap[child + 1], &p->heap[child]);
        if (!sooner(&p->heap[child], &last))
            break;
        p->heap[i] = p->heap[child];
        i = child;
    }
    p->heap[i] = last;
    return top;
}

static void add_symbol(piece *p, int id)
{
    pb_grow(&p->symbol, p->count, &p->capacity, sizeof *p->symbol);
    int at = (int)p->count++;
    p->symbol[at] = (symbol){.id = id, .before = at - 1, .after = -1};
    if (at)
        p->symbol[at - 1].after = at;
}

/* A pair in the heap may be out of date, because one of its symbols has been merged since. */
static void merge_all(piece *p)
{
    for (int i = 0; i + 1 < (int)p->count; i++)
        push(p, i);
    while (p->waits) {
        waiting w = pop(p);
        symbol *left = &p->symbol[w.at];
        if (left->id != w.left || left->after < 0 || p->symbol[left->after].id != w.right)
            continue;
        symbol *right = &p->symbol[left->after];
        left->id = w.id;
        left->after = right->after;
        right->id = -1;
        if (left->after >= 0)
            p->symbol[left->after].before = w.at;
        if (left->before >= 0)
            push(p, left->before);
        push(p, w.at);
    }
}

/* Adds the initial symbols of a character: its token, the tokens of its bytes, or the unknown token. */
static void add_character(piece *p, const pb_tokenizer *t, const char *text, size_t size)
{
    const pb_bpe *b = &t->bpe;
    int id = pb_tokenizer_lookup(t, text, size);
    bool all = b->byte_fallback && id < 0;
    for (size_t i = 0; i < size && all; i++)
        all = b->named_id[(unsigned char)text[i]] >= 0;
    if (id >= 0)
        add_symbol(p, id);
    else if (all)
        for (size_t i = 0; i < size; i++)
            add_symbol(p, b->named_id[(unsigned char)text[i]]);
    else if (b->unknown >= 0 && !(b->fuse_unknown && p->count && p->symbol[p->count - 1].id == b->unknown))
        add_symbol(p, b->unknown);
}

/* Adds the token of a byte or, if there is none, the symbols of its character. */
static void add_byte(piece *p, const pb_tokenizer *t, unsigned char byte)
{
    if (t->bpe.byte_id[byte] >= 0) {
        add_symbol(p, t->bpe.byte_id[byte]);
        return;
    }
    pb_text written = {0};
    pb_utf8_add(&written, pb_byte_character(byte));
    add_character(p, t, written.data, written.length);
    pb_text_free(&written);
}

static void add_symbols(piece *p, const pb_tokenizer *t, const char *text, size_t size)
{
    for (size_t i = 0, n; i < size; i += n) {
        int32_t c;
        n = t->bytes ? 1 : pb_utf8_next(text + i, size - i, &c);
        if (t->bytes)
            add_byte(p, t, (unsigned char)text[i]);
        else
            add_character(p, t, text + i, n);
    }
}

/* Returns the id of a whole piece, or -1 if it is not in the vocabulary. */
static int whole_id(const pb_tokenizer *t, const char *text, size_t size)
{
    if (!t->bytes)
        return pb_tokenizer_lookup(t, text, size);
    pb_text written = {0};
    for (size_t i = 0; i < size; i++)
        pb_utf8_add(&written, pb_byte_character((unsigned char)text[i]));
    int id = pb_tokenizer_lookup(t, written.data, written.length);
    pb_text_free(&written);
    return id;
}

static void encode_piece(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out)
{
    int whole = t->bpe.ignore_merges ? whole_id(t, text, size) : -1;
    if (whole >= 0) {
        pb_ids_add(out, whole);
        return;
    }
    piece p = {.bpe = &t->bpe};
    add_symbols(&p, t, text, size);
    merge_all(&p);
    for (int i = p.count ? 0 : -1; i >= 0; i = p.symbol[i].after)
        pb_ids_add(out, p.symbol[i].id);
    free(p.symbol);
    free(p.heap);
}

/* Appends the ids of a piece, from the cache if the piece is short. */
static void recall_piece(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out)
{
    if (size > LONGEST) {
        encode_piece(t, text, size, out);
        return;
    }
    cached *c = cache_slot(&t->bpe, text, size);
    if (size && (c->size != size || memcmp(c->text, text, size) != 0)) {
        size_t from = out->count;
        encode_piece(t, text, size, out);
        if (out->count > from)
            cache_word(c, text, size, out->id + from, out->count - from);
        return;
    }
    for (int i = 0; size && i < c->ids; i++)
        pb_ids_add(out, c->id[i]);
}

void pb_bpe_encode(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out)
{
    for (size_t n; size; text += n, size -= n) {
        n = t->bpe.seams ? up_to_seam(text, size) : size;
        recall_piece(t, text, n, out);
    }
}
