/* op_softmax: the softmax of each row over its largest elements. */
#include <math.h>

#include "graph/op.h"
#include "graph/op_shape.h"
#include "graph/op_softmax.h"

typedef struct softmax_conf {
    int largest; /* k; 0: all */
} softmax_conf;

/* Marks the k largest elements of x [n] by 1 in chosen [n], the first ones among equal elements, and others by 0. */
static void choose(const pb_real *x, int n, int k, pb_real *chosen)
{
    for (int j = 0; j < n; j++)
        chosen[j] = k == 0 || k >= n;
    for (int i = 0; i < k && k < n; i++) {
        int best = -1;
        for (int j = 0; j < n; j++)
            if (chosen[j] == 0 && (best < 0 || x[j] > x[best]))
                best = j;
        chosen[best] = 1;
    }
}

static int softmax_shape(pb_node *n)
{
    const softmax_conf *c = n->conf;
    if (c->largest < 0 || c->largest > n->in[0]->cols)
        return pb_error("softmax: the %d largest of %d columns, want 0 for all, or up to %d", c->largest,
                        n->in[0]->cols, n->in[0]->cols);
    return pb_shape_of_first(n);
}

static void softmax_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const softmax_conf *c = n->conf;
    for (int t = from; t < to; t++) {
        const pb_real *x = n->in[0]->x + pb_row_start(n, t);
        pb_real *y = n->x + pb_row_start(n, t);
        choose(x, n->cols, c->largest, y);
        double most = -INFINITY, sum = 0;
        for (int j = 0; j < n->cols; j++)
            most = y[j] > 0 ? fmax(most, (double)x[j]) : most;
        for (int j = 0; j < n->cols; j++)
            sum += y[j] > 0 ? exp((double)x[j] - most) : 0;
        for (int j = 0; j < n->cols; j++)
            y[j] = y[j] > 0 ? (pb_real)(exp((double)x[j] - most) / sum) : 0;
    }
}

/* dx = y * (dy - sum_j dy_j y_j), which is 0 where y is. */
static void softmax_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    for (int t = from; t < to; t++) {
        const pb_real *y = n->x + pb_row_start(n, t), *dy = n->g + pb_row_start(n, t);
        pb_real *dx = n->in[0]->g + pb_row_start(n, t), mean = pb_dot((size_t)n->cols, dy, y);
        for (int j = 0; j < n->cols; j++)
            dx[j] = (n->add & 1 ? dx[j] : 0) + y[j] * (dy[j] - mean);
    }
}

static const pb_op softmax = {
    .name = "softmax",
    .aligned = 1,
    .inplace_grad = 1,
    .reads = {PB_OUT},
    .shape = softmax_shape,
    .forward = softmax_forward,
    .backward = softmax_backward,
};

pb_node *pb_op_softmax(pb_graph *g, pb_node *x, int k)
{
    softmax_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->largest = k;
    return pb_graph_apply(g, &softmax, c, x, NULL, NULL, NULL);
}

static bool chooses(const pb_node *n)
{
    const softmax_conf *c = n->op == &softmax ? n->conf : NULL;
    return c && c->largest > 0 && c->largest < n->cols && n->requires_grad;
}

bool pb_graph_chooses_largest(const pb_graph *g)
{
    for (int i = 0; pb_graph_at(g, i); i++)
        if (chooses(pb_graph_at(g, i)))
            return true;
    return false;
}
