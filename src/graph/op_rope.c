/* op_rope: rotary positions (Su et al. 2021, arXiv:2104.09864) on the heads of queries or keys.
 *
 * Head h of row t is turned in the planes of the pairs (i, i + hd/2) by the angle of t's position
 * in its whole sequence; backward turns the gradient back. */
#include "graph/op.h"

typedef struct rope_conf {
    int head_size, first;
    const pb_real *table;
} rope_conf;

static int rope_shape(pb_node *n)
{
    const rope_conf *c = n->conf;
    const pb_node *x = n->in[0];
    if (!x->set || c->head_size % 2 || x->cols % c->head_size)
        return pb_error("rope: want tokens with whole heads of an even size, got [%d,%d] and %d", x->rows, x->cols,
                        c->head_size);
    n->rows = x->rows;
    n->cols = x->cols;
    n->set = x->set;
    return 0;
}

/* y_i = x_i cos - x_j sin,  y_j = x_j cos + x_i sin,  j = i + half */
static void rotate_head(int half, const pb_real *cosine, const pb_real *sine, pb_real sign, const pb_real *x,
                        pb_real *y, bool adds)
{
    for (int i = 0; i < half; i++) {
        pb_real a = x[i], b = x[i + half], s = sign * sine[i];
        y[i] = (adds ? y[i] : 0) + a * cosine[i] - b * s;
        y[i + half] = (adds ? y[i + half] : 0) + b * cosine[i] + a * s;
    }
}

static void rotate(const pb_node *n, int from, int to, pb_real sign, const pb_real *x, pb_real *y, bool adds)
{
    const rope_conf *c = n->conf;
    int half = c->head_size / 2;
    for (int t = from; t < to; t++) {
        const pb_real *row = c->table + (size_t)(c->first + n->set->position[t]) * (size_t)c->head_size;
        for (size_t at = (size_t)t * (size_t)n->cols; at < (size_t)(t + 1) * (size_t)n->cols;
             at += (size_t)c->head_size)
            rotate_head(half, row, row + half, sign, x + at, y + at, adds);
    }
}

static void rope_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    rotate(n, from, to, 1, n->in[0]->x, n->x, false);
}

static void rope_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    rotate(n, from, to, -1, n->g, n->in[0]->g, n->add & 1);
}

static const pb_op rope = {
    .name = "rope",
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .shape = rope_shape,
    .forward = rope_forward,
    .backward = rope_backward,
};

pb_node *pb_op_rope(pb_graph *g, pb_node *x, int head_size, const pb_real *table, int first)
{
    rope_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (rope_conf){.head_size = head_size, .first = first, .table = table};
    return pb_graph_apply(g, &rope, c, x, NULL, NULL, NULL);
}
