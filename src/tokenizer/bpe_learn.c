/* bpe_learn: learns the merges of a byte-pair encoding from counted words. Sennrich et al. 2016, arXiv:1508.07909,
 * algorithm 1, made incremental: each pair has a list of the words that contain it, so that a merge visits these words
 * only.
 *
 * A word is a list of token numbers.  The count of a pair is the number of times its two tokens are adjacent, overlaps
 * included ("aaa" contains "a a" twice), weighted by the counts of the words.  The heap holds pairs with the count
 * they had when they were pushed.  A count that falls later does not update the heap, so an entry is compared with the
 * current count when it is popped. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/bpe_learn.h"

enum { LEAST = 2 }; /* a pair that occurs once is not worth a token */

typedef struct word {
    int *token;
    int count;
    long long times;
} word;

typedef struct pair {
    int left, right;
    long long times;
    int *word; /* the words that contain it or once did, ascending within a merge */
    size_t words, capacity;
    int risen; /* the last merge that increased its count */
    bool merged;
} pair;

typedef struct waiting {
    long long times;
    int left, right, pair;
} waiting;

typedef struct learner {
    word *word;
    int *pool; /* of all words' tokens */
    pair *pair;
    size_t pairs, capacity;
    int *slot; /* hash of (left, right) to pairs, -1: free */
    size_t slots;
    waiting *heap;
    size_t waits, heap_capacity;
    int *risen; /* the pairs whose counts the current merge has increased */
    size_t risen_count, risen_capacity;
    int merges; /* done */
} learner;

/* ---- pairs by their tokens ---------------------------------------------------------------------------- */

static int *find_slot(const learner *l, int left, int right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t at = (size_t)(key * 0x9E3779B97F4A7C15u >> 32) & (l->slots - 1);
    for (int i; (i = l->slot[at]) >= 0; at = (at + 1) & (l->slots - 1))
        if (l->pair[i].left == left && l->pair[i].right == right)
            break;
    return &l->slot[at];
}

static void grow_slots(learner *l)
{
    if (2 * (l->pairs + 1) <= l->slots)
        return;
    l->slots = l->slots ? 2 * l->slots : 1 << 16;
    l->slot = pb_realloc(l->slot, l->slots * sizeof *l->slot);
    memset(l->slot, -1, l->slots * sizeof *l->slot);
    for (size_t i = 0; i < l->pairs; i++)
        *find_slot(l, l->pair[i].left, l->pair[i].right) = (int)i;
}

static pair *get_pair(learner *l, int left, int right)
{
    grow_slots(l);
    int *slot = find_slot(l, left, right);
    if (*slot < 0) {
        pb_grow(&l->pair, l->pairs, &l->capacity, sizeof *l->pair);
        l->pair[l->pairs] = (pair){.left = left, .right = right, .risen = -1};
        *slot = (int)l->pairs++;
    }
    return &l->pair[*slot];
}

/* Adds `change`, which may be negative, to the count of a pair because of word w. */
static void count_pair(learner *l, int left, int right, int w, long long change)
{
    pair *p = get_pair(l, left, right);
    p->times += change;
    if (change < 0)
        return;
    if (!p->words || p->word[p->words - 1] != w) {
        pb_grow(&p->word, p->words, &p->capacity, sizeof *p->word);
        p->word[p->words++] = w;
    }
    if (p->risen == l->merges)
        return;
    p->risen = l->merges;
    pb_grow(&l->risen, l->risen_count, &l->risen_capacity, sizeof *l->risen);
    l->risen[l->risen_count++] = (int)(p - l->pair);
}

/* ---- the heap: the most frequent first, ties by the lower token numbers ---------------------------------------- */

static bool sooner(const waiting *a, const waiting *b)
{
    if (a->times != b->times)
        return a->times > b->times;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static void push(learner *l, int number)
{
    const pair *p = &l->pair[number];
    if (p->times < LEAST)
        return;
    pb_grow(&l->heap, l->waits, &l->heap_capacity, sizeof *l->heap);
    waiting new = {p->times, p->left, p->right, number};
    size_t i = l->waits++;
    for (; i && sooner(&new, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = new;
}

static waiting pop(learner *l)
{
    waiting top = l->heap[0], last = l->heap[--l->waits];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < l->waits) {
        child += child + 1 < l->waits && sooner(&l->heap[child + 1], &l->heap[child]);
        if (!sooner(&l->heap[child], &last))
            break;
        l->heap[i] = l->heap[child];
        i = child;
    }
    l->heap[i] = last;
    return top;
}

static void push_risen(learner *l)
{
    for (size_t i = 0; i < l->risen_count; i++)
        push(l, l->risen[i]);
    l->risen_count = 0;
}

/* Returns the pair to merge next, or -1 if there is none.  No count has risen since its pair was pushed. */
static int best_pair(learner *l)
{
    while (l->waits) {
        waiting w = pop(l);
        if (w.times == l->pair[w.pair].times)
            return w.pair;
        push(l, w.pair);
    }
    return -1;
}

/* ---- merging ---------------------------------------------------------------------------------------------- */

/* Merges from left to right, so that the first two of "a a a" are merged. */
static void merge_in_word(learner *l, int number, int left, int right, int merged)
{
    word *w = &l->word[number];
    int kept = 0, *t = w->token;
    for (int i = 0; i < w->count; i++) {
        if (i + 1 == w->count || t[i] != left || t[i + 1] != right) {
            t[kept++] = t[i];
            continue;
        }
        if (kept) {
            count_pair(l, t[kept - 1], left, number, -w->times);
            count_pair(l, t[kept - 1], merged, number, w->times);
        }
        if (i + 2 < w->count) {
            count_pair(l, right, t[i + 2], number, -w->times);
            count_pair(l, merged, t[i + 2], number, w->times);
        }
        t[kept++] = merged;
        i++;
    }
    w->count = kept;
}

/* Two pairs with the same text ("ab c", "a bc") produce the same token. */
static int join_tokens(pb_interner *tokens, int left, int right)
{
    size_t n;
    pb_text whole = {0};
    const char *text = pb_interner_text(tokens, left, &n);
    pb_text_bytes(&whole, text, n);
    text = pb_interner_text(tokens, right, &n);
    pb_text_bytes(&whole, text, n);
    int merged = pb_interner_add(tokens, whole.data, whole.length);
    pb_text_free(&whole);
    return merged;
}

static void add_merge(pb_bpe_merges *m, int left, int right)
{
    pb_grow(&m->pair, m->count, &m->capacity, sizeof *m->pair);
    m->pair[m->count][0] = left;
    m->pair[m->count++][1] = right;
}

/* A pair can be popped again after another merge has produced one of its tokens; it is not recorded twice. */
static void merge_pair(learner *l, int number, pb_interner *tokens, pb_bpe_merges *out)
{
    pair p = l->pair[number]; /* a copy, because the array may be reallocated */
    l->pair[number] = (pair){.left = p.left, .right = p.right, .risen = -1, .merged = true};
    l->merges++;
    if (!p.merged)
        add_merge(out, p.left, p.right);
    int merged = join_tokens(tokens, p.left, p.right);
    for (size_t i = 0; i < p.words; i++)
        merge_in_word(l, p.word[i], p.left, p.right, merged);
    free(p.word);
    l->pair[number].times = 0; /* overlaps, such as "a a" in "a a a", may leave a count that no longer applies */
    push_risen(l);
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

static void take_words(learner *l, const pb_interner *words, const long long *times, pb_interner *tokens)
{
    int byte_token[256], *next = l->pool = pb_alloc((words->bytes.length + 1) * sizeof *l->pool);
    for (int b = 0; b < 256; b++)
        byte_token[b] = pb_interner_add(tokens, &(char){(char)b}, 1);
    l->word = pb_alloc(((size_t)words->count + 1) * sizeof *l->word);
    for (int i = 0; i < words->count; i++) {
        size_t n;
        const char *text = pb_interner_text(words, i, &n);
        l->word[i] = (word){next, (int)n, times[i]};
        for (size_t k = 0; k < n; k++) {
            *next++ = byte_token[(unsigned char)text[k]];
            if (k)
                count_pair(l, next[-2], next[-1], i, times[i]);
        }
    }
}

void pb_bpe_learn(const pb_interner *words, const long long *times, int limit, pb_interner *tokens, pb_bpe_merges *out)
{
    learner l = {0};
    take_words(&l, words, times, tokens);
    PB_CHECK(tokens->count == 256);
    push_risen(&l);
    for (int best; tokens->count < limit && (best = best_pair(&l)) >= 0;)
        merge_pair(&l, best, tokens, out);
    for (size_t i = 0; i < l.pairs; i++)
        free(l.pair[i].word);
    free(l.pair);
    free(l.slot);
    free(l.heap);
    free(l.risen);
    free(l.word);
    free(l.pool);
}
