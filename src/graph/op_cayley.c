/* op_cayley: rotations by the Cayley transform of skew-symmetric matrices, exactly or by the Neumann series. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"
#include "numeric/blas.h"

typedef struct cayley_conf {
    int size, terms; /* n, of a block; 0: exact */
} cayley_conf;

static int cayley_shape(pb_node *n)
{
    const cayley_conf *c = n->conf;
    const pb_node *q = n->in[0];
    if (q->set || c->size < 1 || q->cols != c->size * (c->size - 1) / 2 || (c->terms && c->terms < 4))
        return pb_error("cayley: q [%d,%d] of blocks [%d,%d], %d terms; want parameters [k,size*(size-1)/2], 0 terms "
                        "or 4 and more",
                        q->rows, q->cols, c->size, c->size, c->terms);
    n->rows = q->rows * c->size;
    n->cols = c->size;
    return 0;
}

static int cayley_units(const pb_node *n, bool backward)
{
    (void)backward;
    return n->in[0]->rows;
}

static size_t block_elements(const pb_node *n)
{
    return (size_t)n->cols * (size_t)n->cols;
}

/* The value of block k, or its gradient. */
static pb_real *block(const pb_node *n, pb_real *of, int k)
{
    return of + (size_t)k * block_elements(n);
}

/* The highest power in the Neumann series of (I - Q)^-1. */
static int powers(const pb_node *n)
{
    const cayley_conf *c = n->conf;
    return c->terms - 2;
}

/* out = d I + s Q_k */
static void skew(const pb_node *n, int k, pb_real d, pb_real s, pb_real *out)
{
    int size = n->cols;
    const pb_real *q = n->in[0]->x + (size_t)k * (size_t)n->in[0]->cols;
    for (int i = 0; i < size; i++) {
        out[i * size + i] = d;
        for (int j = i + 1; j < size; j++, q++) {
            out[i * size + j] = s * *q;
            out[j * size + i] = -s * *q;
        }
    }
}

static void add_diagonal(int size, pb_real *x)
{
    for (int i = 0; i < size; i++)
        x[i * size + i] += 1;
}

/* c = op(a) op(b), or c + op(a) op(b), of blocks. */
static void multiply(const pb_node *n, pb_operand a, pb_operand b, bool add, pb_real *c)
{
    pb_gemm(n->cols, n->cols, n->cols, 1, a, b, add, c, n->cols);
}

static pb_operand plain(const pb_node *n, const pb_real *x)
{
    return pb_as_stored(x, n->cols);
}

static pb_operand turned(const pb_node *n, const pb_real *x)
{
    return pb_transposed(x, n->cols);
}

/* ---- exact: R = (I - Q)(I + Q)^-1 = 2 (I + Q)^-1 - I ------------------------------------------------------ */

/* The inverse of I + Q in place by Gauss and Jordan.  x^T (I + Q) x = |x|^2 holds for what is left after each step too,
 * at the least, so no pivot is below 1 and none has to be searched. */
static void invert(int n, pb_real *a)
{
    for (int k = 0; k < n; k++) {
        pb_real pivot = 1 / a[k * n + k];
        a[k * n + k] = 1;
        for (int j = 0; j < n; j++)
            a[k * n + j] *= pivot;
        for (int i = 0; i < n; i++) {
            pb_real factor = a[i * n + k];
            if (i == k)
                continue;
            a[i * n + k] = 0;
            for (int j = 0; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
        }
    }
    pb_flops_add(2 * (uint64_t)n * (uint64_t)n * (uint64_t)n);
}

static void make_exact(const pb_node *n, int k)
{
    int size = n->cols;
    pb_real *r = block(n, n->x, k);
    skew(n, k, 1, 1, r);
    invert(size, r);
    for (size_t i = 0; i < block_elements(n); i++)
        r[i] *= 2;
    for (int i = 0; i < size; i++)
        r[i * size + i] -= 1;
}

static size_t exact_scratch(const pb_node *n)
{
    return 3 * block_elements(n);
}

/* With A = (I + Q)^-1 = (R + I) / 2:  dQ = -2 A^T dR A^T.  Returns it, in the scratch of three matrices. */
static const pb_real *exact_gradient(const pb_node *n, int k, pb_real *scratch)
{
    size_t one = block_elements(n);
    pb_real *twice = scratch, *half = scratch + one, *dq = half + one;
    memcpy(twice, block(n, n->x, k), one * sizeof *twice);
    add_diagonal(n->cols, twice);
    multiply(n, turned(n, twice), plain(n, block(n, n->g, k)), false, half);
    pb_gemm(n->cols, n->cols, n->cols, (pb_real)-0.5, plain(n, half), turned(n, twice), false, dq, n->cols);
    return dq;
}

/* ---- the series: R = (I + Q) S_m,  S_j = I + Q S_(j-1) = I + Q + .. + Q^j -------------------------------- */

/* Q, the sums, and backward two gradients more. */
static size_t series_scratch(const pb_node *n)
{
    return block_elements(n) * (size_t)(powers(n) + 3);
}

/* Q, and S_1 .. S_m behind it. */
static void partial_sums(const pb_node *n, int k, pb_real *q)
{
    size_t one = block_elements(n);
    skew(n, k, 0, 1, q);
    skew(n, k, 1, 1, q + one);
    for (int j = 2; j <= powers(n); j++) {
        pb_real *s = q + (size_t)j * one;
        multiply(n, plain(n, q), plain(n, s - one), false, s);
        add_diagonal(n->cols, s);
    }
}

static void make_series(const pb_node *n, int k, pb_real *scratch)
{
    pb_real *r = block(n, n->x, k), *sum = scratch + (size_t)powers(n) * block_elements(n);
    partial_sums(n, k, scratch);
    memcpy(r, sum, block_elements(n) * sizeof *r);
    multiply(n, plain(n, scratch), plain(n, sum), true, r);
}

/* dQ = dR S_m^T + sum over j of dS_j S_(j-1)^T with S_0 = I, dS_m = dR + Q^T dR and dS_(j-1) = Q^T dS_j.  Returns dQ,
 * in the scratch. */
static const pb_real *series_gradient(const pb_node *n, int k, pb_real *scratch)
{
    size_t one = block_elements(n);
    int m = powers(n);
    const pb_real *dr = block(n, n->g, k);
    pb_real *q = scratch, *dq = scratch + (size_t)(m + 1) * one, *ds = dq + one;
    partial_sums(n, k, q);
    multiply(n, plain(n, dr), turned(n, q + (size_t)m * one), false, dq);
    memcpy(ds, dr, one * sizeof *ds);
    multiply(n, turned(n, q), plain(n, dr), true, ds);
    for (int j = m; j > 1; j--) {
        pb_real *s = q + (size_t)j * one; /* S_j has been read */
        multiply(n, plain(n, ds), turned(n, s - one), true, dq);
        multiply(n, turned(n, q), plain(n, ds), false, s);
        ds = s;
    }
    for (size_t i = 0; i < one; i++)
        dq[i] += ds[i];
    return dq;
}

/* ---- the ops --------------------------------------------------------------------------------------------- */

/* The gradient of an element of q is dQ above the diagonal minus dQ below it. */
static void collect(const pb_node *n, int k, const pb_real *dq)
{
    int size = n->cols;
    pb_real *g = n->in[0]->g + (size_t)k * (size_t)n->in[0]->cols;
    for (int i = 0; i < size; i++)
        for (int j = i + 1; j < size; j++, g++)
            *g = (n->add & 1 ? *g : 0) + dq[i * size + j] - dq[j * size + i];
}

/* The FLOPs of so many products of two blocks, for all blocks. */
static uint64_t products(const pb_node *n, int count)
{
    return 2 * (uint64_t)count * (uint64_t)n->in[0]->rows * (uint64_t)n->cols * block_elements(n);
}

static void exact_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int k = from; k < to; k++)
        make_exact(n, k);
}

static void exact_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want;
    for (int k = from; k < to; k++)
        collect(n, k, exact_gradient(n, k, scratch));
}

static uint64_t exact_flops(const pb_node *n, unsigned want)
{
    return products(n, want ? 2 : 1);
}

static const pb_op exact = {
    .name = "cayley",
    .shape = cayley_shape,
    .reads = {PB_OUT},
    .scratch = exact_scratch,
    .units = cayley_units,
    .forward = exact_forward,
    .backward = exact_backward,
    .flops = exact_flops,
};

static void series_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    for (int k = from; k < to; k++)
        make_series(n, k, scratch);
}

static void series_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want;
    for (int k = from; k < to; k++)
        collect(n, k, series_gradient(n, k, scratch));
}

static uint64_t series_flops(const pb_node *n, unsigned want)
{
    return products(n, want ? 3 * powers(n) - 1 : powers(n));
}

static const pb_op series = {
    .name = "cayley",
    .shape = cayley_shape,
    .reads = {PB_IN0},
    .scratch = series_scratch,
    .units = cayley_units,
    .forward = series_forward,
    .backward = series_backward,
    .flops = series_flops,
};

pb_node *pb_op_cayley(pb_graph *g, pb_node *q, int size, int terms)
{
    cayley_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (cayley_conf){size, terms};
    return pb_graph_apply(g, terms ? &series : &exact, c, q, NULL, NULL, NULL);
}

/* ---- skew: the elements above the diagonal of (A - A^T) / 2 --------------------------------------------- */

static int skew_shape(pb_node *n)
{
    const pb_node *a = n->in[0];
    if (a->set || a->rows % a->cols)
        return pb_error("skew: a [%d,%d]: want square matrices of parameters, one below the other", a->rows, a->cols);
    n->rows = a->rows / a->cols;
    n->cols = a->cols * (a->cols - 1) / 2;
    return 0;
}

static void skew_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    int size = n->in[0]->cols;
    for (int k = from; k < to; k++) {
        const pb_real *a = n->in[0]->x + (size_t)k * (size_t)size * (size_t)size;
        pb_real *q = n->x + pb_row_start(n, k);
        for (int i = 0; i < size; i++)
            for (int j = i + 1; j < size; j++)
                *q++ = (a[i * size + j] - a[j * size + i]) / 2;
    }
}

static int skew_units(const pb_node *n, bool backward)
{
    (void)backward;
    return n->rows;
}

static void skew_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    int size = n->in[0]->cols;
    size_t one = (size_t)size * (size_t)size;
    for (int k = from; k < to; k++) {
        pb_real *da = n->in[0]->g + (size_t)k * one;
        const pb_real *dq = n->g + pb_row_start(n, k);
        if (!(n->add & 1))
            memset(da, 0, one * sizeof *da);
        for (int i = 0; i < size; i++)
            for (int j = i + 1; j < size; j++, dq++) {
                da[i * size + j] += *dq / 2;
                da[j * size + i] -= *dq / 2;
            }
    }
}

static const pb_op skew_op = {
    .name = "skew",
    .shape = skew_shape,
    .units = skew_units,
    .forward = skew_forward,
    .backward = skew_backward,
};

pb_node *pb_op_skew(pb_graph *g, pb_node *a)
{
    return pb_graph_apply(g, &skew_op, NULL, a, NULL, NULL, NULL);
}
