/* op_kron: the product with a Kronecker product, as two products: a row of x is a matrix X, which B multiplies from the
 * right and A from the left. */
#include "graph/op.h"
#include "graph/op_shape.h"
#include "numeric/blas.h"

static int misfit(const pb_node *n, const char *name)
{
    const pb_node *x = n->in[0], *w = n->in[1];
    return pb_error("kron: x [%d,%d] and %s [%d,%d] do not fit, want whole matrices X and a matrix of parameters",
                    x->rows, x->cols, name, w->rows, w->cols);
}

static int factor_rows(const pb_node *n)
{
    return n->in[1]->rows;
}

/* An element of y is a sum over a row of the factor, whichever side it is on. */
static uint64_t product_flops(const pb_node *n, unsigned want)
{
    uint64_t one = 2u * (uint64_t)n->rows * (uint64_t)n->cols * (uint64_t)n->in[1]->cols;
    return want ? one * ((want & 1) + (want >> 1 & 1)) : one;
}

/* ---- right: y = X B^T; x [T,k*b2], B [b1,b2], y [T,k*b1] -------------------------------------------------- */

static int right_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *b = n->in[1];
    if (b->set || x->cols % b->cols)
        return misfit(n, "B");
    pb_shape_of_first(n);
    n->cols = x->cols / b->cols * b->rows;
    return 0;
}

/* The rows of all X of rows from .. to-1. */
static int right_rows(const pb_node *n, int from, int to)
{
    return (to - from) * (n->in[0]->cols / n->in[1]->cols);
}

static void right_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0], *b = n->in[1];
    pb_gemm(right_rows(n, from, to), b->rows, b->cols, 1, pb_as_stored(x->x + pb_row_start(x, from), b->cols),
            pb_transposed(b->x, b->cols), false, n->x + pb_row_start(n, from), b->rows);
}

static void right_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0], *b = n->in[1];
    pb_gemm(right_rows(n, from, to), b->cols, b->rows, 1, pb_as_stored(n->g + pb_row_start(n, from), b->rows),
            pb_as_stored(b->x, b->cols), n->add & 1, x->g + pb_row_start(x, from), b->cols);
}

/* dB = sum over all rows of all X of dy^T x */
static void right_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0], *b = n->in[1];
    pb_gemm(to - from, b->cols, right_rows(n, 0, n->rows), 1, pb_transposed(n->g + from, b->rows),
            pb_as_stored(x->x, b->cols), n->add >> 1 & 1, b->g + pb_row_start(b, from), b->cols);
}

static const pb_op right = {
    .name = "kron_right",
    .needs = 2,
    .aligned = 1,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = right_shape,
    .param_units = factor_rows,
    .forward = right_forward,
    .backward = right_backward,
    .backward_params = right_params,
    .flops = product_flops,
};

/* ---- left: y = A X; x [T,a2*m], A [a1,a2], y [T,a1*m] ----------------------------------------------------- */

static int left_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *a = n->in[1];
    if (a->set || x->cols % a->cols)
        return misfit(n, "A");
    pb_shape_of_first(n);
    n->cols = x->cols / a->cols * a->rows;
    return 0;
}

static int width(const pb_node *n)
{
    return n->cols / n->in[1]->rows;
}

static void left_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0], *a = n->in[1];
    for (int t = from; t < to; t++)
        pb_gemm(a->rows, width(n), a->cols, 1, pb_as_stored(a->x, a->cols),
                pb_as_stored(x->x + pb_row_start(x, t), width(n)), false, n->x + pb_row_start(n, t), width(n));
}

static void left_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0], *a = n->in[1];
    for (int t = from; t < to; t++)
        pb_gemm(a->cols, width(n), a->rows, 1, pb_transposed(a->x, a->cols),
                pb_as_stored(n->g + pb_row_start(n, t), width(n)), n->add & 1, x->g + pb_row_start(x, t), width(n));
}

/* dA = sum_t dy[t] x[t]^T */
static void left_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0], *a = n->in[1];
    size_t skip = (size_t)from * (size_t)width(n);
    for (int t = 0; t < n->rows; t++)
        pb_gemm(to - from, a->cols, width(n), 1, pb_as_stored(n->g + pb_row_start(n, t) + skip, width(n)),
                pb_transposed(x->x + pb_row_start(x, t), width(n)), t > 0 || n->add >> 1 & 1,
                a->g + pb_row_start(a, from), a->cols);
}

static const pb_op left = {
    .name = "kron_left",
    .needs = 2,
    .aligned = 1,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = left_shape,
    .param_units = factor_rows,
    .forward = left_forward,
    .backward = left_backward,
    .backward_params = left_params,
    .flops = product_flops,
};

/* ---- both ------------------------------------------------------------------------------------------------ */

/* Either factor may be the first: B costs a2 (b2 + a1) b1 multiplications as the first one, A costs a1 (a2 + b1) b2. */
static bool right_first(const pb_node *a, const pb_node *b)
{
    double right_cost = (double)a->cols * ((double)b->cols + a->rows) * b->rows;
    double left_cost = (double)a->rows * ((double)a->cols + b->rows) * b->cols;
    return right_cost <= left_cost;
}

pb_node *pb_op_kron(pb_graph *g, pb_node *x, pb_node *a, pb_node *b)
{
    if (a && b && (a->set || (double)a->cols * b->cols != (x ? x->cols : 0))) {
        pb_error("kron: x [%d,%d], A [%d,%d], B [%d,%d] do not fit", x ? x->rows : 0, x ? x->cols : 0, a->rows, a->cols,
                 b->rows, b->cols);
        pb_graph_fail(g);
        return NULL;
    }
    bool first = !a || !b || right_first(a, b);
    pb_node *y = first ? pb_graph_apply(g, &right, NULL, x, b, NULL, NULL) : x;
    if (a)
        y = pb_graph_apply(g, &left, NULL, y, a, NULL, NULL);
    return first ? y : pb_graph_apply(g, &right, NULL, y, b, NULL, NULL);
}
