/* op_gram: collects the Gram matrix of an activation while another one passes through. */
#include <string.h>

#include "graph/op.h"
#include "numeric/blas.h"

enum { PANEL = 48 }; /* rows of the Gram matrix in a unit of work */

typedef struct gram_conf {
    pb_gram *gram;
} gram_conf;

static int gram_shape(pb_node *n)
{
    const pb_node *y = n->in[0], *x = n->in[1];
    if (y->requires_grad || x->requires_grad)
        return pb_error("gram: want two tensors without gradients");
    n->rows = y->rows;
    n->cols = y->cols;
    n->set = y->set;
    return 0;
}

static int gram_units(const pb_node *n, bool backward)
{
    (void)backward;
    return (n->in[1]->cols + PANEL - 1) / PANEL;
}

/* A unit copies its part of the rows of y as well. */
static void copy_part(const pb_node *n, int from, int to)
{
    size_t units = (size_t)gram_units(n, false), rows = (size_t)n->rows, cols = (size_t)n->cols;
    size_t first = (size_t)from * rows / units, past = (size_t)to * rows / units;
    if (n->x != n->in[0]->x)
        memcpy(n->x + first * cols, n->in[0]->x + first * cols, (past - first) * cols * sizeof *n->x);
}

static void gram_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const gram_conf *c = n->conf;
    const pb_node *x = n->in[1];
    int row = from * PANEL, past = to * PANEL < x->cols ? to * PANEL : x->cols;
    copy_part(n, from, to);
    pb_gemm(past - row, x->cols, x->rows, 1, pb_transposed(x->x + row, x->cols), pb_as_stored(x->x, x->cols), true,
            c->gram->sum + (size_t)row * (size_t)x->cols, x->cols);
}

static void count_rows(const pb_node *n)
{
    const gram_conf *c = n->conf;
    c->gram->rows += n->in[1]->rows;
}

static uint64_t gram_flops(const pb_node *n, unsigned want)
{
    const pb_node *x = n->in[1];
    return want ? 0 : 2u * (uint64_t)x->rows * (uint64_t)x->cols * (uint64_t)x->cols;
}

static const pb_op gram_op = {
    .name = "gram",
    .needs = 2,
    .aligned = 1,
    .inplace = 1,
    .shape = gram_shape,
    .units = gram_units,
    .forward = gram_forward,
    .finish = count_rows,
    .flops = gram_flops,
};

pb_node *pb_op_gram(pb_graph *g, pb_node *y, pb_node *x, pb_gram *gram)
{
    gram_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->gram = gram;
    return pb_graph_apply(g, &gram_op, c, y, x, NULL, NULL);
}
