/* op_cross_attention: every row of a batch attends to the same keys, which are no rows of the batch.
 *
 * q [T,heads*hd], k and v [P,kv*hd]; query head h reads key head h / (heads/kv).  A unit of work is a head of all rows:
 * a query head forward, a key head with its group of query heads backward. */
#include <math.h>

#include "graph/op.h"

typedef struct cross_conf {
    int heads;
} cross_conf;

static int head_size(const pb_node *n)
{
    const cross_conf *c = n->conf;
    return n->cols / c->heads;
}

/* Query heads that share one key head. */
static int group_of(const pb_node *n)
{
    return n->cols / n->in[1]->cols;
}

static bool heads_fit(int heads, const pb_node *q, const pb_node *k)
{
    return heads > 0 && q->cols % heads == 0 && k->cols % (q->cols / heads) == 0 && q->cols % k->cols == 0;
}

static int cross_shape(pb_node *n)
{
    const cross_conf *c = n->conf;
    const pb_node *q = n->in[0], *k = n->in[1], *v = n->in[2];
    if (k->set || v->set || k->rows != v->rows || k->cols != v->cols || !heads_fit(c->heads, q, k))
        return pb_error("cross_attention: want q of %d heads, and k and v of parameters with whole heads", c->heads);
    n->rows = q->rows;
    n->cols = q->cols;
    n->set = q->set;
    return 0;
}

static size_t cross_aux(const pb_node *n) /* log-sum-exp [heads,T] */
{
    const cross_conf *c = n->conf;
    return (size_t)c->heads * (size_t)n->rows;
}

static int cross_units(const pb_node *n, bool backward)
{
    const cross_conf *c = n->conf;
    return c->heads / (backward ? group_of(n) : 1);
}

static size_t cross_scratch(const pb_node *n)
{
    return pb_attention_scratch(n->rows, n->in[1]->rows, head_size(n));
}

static pb_attention_shape shape_of(const pb_node *n)
{
    int hd = head_size(n);
    return (pb_attention_shape){.nq = n->rows,
                                .nk = n->in[1]->rows,
                                .hd = hd,
                                .ldq = n->cols,
                                .ldk = n->in[1]->cols,
                                .ldo = n->cols,
                                .scale = (pb_real)(1 / sqrt(hd))};
}

static void cross_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    pb_attention_shape shape = shape_of(n);
    for (int h = from; h < to; h++) {
        int q = h * shape.hd, k = h / group_of(n) * shape.hd;
        pb_attention_part keys = {n->in[1]->x + k, n->in[2]->x + k, shape.nk};
        pb_attention(&shape, 1, &keys, n->in[0]->x + q, n->x + q, n->aux + (size_t)h * (size_t)n->rows, scratch);
    }
}

/* The heads of a group share keys: all but the first add to the keys' gradients. */
static void head_backward(const pb_node *n, unsigned want, int h, pb_real *scratch)
{
    pb_attention_shape shape = shape_of(n);
    int q = h * shape.hd, k = h / group_of(n) * shape.hd;
    bool later = h % group_of(n);
    const pb_attention_gradients t = {.q = n->in[0]->x + q,
                                      .k = n->in[1]->x + k,
                                      .v = n->in[2]->x + k,
                                      .o = n->x + q,
                                      .lse = n->aux + (size_t)h * (size_t)n->rows,
                                      .go = n->g + q,
                                      .dq = want & 1 ? n->in[0]->g + q : NULL,
                                      .dk = want & 2 ? n->in[1]->g + k : NULL,
                                      .dv = want & 4 ? n->in[2]->g + k : NULL,
                                      .add_q = n->add & 1,
                                      .add_k = later || (n->add & 2),
                                      .add_v = later || (n->add & 4)};
    pb_attention_backward(&shape, &t, scratch);
}

static void cross_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    int group = group_of(n);
    for (int h = from * group; h < to * group; h++)
        head_backward(n, want, h, scratch);
}

/* Forward: scores and values.  Backward: the scores again, dP = do v^T if q or k wants (two more products for dq and
 * dk), and dv. */
static uint64_t cross_flops(const pb_node *n, unsigned want)
{
    uint64_t product = 2u * (uint64_t)n->rows * (uint64_t)n->in[1]->rows * (uint64_t)n->cols;
    if (!want)
        return 2 * product;
    bool dp = want & 3;
    return product * (1u + dp + (want & 1) + (want >> 1 & 1) + (want >> 2 & 1));
}

static const pb_op cross_attention = {
    .name = "cross_attention",
    .needs = 3,
    .aligned = 1,
    .reads = {PB_IN0 | PB_IN1 | PB_IN2 | PB_OUT | PB_AUX, PB_IN0 | PB_IN1 | PB_IN2 | PB_OUT | PB_AUX,
              PB_IN0 | PB_IN1 | PB_AUX},
    .shape = cross_shape,
    .aux = cross_aux,
    .scratch = cross_scratch,
    .units = cross_units,
    .forward = cross_forward,
    .backward = cross_backward,
    .flops = cross_flops,
};

pb_node *pb_op_cross_attention(pb_graph *g, pb_node *q, pb_node *k, pb_node *v, int heads)
{
    cross_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (cross_conf){heads};
    return pb_graph_apply(g, &cross_attention, c, q, k, v, NULL);
}
