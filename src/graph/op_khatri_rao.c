/* op_khatri_rao: the products of all pairs of rows of two matrices, or of all pairs of columns. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

static int misfit(const pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    return pb_error("khatri_rao: A [%d,%d], B [%d,%d] do not fit, want two matrices of parameters", a->rows, a->cols,
                    b->rows, b->cols);
}

/* y[j] (+)= a[j] * b[j] */
static void multiply(int n, const pb_real *a, const pb_real *b, bool adds, pb_real *y)
{
    for (int j = 0; j < n; j++)
        y[j] = (adds ? y[j] : 0) + a[j] * b[j];
}

/* ---- rows: row i*q + k of [p*q,C] is a[i] * b[k] -------------------------------------------------------- */

static int rows_shape(pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    if (a->set || b->set || a->cols != b->cols)
        return misfit(n);
    n->rows = a->rows * b->rows;
    n->cols = a->cols;
    return 0;
}

static void rows_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *a = n->in[0], *b = n->in[1];
    for (int r = from; r < to; r++)
        multiply(n->cols, a->x + pb_row_start(a, r / b->rows), b->x + pb_row_start(b, r % b->rows), false,
                 n->x + pb_row_start(n, r));
}

static int rows_units(const pb_node *n, bool backward)
{
    return backward ? n->in[0]->rows : n->rows;
}

/* da[i] = sum_k dy[i*q + k] * b[k] */
static void rows_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *a = n->in[0], *b = n->in[1];
    for (int i = from; i < to; i++)
        for (int k = 0; k < b->rows; k++)
            multiply(n->cols, n->g + pb_row_start(n, i * b->rows + k), b->x + pb_row_start(b, k), k > 0 || n->add & 1,
                     a->g + pb_row_start(a, i));
}

static int rows_param_units(const pb_node *n)
{
    return n->in[1]->rows;
}

/* db[k] = sum_i dy[i*q + k] * a[i] */
static void rows_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *a = n->in[0], *b = n->in[1];
    for (int k = from; k < to; k++)
        for (int i = 0; i < a->rows; i++)
            multiply(n->cols, n->g + pb_row_start(n, i * b->rows + k), a->x + pb_row_start(a, i), i > 0 || n->add & 2,
                     b->g + pb_row_start(b, k));
}

static const pb_op of_rows = {
    .name = "khatri_rao",
    .needs = 2,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = rows_shape,
    .units = rows_units,
    .param_units = rows_param_units,
    .forward = rows_forward,
    .backward = rows_backward,
    .backward_params = rows_params,
};

/* ---- columns: column i*q + k of [C,p*q] is a[:,i] * b[:,k] ---------------------------------------------- */

static int columns_shape(pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    if (a->set || b->set || a->rows != b->rows)
        return misfit(n);
    n->rows = a->rows;
    n->cols = a->cols * b->cols;
    return 0;
}

static void columns_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *a = n->in[0], *b = n->in[1];
    for (int t = from; t < to; t++)
        for (int i = 0; i < a->cols; i++)
            pb_axpy((size_t)b->cols, a->x[pb_row_start(a, t) + (size_t)i], b->x + pb_row_start(b, t),
                    n->x + pb_row_start(n, t) + (size_t)i * (size_t)b->cols, false);
}

/* da[t,i] = sum_k dy[t,i*q + k] * b[t,k],  db[t] = sum_i dy[t,i*q ..] * a[t,i] */
static void columns_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *a = n->in[0], *b = n->in[1];
    for (int t = from; t < to; t++)
        for (int i = 0; i < a->cols; i++) {
            const pb_real *dy = n->g + pb_row_start(n, t) + (size_t)i * (size_t)b->cols;
            size_t at = pb_row_start(a, t) + (size_t)i;
            if (want & 1)
                a->g[at] = (n->add & 1 ? a->g[at] : 0) + pb_dot((size_t)b->cols, dy, b->x + pb_row_start(b, t));
            if (want & 2)
                pb_axpy((size_t)b->cols, a->x[at], dy, b->g + pb_row_start(b, t), i > 0 || n->add & 2);
        }
}

static const pb_op of_columns = {
    .name = "khatri_rao",
    .needs = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = columns_shape,
    .forward = columns_forward,
    .backward = columns_backward,
};

pb_node *pb_op_khatri_rao(pb_graph *g, pb_node *a, pb_node *b, bool columns)
{
    return pb_graph_apply(g, columns ? &of_columns : &of_rows, NULL, a, b, NULL, NULL);
}
