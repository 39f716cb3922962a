/* op_penalty: numbers [1,1] that a method adds to the loss: a sum, and the distance of a matrix from orthogonality. */
#include <math.h>

#include "graph/op.h"
#include "numeric/blas.h"

/* ---- sum of all elements ----------------------------------------------------------------------------------- */

static int sum_shape(pb_node *n)
{
    n->rows = n->cols = 1;
    return n->in[0] ? 0 : -1;
}

static size_t sum_aux(const pb_node *n) /* the sum of each row */
{
    return (size_t)n->in[0]->rows;
}

static int rows_of_input(const pb_node *n, bool backward)
{
    (void)backward;
    return n->in[0]->rows;
}

static void sum_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    size_t cols = (size_t)n->in[0]->cols;
    for (int r = from; r < to; r++) {
        double sum = 0;
        for (size_t j = 0; j < cols; j++)
            sum += (double)n->in[0]->x[(size_t)r * cols + j];
        n->aux[r] = (pb_real)sum;
    }
}

static void sum_finish(const pb_node *n)
{
    double sum = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        sum += (double)n->aux[r];
    n->x[0] = (pb_real)sum;
}

static void sum_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    size_t cols = (size_t)n->in[0]->cols;
    pb_real *dx = n->in[0]->g;
    for (size_t i = (size_t)from * cols; i < (size_t)to * cols; i++)
        dx[i] = (n->add & 1 ? dx[i] : 0) + n->g[0];
}

static const pb_op sum_op = {
    .name = "sum",
    .shape = sum_shape,
    .aux = sum_aux,
    .units = rows_of_input,
    .forward = sum_forward,
    .finish = sum_finish,
    .backward = sum_backward,
};

pb_node *pb_op_sum(pb_graph *g, pb_node *x)
{
    return pb_graph_apply(g, &sum_op, NULL, x, NULL, NULL, NULL);
}

/* ---- orthogonality: |G| with G = a a^T - I, or a^T a - I ----------------------------------------------------- */

typedef struct orthogonality_conf {
    bool columns;
} orthogonality_conf;

static bool of_columns(const pb_node *n)
{
    const orthogonality_conf *c = n->conf;
    return c->columns;
}

/* Rows of G: the vectors of a that are to be orthonormal. */
static int vectors(const pb_node *n)
{
    return of_columns(n) ? n->in[0]->cols : n->in[0]->rows;
}

static int orthogonality_shape(pb_node *n)
{
    n->rows = n->cols = 1;
    return n->in[0] ? 0 : -1;
}

static size_t orthogonality_aux(const pb_node *n) /* G */
{
    return (size_t)vectors(n) * (size_t)vectors(n);
}

static int orthogonality_units(const pb_node *n, bool backward)
{
    return backward ? n->in[0]->rows : vectors(n);
}

/* Units are rows of G. */
static void orthogonality_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *a = n->in[0];
    int count = vectors(n);
    pb_real *G = n->aux + (size_t)from * (size_t)count;
    if (of_columns(n))
        pb_gemm(to - from, count, a->rows, 1, pb_transposed(a->x + from, a->cols), pb_as_stored(a->x, a->cols), false,
                G, count);
    else
        pb_gemm(to - from, count, a->cols, 1, pb_as_stored(a->x + (size_t)from * (size_t)a->cols, a->cols),
                pb_transposed(a->x, a->cols), false, G, count);
    for (int r = from; r < to; r++, G += count)
        G[r] -= 1;
}

static void orthogonality_finish(const pb_node *n)
{
    n->x[0] = (pb_real)sqrt(pb_sum_squares(orthogonality_aux(n), n->aux));
}

/* da = 2 / |G| * G a, or of columns 2 / |G| * a G.  At G = 0 there is no slope; the gradient is 0, as in PyTorch. */
static void orthogonality_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *a = n->in[0];
    int count = vectors(n);
    size_t at = (size_t)from * (size_t)a->cols;
    pb_real factor = n->x[0] == 0 ? 0 : 2 * n->g[0] / n->x[0];
    if (of_columns(n))
        pb_gemm(to - from, a->cols, count, factor, pb_as_stored(a->x + at, a->cols), pb_as_stored(n->aux, count),
                n->add & 1, a->g + at, a->cols);
    else
        pb_gemm(to - from, a->cols, count, factor, pb_as_stored(n->aux + (size_t)from * (size_t)count, count),
                pb_as_stored(a->x, a->cols), n->add & 1, a->g + at, a->cols);
}

/* One product in either direction. */
static uint64_t orthogonality_flops(const pb_node *n, unsigned want)
{
    (void)want;
    return 2 * (uint64_t)vectors(n) * (uint64_t)n->in[0]->rows * (uint64_t)n->in[0]->cols;
}

static const pb_op orthogonality = {
    .name = "orthogonality",
    .reads = {PB_IN0 | PB_OUT | PB_AUX},
    .shape = orthogonality_shape,
    .aux = orthogonality_aux,
    .units = orthogonality_units,
    .forward = orthogonality_forward,
    .finish = orthogonality_finish,
    .backward = orthogonality_backward,
    .flops = orthogonality_flops,
};

pb_node *pb_op_orthogonality(pb_graph *g, pb_node *a, bool columns)
{
    orthogonality_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->columns = columns;
    return pb_graph_apply(g, &orthogonality, c, a, NULL, NULL, NULL);
}
