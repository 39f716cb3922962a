/* op_orthonormal: orthonormal rows by the Cholesky factor of the Gram matrix. */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"
#include "numeric/blas.h"

static pb_real *row(pb_real *x, const pb_node *n, int i)
{
    return x + pb_row_start(n, i);
}

/* The product of two rows, and y + s x for two rows, which count as FLOPs. */
static pb_real dot(const pb_node *n, const pb_real *x, const pb_real *y)
{
    pb_flops_add(2 * (uint64_t)n->cols);
    return pb_dot((size_t)n->cols, x, y);
}

static void add(const pb_node *n, pb_real s, const pb_real *x, pb_real *y)
{
    pb_flops_add(2 * (uint64_t)n->cols);
    pb_axpy((size_t)n->cols, s, x, y, true);
}

static int orthonormal_shape(pb_node *n)
{
    const pb_node *a = n->in[0];
    if (a->set || a->rows > a->cols)
        return pb_error("orthonormal: [%d,%d], want a matrix of parameters with at most as many rows as columns",
                        a->rows, a->cols);
    return pb_shape_of_first(n);
}

static size_t factor_size(const pb_node *n)
{
    return (size_t)n->rows * (size_t)n->rows;
}

/* L and its use are a few rows: one unit. */
static int one_unit(const pb_node *n, bool backward)
{
    (void)n, (void)backward;
    return 1;
}

/* Row by row, the Cholesky factor L [r,r] of G = a a^T: L_ij = (G_ij - sum_k<j L_ik L_jk) / L_jj. */
static void factorize(const pb_node *n, pb_real *L)
{
    int r = n->rows;
    memset(L, 0, factor_size(n) * sizeof *L);
    for (int i = 0; i < r; i++)
        for (int j = 0; j <= i; j++) {
            double sum = dot(n, row(n->in[0]->x, n, i), row(n->in[0]->x, n, j));
            pb_flops_add(2 * (uint64_t)j);
            for (int k = 0; k < j; k++)
                sum -= (double)L[i * r + k] * (double)L[j * r + k];
            L[i * r + j] = (pb_real)(i == j ? sqrt(sum) : sum / (double)L[j * r + j]);
        }
}

/* q = L^-1 a, from the first row to the last: q_i = (a_i - sum_j<i L_ij q_j) / L_ii. */
static void orthonormal_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)from, (void)to, (void)scratch;
    int r = n->rows;
    pb_real *L = n->aux;
    factorize(n, L);
    for (int i = 0; i < r; i++) {
        pb_real *q = row(n->x, n, i);
        memcpy(q, row(n->in[0]->x, n, i), (size_t)n->cols * sizeof *q);
        for (int j = 0; j < i; j++)
            add(n, -L[i * r + j], row(n->x, n, j), q);
        pb_axpy((size_t)n->cols, 1 / L[i * r + i], q, q, false);
    }
}

/* With K = dq q^T and H its lower triangle with half of the diagonal, da = L^-T (dq - (H + H^T) q): what turns and
 * stretches the rows within their span does not change q.  z [r,C] is the solution. */
static void solve(const pb_node *n, pb_real *z)
{
    int r = n->rows;
    const pb_real *L = n->aux;
    memcpy(z, n->g, (size_t)r * (size_t)n->cols * sizeof *z);
    for (int i = 0; i < r; i++)
        for (int j = 0; j <= i; j++) {
            pb_real k = -dot(n, row(n->g, n, i), row(n->x, n, j)) * (i == j ? (pb_real)0.5 : 1);
            add(n, k, row(n->x, n, j), row(z, n, i));
            add(n, k, row(n->x, n, i), row(z, n, j));
        }
    for (int i = r - 1; i >= 0; i--) {
        for (int j = i + 1; j < r; j++)
            add(n, -L[j * r + i], row(z, n, j), row(z, n, i));
        pb_axpy((size_t)n->cols, 1 / L[i * r + i], row(z, n, i), row(z, n, i), false);
    }
}

static void orthonormal_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)from, (void)to;
    solve(n, scratch);
    pb_axpy((size_t)n->rows * (size_t)n->cols, 1, scratch, n->in[0]->g, n->add & 1);
}

static size_t orthonormal_scratch(const pb_node *n)
{
    return (size_t)n->rows * (size_t)n->cols;
}

/* Forward: r(r+1)/2 products of rows, the sums of L, and r(r-1)/2 sums of rows.  Backward: r(r+1)/2 products of rows,
 * r(r+1) sums of rows, and r(r-1)/2 more. */
static uint64_t orthonormal_flops(const pb_node *n, unsigned want)
{
    uint64_t r = (uint64_t)n->rows, C = (uint64_t)n->cols;
    return want ? (r * (r + 1) + 2 * r * (r + 1) + r * (r - 1)) * C : 2 * r * r * C + (r * r * r - r) / 3;
}

static const pb_op orthonormal = {
    .name = "orthonormal",
    .reads = {PB_OUT | PB_AUX},
    .shape = orthonormal_shape,
    .aux = factor_size,
    .scratch = orthonormal_scratch,
    .units = one_unit,
    .forward = orthonormal_forward,
    .backward = orthonormal_backward,
    .flops = orthonormal_flops,
};

pb_node *pb_op_orthonormal(pb_graph *g, pb_node *a)
{
    return pb_graph_apply(g, &orthonormal, NULL, a, NULL, NULL, NULL);
}
