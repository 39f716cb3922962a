/* op_attention: softmax(scale * q k^T) v, per sequence and head.
 *
 * q [Tq,C], k and v [Tk,C], head h in columns h*hd .. (h+1)*hd-1.  The sets of q and k say which
 * rows belong to one sequence: q may own fewer (only some rows are read) and k more (a prefix).
 * One unit of work is one head of one sequence; units run head by head, so that two threads
 * get the same sequences and equal work. */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "numeric/blas.h"

typedef struct attention_conf {
    int heads;
    bool causal;
} attention_conf;

static bool same_lengths(const pb_rows *a, const pb_rows *b)
{
    return a == b || (a && b && a->sequences == b->sequences &&
                      !memcmp(a->offset, b->offset, ((size_t)a->sequences + 1) * sizeof *a->offset));
}

static int attention_shape(pb_node *n)
{
    const attention_conf *c = n->conf;
    const pb_node *q = n->in[0], *k = n->in[1], *v = n->in[2];
    if (!q || !k || !v || k->cols != q->cols || v->cols != q->cols || !same_lengths(k->set, v->set) || !q->set ||
        q->set->sequences != k->set->sequences || q->cols % c->heads)
        return pb_error("attention: q, k, v of %d heads do not fit", c->heads);
    n->rows = q->rows;
    n->cols = q->cols;
    n->set = q->set;
    return 0;
}

static size_t attention_aux(const pb_node *n) /* log-sum-exp [heads,Tq] */
{
    const attention_conf *c = n->conf;
    return (size_t)c->heads * (size_t)n->rows;
}

static int attention_units(const pb_node *n, bool backward)
{
    (void)backward;
    const attention_conf *c = n->conf;
    return c->heads * n->set->sequences;
}

static size_t attention_scratch(const pb_node *n)
{
    const attention_conf *c = n->conf;
    size_t most = 0;
    for (int s = 0; s < n->set->sequences; s++) {
        const int *q = n->set->offset + s, *k = n->in[1]->set->offset + s;
        size_t need = pb_attention_scratch(q[1] - q[0], k[1] - k[0], n->cols / c->heads);
        most = need > most ? need : most;
    }
    return most;
}

/* One head of one sequence: its shape, and where its part of each tensor begins. */
typedef struct unit {
    pb_attention_shape shape;
    size_t q, k, lse;
} unit;

static unit unit_of(const pb_node *n, int u)
{
    const attention_conf *c = n->conf;
    const pb_rows *qs = n->set, *ks = n->in[1]->set;
    int h = u / qs->sequences, s = u % qs->sequences, hd = n->cols / c->heads;
    int q0 = qs->offset[s], k0 = ks->offset[s];
    int nq = qs->offset[s + 1] - q0, nk = ks->offset[s + 1] - k0;
    unit it = {.shape = {.nq = nq,
                         .nk = nk,
                         .hd = hd,
                         .ldq = n->cols,
                         .ldk = n->cols,
                         .ldo = n->cols,
                         .causal = c->causal,
                         .first = nk - nq,
                         .scale = (pb_real)(1 / sqrt(hd))}};
    it.q = (size_t)q0 * (size_t)n->cols + (size_t)(h * hd);
    it.k = (size_t)k0 * (size_t)n->cols + (size_t)(h * hd);
    it.lse = (size_t)h * (size_t)n->rows + (size_t)q0;
    return it;
}

static void attention_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    for (int u = from; u < to; u++) {
        unit i = unit_of(n, u);
        pb_attention(&i.shape, n->in[0]->x + i.q, n->in[1]->x + i.k, n->in[2]->x + i.k, n->x + i.q, n->aux + i.lse,
                     scratch);
    }
}

static void attention_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    const pb_node *q = n->in[0], *k = n->in[1], *v = n->in[2];
    for (int u = from; u < to; u++) {
        unit i = unit_of(n, u);
        pb_attention_backward(&i.shape, q->x + i.q, k->x + i.k, v->x + i.k, n->x + i.q, n->aux + i.lse, n->g + i.q,
                              want & 1 ? q->g + i.q : NULL, n->add & 1, want & 2 ? k->g + i.k : NULL, n->add >> 1 & 1,
                              want & 4 ? v->g + i.k : NULL, n->add >> 2 & 1, scratch);
    }
}

/* Forward: scores and values, 2*2*seen*hd a query row.  Backward: the scores again, dP = do v^T
 * if q or k wants (two more products for dq and dk), and dv. */
static uint64_t attention_flops(const pb_node *n, unsigned want)
{
    const attention_conf *c = n->conf;
    uint64_t pairs = 0;
    for (int s = 0; s < n->set->sequences; s++) {
        unit i = unit_of(n, s);
        for (int r = 0; r < i.shape.nq; r++)
            pairs += (uint64_t)(c->causal ? i.shape.first + r + 1 : i.shape.nk);
    }
    uint64_t product = 2u * pairs * (uint64_t)n->cols;
    if (!want)
        return 2 * product;
    bool dp = want & 3;
    return product * (1u + dp + (want & 1) + (want >> 1 & 1) + (want >> 2 & 1));
}

static const pb_op attention = {
    .name = "attention",
    .aligned = 1,
    .reads = {PB_IN0 | PB_IN1 | PB_IN2 | PB_OUT | PB_AUX, PB_IN0 | PB_IN1 | PB_IN2 | PB_OUT | PB_AUX,
              PB_IN0 | PB_IN1 | PB_AUX},
    .shape = attention_shape,
    .aux = attention_aux,
    .scratch = attention_scratch,
    .units = attention_units,
    .forward = attention_forward,
    .backward = attention_backward,
    .flops = attention_flops,
};

pb_node *pb_op_attention(pb_graph *g, pb_node *q, pb_node *k, pb_node *v, int heads, bool causal)
{
    attention_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (attention_conf){.heads = heads, .causal = causal};
    return pb_graph_apply(g, &attention, c, q, k, v, NULL);
}
