/* op_attention: softmax(scale * q k^T) v, per sequence and head.
 *
 * q [Tq,heads*hd], k and v [Tk,kv*hd], head h in columns h*hd .. (h+1)*hd-1; query head h reads key
 * head h / (heads/kv) (grouped queries: Ainslie et al. 2023, arXiv:2305.13245).  The sets of q and k say which
 * rows belong to one sequence: q may own fewer (only some rows are read) and k more (a prefix).
 * One unit of work is one head of one sequence; units run head by head, so that two threads
 * get the same sequences and equal work. */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "base/rng.h"
#include "numeric/blas.h"

/* ---- the KV cache ----------------------------------------------------------------------------------- */

int pb_cache_segment_rows(const pb_cache_segment *p)
{
    int rows = 0;
    for (; p; p = p->before)
        rows += p->rows;
    return rows;
}

static const pb_cache_segment *cache_of(const pb_node *n, int s)
{
    const pb_attention_conf *c = n->conf;
    return c->cache ? c->cache[s] : NULL;
}

/* The most rows that the cache of sequence s can have in any run of the graph: its newest segment may grow. */
static int most_cached_rows(const pb_node *n, int s)
{
    const pb_cache_segment *p = cache_of(n, s);
    return p ? pb_cache_segment_rows(p->before) + p->capacity : 0;
}

/* ---- shape ------------------------------------------------------------------------------------------ */

static bool same_lengths(const pb_rows *a, const pb_rows *b)
{
    return a == b || (a && b && a->sequences == b->sequences &&
                      !memcmp(a->offset, b->offset, ((size_t)a->sequences + 1) * sizeof *a->offset));
}

static int head_size(const pb_node *n)
{
    const pb_attention_conf *c = n->conf;
    return n->cols / c->heads;
}

/* Query heads that share one key head. */
static int group_of(const pb_node *n)
{
    return n->cols / n->in[1]->cols;
}

static bool heads_fit(const pb_attention_conf *c, const pb_node *q, const pb_node *k, const pb_node *v)
{
    return q->cols % c->heads == 0 && k->cols == v->cols && k->cols % (q->cols / c->heads) == 0 &&
           q->cols % k->cols == 0;
}

static int attention_shape(pb_node *n)
{
    const pb_attention_conf *c = n->conf;
    const pb_node *q = n->in[0], *k = n->in[1], *v = n->in[2];
    if (!same_lengths(k->set, v->set) || !q->set || !k->set || q->set->sequences != k->set->sequences ||
        !heads_fit(c, q, k, v))
        return pb_error("attention: q, k, v of %d heads do not fit", c->heads);
    n->rows = q->rows;
    n->cols = q->cols;
    n->set = q->set;
    return 0;
}

static size_t attention_aux(const pb_node *n) /* log-sum-exp [heads,Tq] */
{
    const pb_attention_conf *c = n->conf;
    return (size_t)c->heads * (size_t)n->rows;
}

/* Backward collects the gradient of a key head over its group of query heads. */
static int attention_units(const pb_node *n, bool backward)
{
    const pb_attention_conf *c = n->conf;
    return c->heads / (backward ? group_of(n) : 1) * n->set->sequences;
}

static size_t attention_scratch(const pb_node *n)
{
    size_t most = 0;
    for (int s = 0; s < n->set->sequences; s++) {
        const int *q = n->set->offset + s, *k = n->in[1]->set->offset + s;
        size_t need = pb_attention_scratch(q[1] - q[0], most_cached_rows(n, s) + k[1] - k[0], head_size(n));
        most = need > most ? need : most;
    }
    return most;
}

static const pb_rows *whole_set(const pb_node *n)
{
    const pb_rows *set = n->set;
    while (set->of)
        set = set->of;
    return set;
}

/* The number of keys before that of query row r of sequence s: the cache, a prefix, and the keys of earlier rows, which
 * may have no queries. */
static int keys_before(const pb_node *n, int s, int r)
{
    const pb_rows *whole = whole_set(n);
    const int *keys = n->in[1]->set->offset + s, *rows = whole->offset + s;
    int prefix = keys[1] - keys[0] - (rows[1] - rows[0]);
    return pb_cache_segment_rows(cache_of(n, s)) + prefix + n->set->position[r] - whole->position[rows[0]];
}

/* One past the last row that goes with row q0 into one call of the kernel, in which each causal query sees one key more
 * than the query before. */
static int piece_end(const pb_node *n, int q0, int q1)
{
    const pb_attention_conf *c = n->conf;
    const int *position = n->set->position;
    int end = q0 + 1;
    while (c->causal && end < q1 && position[end] == position[end - 1] + 1)
        end++;
    return c->causal && end < q1 ? end : q1;
}

/* One head of one sequence, or a part of its queries: the shape, and the offset of its part in each tensor. */
typedef struct piece {
    pb_attention_shape shape;
    size_t q, k, lse;
    int end; /* one past the row of its last query */
} piece;

static piece piece_of(const pb_node *n, int h, int s, int q0)
{
    const pb_attention_conf *c = n->conf;
    const int *keys = n->in[1]->set->offset + s;
    int hd = head_size(n), end = piece_end(n, q0, n->set->offset[s + 1]);
    piece it = {.end = end,
                .shape = {.nq = end - q0,
                          .nk = pb_cache_segment_rows(cache_of(n, s)) + keys[1] - keys[0],
                          .hd = hd,
                          .ldq = n->cols,
                          .ldk = n->in[1]->cols,
                          .ldo = n->cols,
                          .causal = c->causal,
                          .first = end > q0 ? keys_before(n, s, q0) : 0,
                          .scale = (pb_real)(c->scale > 0 ? c->scale : 1 / sqrt(hd)),
                          .drop = c->drop,
                          .drop_key = pb_mix(c->key, (uint64_t)h),
                          .first_row = whole_set(n)->offset[s],
                          .row = n->set->position + q0}};
    it.q = (size_t)q0 * (size_t)n->cols + (size_t)(h * hd);
    it.k = (size_t)keys[0] * (size_t)n->in[1]->cols + (size_t)(h / group_of(n) * hd);
    it.lse = (size_t)h * (size_t)n->rows + (size_t)q0;
    return it;
}

enum { MOST_PARTS = 8 };

/* The keys and values that head h of sequence s reads: the cache's segments, the oldest first, then those of this graph
 * at k. */
static int parts_of(const pb_node *n, int h, int s, size_t k, pb_attention_part part[MOST_PARTS])
{
    const pb_node *keys = n->in[1];
    int here = keys->set->offset[s + 1] - keys->set->offset[s], column = h / group_of(n) * head_size(n), count = 1;
    for (const pb_cache_segment *p = cache_of(n, s); p; p = p->before)
        count++;
    PB_CHECK(count <= MOST_PARTS);
    part[count - 1] = (pb_attention_part){keys->x + k, n->in[2]->x + k, here};
    int i = count - 1;
    for (const pb_cache_segment *p = cache_of(n, s); p; p = p->before)
        part[--i] = (pb_attention_part){p->k + column, p->v + column, p->rows};
    return count;
}

static void attention_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    pb_attention_part part[MOST_PARTS];
    for (int u = from; u < to; u++) {
        int h = u / n->set->sequences, s = u % n->set->sequences, row = n->set->offset[s];
        do {
            piece i = piece_of(n, h, s, row);
            int parts = parts_of(n, h, s, i.k, part);
            pb_attention(&i.shape, parts, part, n->in[0]->x + i.q, n->x + i.q, n->aux + i.lse, scratch);
            row = i.end;
        } while (row < n->set->offset[s + 1]);
    }
}

static void append_rows(const pb_node *n, int s, const pb_node *from, pb_real *to, int rows)
{
    size_t cols = (size_t)from->cols;
    memcpy(to + (size_t)rows * cols, from->x + (size_t)n->in[1]->set->offset[s] * cols,
           (size_t)(n->in[1]->set->offset[s + 1] - n->in[1]->set->offset[s]) * cols * sizeof *to);
}

static void attention_append(const pb_node *n)
{
    const pb_attention_conf *c = n->conf;
    const pb_rows *keys = n->in[1]->set, *whole = whole_set(n);
    for (int s = 0; c->append && s < keys->sequences; s++) {
        pb_cache_segment *p = c->cache[s];
        int more = keys->offset[s + 1] - keys->offset[s];
        PB_CHECK(p->rows + more <= p->capacity);
        append_rows(n, s, n->in[1], p->k, p->rows);
        append_rows(n, s, n->in[2], p->v, p->rows);
        p->rows += more;
        p->positions += whole->offset[s + 1] - whole->offset[s];
    }
}

/* The pieces of a sequence, and the heads of a group, share keys: all but the first add to the keys' gradients.  A
 * sequence without queries still has one piece, which writes zeros. */
static void head_backward(const pb_node *n, unsigned want, int h, int s, pb_real *scratch)
{
    const pb_node *q = n->in[0], *k = n->in[1], *v = n->in[2];
    int row = n->set->offset[s];
    do {
        piece i = piece_of(n, h, s, row);
        bool later = row > n->set->offset[s] || h % group_of(n);
        const pb_attention_gradients t = {.q = q->x + i.q,
                                          .k = k->x + i.k,
                                          .v = v->x + i.k,
                                          .o = n->x + i.q,
                                          .lse = n->aux + i.lse,
                                          .go = n->g + i.q,
                                          .dq = want & 1 ? q->g + i.q : NULL,
                                          .dk = want & 2 ? k->g + i.k : NULL,
                                          .dv = want & 4 ? v->g + i.k : NULL,
                                          .add_q = n->add & 1,
                                          .add_k = later || (n->add & 2),
                                          .add_v = later || (n->add & 4)};
        pb_attention_backward(&i.shape, &t, scratch);
        row = i.end;
    } while (row < n->set->offset[s + 1]);
}

static void attention_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    int group = group_of(n);
    for (int u = from; u < to; u++)
        for (int i = 0; i < group; i++)
            head_backward(n, want, u / n->set->sequences * group + i, u % n->set->sequences, scratch);
}

/* Forward: scores and values, 2*2*seen*hd a query row.  Backward: the scores again, dP = do v^T
 * if q or k wants (two more products for dq and dk), and dv. */
static uint64_t attention_flops(const pb_node *n, unsigned want)
{
    const pb_attention_conf *c = n->conf;
    uint64_t pairs = 0;
    for (int s = 0; s < n->set->sequences; s++) {
        const int *keys = n->in[1]->set->offset + s;
        for (int r = n->set->offset[s]; r < n->set->offset[s + 1]; r++)
            pairs += (uint64_t)(c->causal ? keys_before(n, s, r) + 1 : keys[1] - keys[0]);
    }
    uint64_t product = 2u * pairs * (uint64_t)n->cols;
    if (!want)
        return 2 * product;
    bool dp = want & 3;
    return product * (1u + dp + (want & 1) + (want >> 1 & 1) + (want >> 2 & 1));
}

#define ATTENTION                                                                                                      \
    .name = "attention", .needs = 3, .aligned = 1,                                                                     \
    .reads = {PB_IN0 | PB_IN1 | PB_IN2 | PB_OUT | PB_AUX, PB_IN0 | PB_IN1 | PB_IN2 | PB_OUT | PB_AUX,                  \
              PB_IN0 | PB_IN1 | PB_AUX},                                                                               \
    .shape = attention_shape, .aux = attention_aux, .scratch = attention_scratch, .units = attention_units,            \
    .forward = attention_forward, .finish = attention_append, .backward = attention_backward, .flops = attention_flops

static const pb_op attention = {ATTENTION};
const pb_op pb_op_attention_drop_op = {ATTENTION};

pb_node *pb_op_attention(pb_graph *g, pb_node *q, pb_node *k, pb_node *v, pb_attention_conf conf)
{
    pb_attention_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = conf;
    return pb_graph_apply(g, conf.drop > 0 ? &pb_op_attention_drop_op : &attention, c, q, k, v, NULL);
}
