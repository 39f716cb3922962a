/* op_householder: products of Householder reflections.
 *
 * With U [r,C], whose rows are u_i, H_1 H_2 .. H_r = I - U^T S^-1 U, where S [r,r] is upper triangular: above its
 * diagonal it is U U^T, and on it |u_i|^2 / 2.  So a row is multiplied by three products with small matrices, and only
 * -S^-1 is new. */
#include <string.h>

#include "graph/op.h"
#include "numeric/blas.h"

/* ---- reflect: -S^-1 [r,r] of u [r,C] --------------------------------------------------------------------- */

static int reflect_shape(pb_node *n)
{
    if (n->in[0]->set)
        return pb_error("householder: want a matrix of parameters");
    n->rows = n->cols = n->in[0]->rows;
    return 0;
}

static int one_unit(const pb_node *n, bool backward)
{
    (void)n, (void)backward;
    return 1;
}

/* Forward: U U^T.  Backward: two matrices of this size. */
static size_t reflect_scratch(const pb_node *n)
{
    return 2 * (size_t)n->rows * (size_t)n->rows;
}

/* Column j of S^-1 by back substitution, from the diagonal up; gram is U U^T.  A row of zeros in U reflects nothing:
 * its row and column of S^-1 are zero. */
static void invert_column(const pb_node *n, int j, const pb_real *gram)
{
    int r = n->rows;
    for (int i = r - 1; i >= 0; i--) {
        double sum = i == j ? -1 : 0, half = (double)gram[i * r + i] / 2;
        for (int k = i + 1; k <= j; k++)
            sum += (double)gram[i * r + k] * -(double)n->x[k * r + j];
        n->x[i * r + j] = i > j || half == 0 ? 0 : (pb_real)(sum / half);
    }
}

/* Multiply-adds of the back substitutions: (j-i) for each element above the diagonal. */
static uint64_t inversion(const pb_node *n)
{
    uint64_t r = (uint64_t)n->rows;
    return (r * r * r - r) / 3;
}

static void reflect_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)from, (void)to;
    const pb_node *u = n->in[0];
    int r = n->rows;
    pb_gemm(r, r, u->cols, 1, pb_as_stored(u->x, u->cols), pb_transposed(u->x, u->cols), false, scratch, r);
    for (int j = 0; j < r; j++)
        invert_column(n, j, scratch);
    pb_flops_add(inversion(n));
}

/* With M = -S^-1, dS = M^T dM M^T, of which the upper triangle counts.  dU = E U, where E is symmetric and is dS there:
 * an element of S is u_i . u_j, one of its diagonal is half of u_i . u_i. */
static void reflect_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)from, (void)to;
    const pb_node *u = n->in[0];
    int r = n->rows;
    pb_real *half = scratch, *e = scratch + (size_t)r * (size_t)r;
    pb_gemm(r, r, r, 1, pb_transposed(n->x, r), pb_as_stored(n->g, r), false, half, r);
    pb_gemm(r, r, r, 1, pb_as_stored(half, r), pb_transposed(n->x, r), false, e, r);
    for (int i = 0; i < r; i++)
        for (int j = 0; j < i; j++)
            e[i * r + j] = e[j * r + i];
    pb_gemm(r, u->cols, r, 1, pb_as_stored(e, r), pb_as_stored(u->x, u->cols), n->add & 1, u->g, u->cols);
}

static uint64_t reflect_flops(const pb_node *n, unsigned want)
{
    uint64_t r = (uint64_t)n->rows, gram = 2 * r * r * (uint64_t)n->in[0]->cols;
    return want ? gram + 4 * r * r * r : gram + inversion(n);
}

static const pb_op reflect = {
    .name = "householder",
    .reads = {PB_IN0 | PB_OUT},
    .shape = reflect_shape,
    .scratch = reflect_scratch,
    .units = one_unit,
    .forward = reflect_forward,
    .backward = reflect_backward,
    .flops = reflect_flops,
};

/* ---- the rows H_1 .. H_r x = x + x U^T M^T U ------------------------------------------------------------------ */

pb_node *pb_op_householder(pb_graph *g, pb_node *x, pb_node *u)
{
    pb_node *m = pb_graph_apply(g, &reflect, NULL, u, NULL, NULL, NULL);
    pb_node *along = pb_op_linear(g, x, u, NULL); /* x . u_i, [T,r] */
    return pb_op_add(g, pb_op_blocks(g, pb_op_linear(g, along, m, NULL), u, 1), x);
}
