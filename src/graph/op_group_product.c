/* op_group_product: groups of the rows of a matrix, each multiplied by a matrix of its own. */
#include "graph/op.h"
#include "graph/op_shape.h"
#include "numeric/blas.h"

typedef struct group_conf {
    int groups;
} group_conf;

static int group_shape(pb_node *n)
{
    const group_conf *c = n->conf;
    const pb_node *a = n->in[0], *w = n->in[1];
    if (a->set || w->set || c->groups < 1 || a->rows % c->groups || a->cols * c->groups != w->rows)
        return pb_error("group_product: A [%d,%d], W [%d,%d] in %d groups do not fit, want two matrices of parameters",
                        a->rows, a->cols, w->rows, w->cols, c->groups);
    n->rows = a->rows;
    n->cols = w->cols;
    return 0;
}

static int group_units(const pb_node *n, bool backward)
{
    (void)backward;
    const group_conf *c = n->conf;
    return c->groups;
}

static int group_param_units(const pb_node *n)
{
    return group_units(n, true);
}

/* The rows of a group. */
static int height(const pb_node *n)
{
    return n->rows / group_units(n, false);
}

static void group_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *a = n->in[0], *w = n->in[1];
    for (int i = from; i < to; i++)
        pb_gemm(height(n), n->cols, a->cols, 1, pb_as_stored(a->x + pb_row_start(a, i * height(n)), a->cols),
                pb_as_stored(w->x + pb_row_start(w, i * a->cols), w->cols), false,
                n->x + pb_row_start(n, i * height(n)), n->cols);
}

/* da_i = dy_i w_i^T */
static void group_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *a = n->in[0], *w = n->in[1];
    for (int i = from; i < to; i++)
        pb_gemm(height(n), a->cols, n->cols, 1, pb_as_stored(n->g + pb_row_start(n, i * height(n)), n->cols),
                pb_transposed(w->x + pb_row_start(w, i * a->cols), w->cols), n->add & 1,
                a->g + pb_row_start(a, i * height(n)), a->cols);
}

/* dw_i = a_i^T dy_i */
static void group_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *a = n->in[0], *w = n->in[1];
    for (int i = from; i < to; i++)
        pb_gemm(a->cols, n->cols, height(n), 1, pb_transposed(a->x + pb_row_start(a, i * height(n)), a->cols),
                pb_as_stored(n->g + pb_row_start(n, i * height(n)), n->cols), n->add >> 1 & 1,
                w->g + pb_row_start(w, i * a->cols), w->cols);
}

static uint64_t group_flops(const pb_node *n, unsigned want)
{
    uint64_t one = 2u * (uint64_t)n->rows * (uint64_t)n->cols * (uint64_t)n->in[0]->cols;
    return want ? one * ((want & 1) + (want >> 1 & 1)) : one;
}

static const pb_op group_product = {
    .name = "group_product",
    .needs = 2,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = group_shape,
    .units = group_units,
    .param_units = group_param_units,
    .forward = group_forward,
    .backward = group_backward,
    .backward_params = group_params,
    .flops = group_flops,
};

pb_node *pb_op_group_product(pb_graph *g, pb_node *a, pb_node *w, int groups)
{
    group_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->groups = groups;
    return pb_graph_apply(g, &group_product, c, a, w, NULL, NULL);
}
