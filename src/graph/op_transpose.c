/* op_transpose: the transpose of a matrix of parameters. */
#include "graph/op.h"
#include "graph/op_shape.h"

static int transpose_shape(pb_node *n)
{
    const pb_node *a = n->in[0];
    if (a->set)
        return pb_error("transpose: [%d,%d], want a matrix of parameters", a->rows, a->cols);
    n->rows = a->cols;
    n->cols = a->rows;
    return 0;
}

static void transpose_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *a = n->in[0];
    for (int i = from; i < to; i++)
        for (int j = 0; j < n->cols; j++)
            n->x[pb_row_start(n, i) + (size_t)j] = a->x[pb_row_start(a, j) + (size_t)i];
}

static void transpose_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *a = n->in[0];
    for (int i = from; i < to; i++)
        for (int j = 0; j < n->cols; j++) {
            pb_real *da = &a->g[pb_row_start(a, j) + (size_t)i];
            *da = (n->add & 1 ? *da : 0) + n->g[pb_row_start(n, i) + (size_t)j];
        }
}

static const pb_op transpose = {
    .name = "transpose",
    .shape = transpose_shape,
    .forward = transpose_forward,
    .backward = transpose_backward,
};

pb_node *pb_op_transpose(pb_graph *g, pb_node *a)
{
    return pb_graph_apply(g, &transpose, NULL, a, NULL, NULL, NULL);
}
