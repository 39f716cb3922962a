/* tokenizer_unigram: the most probable segmentation of a text under a unigram language model of pieces.
 * Kudo 2018, "Subword Regularization", arXiv:1804.10959; by Viterbi's algorithm. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

/* ---- a trie of the pieces: the child of a node by a byte ---------------------------------------------------- */

typedef struct edge {
    int from, to; /* nodes; from < 0: free */
    unsigned char byte;
} edge;

typedef struct pb_unigram_trie {
    edge *edge; /* hash by (from, byte); size a power of 2 */
    size_t size, edges;
    int *piece; /* [nodes] that ends here, -1: none */
    int nodes;
    size_t capacity;
} pb_unigram_trie;

static edge *slot_of(const pb_unigram_trie *t, int from, unsigned char byte)
{
    uint64_t key = (uint64_t)(uint32_t)from << 8 | byte;
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 32) & (t->size - 1);
    while (t->edge[i].from >= 0 && (t->edge[i].from != from || t->edge[i].byte != byte))
        i = (i + 1) & (t->size - 1);
    return &t->edge[i];
}

static int add_node(pb_unigram_trie *t)
{
    pb_grow(&t->piece, (size_t)t->nodes, &t->capacity, sizeof *t->piece);
    t->piece[t->nodes] = -1;
    return t->nodes++;
}

/* At most half of the slots are taken. */
static void grow_slots(pb_unigram_trie *t)
{
    if (2 * (t->edges + 1) <= t->size)
        return;
    edge *old = t->edge;
    size_t n = t->size;
    t->size = n ? 2 * n : 1024;
    t->edge = pb_alloc(t->size * sizeof *t->edge);
    for (size_t i = 0; i < t->size; i++)
        t->edge[i].from = -1;
    for (size_t i = 0; i < n; i++)
        if (old[i].from >= 0)
            *slot_of(t, old[i].from, old[i].byte) = old[i];
    free(old);
}

/* If a piece occurs more than once, the last id is used. */
static void add_piece(pb_unigram_trie *t, const char *text, int id)
{
    int node = 0;
    for (; *text; text++) {
        grow_slots(t);
        edge *e = slot_of(t, node, (unsigned char)*text);
        if (e->from < 0) {
            *e = (edge){node, add_node(t), (unsigned char)*text};
            t->edges++;
        }
        node = e->to;
    }
    t->piece[node] = id;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

static int read_scores(pb_tokenizer *t, const pb_json *vocab)
{
    pb_unigram *u = &t->unigram;
    double least = INFINITY;
    size_t n = pb_json_size(vocab);
    u->score = pb_alloc((n + 1) * sizeof *u->score);
    u->trie = pb_alloc(sizeof *u->trie);
    add_node(u->trie);
    grow_slots(u->trie);
    for (size_t i = 0; i < n; i++) {
        u->score[i] = pb_json_number(pb_json_at(pb_json_at(vocab, i), 1), NAN);
        if (!isfinite(u->score[i]))
            return pb_error("%s: model: vocab: entry %zu: want [\"token\", score]", t->path, i);
        least = u->score[i] < least ? u->score[i] : least;
        add_piece(u->trie, pb_json_text(pb_json_at(pb_json_at(vocab, i), 0), ""), (int)i);
    }
    u->unknown_score = least - 10;
    return 0;
}

int pb_unigram_read(pb_tokenizer *t, const pb_json *model)
{
    pb_unigram *u = &t->unigram;
    const pb_json *vocab = pb_json_get(model, "vocab");
    long long unknown = pb_json_integer(pb_json_get(model, "unk_id"), -1);
    if (t->bytes)
        return pb_error("%s: pre_tokenizer: ByteLevel: is not supported for a Unigram", t->path);
    if (unknown < 0 || (size_t)unknown >= pb_json_size(vocab))
        return pb_error("%s: model: unk_id: want the index of a token of the vocabulary", t->path);
    u->unknown = (int)unknown;
    u->byte_fallback = pb_json_bool(pb_json_get(model, "byte_fallback"), false);
    pb_tokenizer_byte_ids(t, u->byte_id);
    return read_scores(t, vocab);
}

void pb_unigram_free(pb_tokenizer *t)
{
    free(t->unigram.score);
    if (t->unigram.trie) {
        free(t->unigram.trie->edge);
        free(t->unigram.trie->piece);
    }
    free(t->unigram.trie);
}

/* ---- the best path ---------------------------------------------------------------------------------------- */

typedef struct best_path { /* the best path that ends at a byte */
    double score;
    int id;
    size_t length; /* of its last piece; 0: none ends here */
} best_path;

static void offer(best_path *s, double score, int id, size_t length)
{
    if (!s->length || score > s->score)
        *s = (best_path){score, id, length};
}

/* Fills best[i] with the best path to the first i bytes of the text. */
static void find_best(const pb_unigram *u, const char *text, size_t size, best_path *best)
{
    for (size_t at = 0, whole; at < size; at += whole) {
        int32_t c;
        whole = pb_utf8_next(text + at, size - at, &c);
        bool known = false; /* is the character a piece */
        int node = 0;
        for (size_t n = 1; at + n <= size; n++) {
            const edge *e = slot_of(u->trie, node, (unsigned char)text[at + n - 1]);
            if (e->from < 0)
                break;
            node = e->to;
            int id = u->trie->piece[node];
            if (id < 0)
                continue;
            offer(&best[at + n], u->score[id] + best[at].score, id, n);
            known |= n == whole;
        }
        if (!known)
            offer(&best[at + whole], u->unknown_score + best[at].score, u->unknown, whole);
    }
}

/* Appends the id of a piece or, if it is unknown and byte fallback applies, the ids of its bytes. */
static void add_stretch(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out)
{
    const pb_unigram *u = &t->unigram;
    int id = pb_tokenizer_lookup(t, text, size);
    bool bytes = id < 0 && u->byte_fallback;
    for (size_t i = 0; i < size && bytes; i++)
        bytes = u->byte_id[(unsigned char)text[i]] >= 0;
    for (size_t i = 0; i < size && bytes; i++)
        pb_ids_add(out, u->byte_id[(unsigned char)text[i]]);
    if (!bytes)
        pb_ids_add(out, id >= 0 ? id : u->unknown);
}

/* Adjacent unknown characters are joined. */
void pb_unigram_encode(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out)
{
    best_path *best = pb_alloc((size + 1) * sizeof *best);
    size_t *end = pb_alloc((size + 1) * sizeof *end), ends = 0, from = 0;
    find_best(&t->unigram, text, size, best);
    for (size_t at = size; at; at -= best[at].length)
        end[ends++] = at;
    while (ends) {
        size_t to = end[--ends];
        bool unknown = best[to].id == t->unigram.unknown;
        while (unknown && ends && best[end[ends - 1]].id == t->unigram.unknown)
            to = end[--ends];
        add_stretch(t, text + from, to - from, out);
        from = to;
    }
    free(best);
    free(end);
}
