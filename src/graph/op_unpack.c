/* op_unpack: a frozen weight in full precision, for weights that are made of it. */
#include "graph/op.h"

static int unpack_shape(pb_node *n)
{
    n->rows = n->in[0]->rows;
    n->cols = n->in[0]->cols;
    return 0;
}

static void unpack_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    pb_param_values(n->in[0]->param, from, to, 0, n->cols, n->x + (size_t)from * (size_t)n->cols);
}

static const pb_op unpack = {.name = "unpack", .shape = unpack_shape, .forward = unpack_forward};

pb_node *pb_op_unpack(pb_graph *g, pb_node *w)
{
    return w && w->param && w->param->packed ? pb_graph_apply(g, &unpack, NULL, w, NULL, NULL, NULL) : w;
}
