/* op_rotate_parts: parts of the columns, each rotated by more than the one in front of it. */
#include <math.h>

#include "graph/op.h"
#include "graph/op_shape.h"

typedef struct parts_conf {
    int size;
    double base;
} parts_conf;

static int rotate_shape(pb_node *n)
{
    const parts_conf *c = n->conf;
    const pb_node *x = n->in[0];
    if (c->size < 2 || c->size % 2 || x->cols % c->size)
        return pb_error("rotate_parts: x [%d,%d] in parts of %d columns, want an even divisor", x->rows, x->cols,
                        c->size);
    return pb_shape_of_first(n);
}

/* Rotates rows from .. to-1 forwards, or (sense -1) backwards. */
static void rotate(const pb_node *n, int from, int to, double sense, const pb_real *in, pb_real *out, bool adds)
{
    const parts_conf *c = n->conf;
    int half = c->size / 2;
    for (int k = 0; k < n->cols / 2; k++) {
        int part = k / half, i = k % half;
        double angle = part * pow(c->base, -2.0 * i / c->size);
        pb_real cosine = (pb_real)cos(angle), sine = (pb_real)(sense * sin(angle));
        for (int t = from; t < to; t++) {
            size_t at = pb_row_start(n, t) + (size_t)(part * c->size + i), pair = at + (size_t)half;
            pb_real a = in[at], b = in[pair];
            out[at] = (adds ? out[at] : 0) + a * cosine - b * sine;
            out[pair] = (adds ? out[pair] : 0) + b * cosine + a * sine;
        }
    }
}

static void rotate_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    rotate(n, from, to, 1, n->in[0]->x, n->x, false);
}

static void rotate_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    rotate(n, from, to, -1, n->g, n->in[0]->g, n->add & 1);
}

static const pb_op rotate_parts = {
    .name = "rotate_parts",
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .shape = rotate_shape,
    .forward = rotate_forward,
    .backward = rotate_backward,
};

pb_node *pb_op_rotate_parts(pb_graph *g, pb_node *x, int size, double base)
{
    parts_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (parts_conf){size, base};
    return pb_graph_apply(g, &rotate_parts, c, x, NULL, NULL, NULL);
}
