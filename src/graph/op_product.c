/* op_product: the product of two matrices of parameters. */
#include "graph/op.h"
#include "numeric/blas.h"

typedef struct product_conf {
    bool ta, tb;
} product_conf;

/* op(x): x [rows,cols], or its transpose. */
static pb_operand operand(const pb_real *x, int cols, bool transposed)
{
    return transposed ? pb_transposed(x, cols) : pb_as_stored(x, cols);
}

/* Rows from .. of op(x). */
static pb_operand rows_from(const pb_real *x, int cols, bool transposed, int from)
{
    return operand(transposed ? x + from : x + (size_t)from * (size_t)cols, cols, transposed);
}

static int inner(const pb_node *n)
{
    const product_conf *c = n->conf;
    return c->ta ? n->in[0]->rows : n->in[0]->cols;
}

static int product_shape(pb_node *n)
{
    const product_conf *c = n->conf;
    const pb_node *a = n->in[0], *b = n->in[1];
    if (a->set || b->set || inner(n) != (c->tb ? b->cols : b->rows))
        return pb_error("product: A%s [%d,%d], B%s [%d,%d] do not fit, want two matrices of parameters",
                        c->ta ? "^T" : "", a->rows, a->cols, c->tb ? "^T" : "", b->rows, b->cols);
    n->rows = c->ta ? a->cols : a->rows;
    n->cols = c->tb ? b->rows : b->cols;
    return 0;
}

static void product_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const product_conf *c = n->conf;
    const pb_node *a = n->in[0], *b = n->in[1];
    pb_gemm(to - from, n->cols, inner(n), 1, rows_from(a->x, a->cols, c->ta, from), operand(b->x, b->cols, c->tb),
            false, n->x + (size_t)from * (size_t)n->cols, n->cols);
}

static int product_units(const pb_node *n, bool backward)
{
    return backward ? n->in[0]->rows : n->rows;
}

/* Rows from .. to-1 of dA = dC op(B)^T, or of its transpose op(B) dC^T. */
static void product_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const product_conf *c = n->conf;
    const pb_node *a = n->in[0], *b = n->in[1];
    pb_real *da = a->g + (size_t)from * (size_t)a->cols;
    if (c->ta)
        pb_gemm(to - from, a->cols, n->cols, 1, rows_from(b->x, b->cols, c->tb, from), pb_transposed(n->g, n->cols),
                n->add & 1, da, a->cols);
    else
        pb_gemm(to - from, a->cols, n->cols, 1, rows_from(n->g, n->cols, false, from), operand(b->x, b->cols, !c->tb),
                n->add & 1, da, a->cols);
}

static int product_param_units(const pb_node *n)
{
    return n->in[1]->rows;
}

/* Rows from .. to-1 of dB = op(A)^T dC, or of its transpose dC^T op(A). */
static void product_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const product_conf *c = n->conf;
    const pb_node *a = n->in[0], *b = n->in[1];
    pb_real *db = b->g + (size_t)from * (size_t)b->cols;
    if (c->tb)
        pb_gemm(to - from, b->cols, n->rows, 1, rows_from(n->g, n->cols, true, from), operand(a->x, a->cols, c->ta),
                n->add >> 1 & 1, db, b->cols);
    else
        pb_gemm(to - from, b->cols, n->rows, 1, rows_from(a->x, a->cols, !c->ta, from), pb_as_stored(n->g, n->cols),
                n->add >> 1 & 1, db, b->cols);
}

static uint64_t product_flops(const pb_node *n, unsigned want)
{
    uint64_t one = 2u * (uint64_t)n->rows * (uint64_t)n->cols * (uint64_t)inner(n);
    return want ? one * ((want & 1) + (want >> 1 & 1)) : one;
}

static const pb_op product = {
    .name = "product",
    .needs = 2,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = product_shape,
    .units = product_units,
    .param_units = product_param_units,
    .forward = product_forward,
    .backward = product_backward,
    .backward_params = product_params,
    .flops = product_flops,
};

pb_node *pb_op_product(pb_graph *g, pb_node *a, bool ta, pb_node *b, bool tb)
{
    product_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (product_conf){ta, tb};
    return pb_graph_apply(g, &product, c, a, b, NULL, NULL);
}
