/* op_sparse: the product with a sparse matrix, whose values train (sparse_add). */
#include <limits.h>
#include <string.h>

#include "graph/op.h"
#include "numeric/blas.h"

/* A unit of work is this many rows of the batch, which stand in the lanes of a vector: the loop over the places of S
 * then multiplies vectors, although the places are scattered. */
enum { LANES = 16 };
enum { TOGETHER = 8 }; /* units whose contributions to a value are added before the lanes are */
typedef pb_real lanes __attribute__((vector_size(LANES * sizeof(pb_real)), aligned(sizeof(pb_real))));

typedef struct sparse_conf {
    const int *index; /* as given to pb_op_sparse_add */
    int count, first;
    int *start; /* [out+1] row r of S has the values start[r] .. start[r+1]-1 of v */
} sparse_conf;

/* ---- the rows of S ------------------------------------------------------------------------------ */

/* The first of the ascending numbers index [count] that is at least `least`, or count. */
static int lower_bound(const int *index, int count, int least)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (index[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int disordered(int index)
{
    return pb_error("sparse_add: index %d is in the wrong order, want ascending ones", index);
}

/* Fills c->start.  All that lies between two bounds is checked; the ranges of all matrices together are all of index,
 * so that no place can get lost in an index that is not sorted. */
static int find_rows(const sparse_conf *c, int out, int in)
{
    int k = lower_bound(c->index, c->count, c->first), end = lower_bound(c->index, c->count, c->first + out * in);
    for (int r = 0; r < out; r++) {
        int past = c->first + (r + 1) * in;
        for (c->start[r] = k; k < end && c->index[k] < past; k++)
            if (c->index[k] < past - in || (k > c->start[r] && c->index[k] <= c->index[k - 1]))
                return disordered(c->index[k]);
    }
    c->start[out] = k;
    return k == end ? 0 : disordered(c->index[k]);
}

static int sparse_shape(pb_node *n)
{
    const sparse_conf *c = n->conf;
    const pb_node *y = n->in[0], *x = n->in[1], *v = n->in[2];
    if (y->rows != x->rows || v->rows != 1 || v->cols != c->count)
        return pb_error("sparse_add: y [%d,%d], x [%d,%d], v [%d,%d] and %d indices do not fit", y->rows, y->cols,
                        x->rows, x->cols, v->rows, v->cols, c->count);
    if ((long long)y->cols * x->cols > INT_MAX - c->first)
        return pb_error("sparse_add: the places of [%d,%d] from %d on do not fit into 32 bits", y->cols, x->cols,
                        c->first);
    n->rows = y->rows;
    n->cols = y->cols;
    n->set = y->set;
    return find_rows(c, y->cols, x->cols);
}

/* ---- the work ------------------------------------------------------------------------------------- */

static int sparse_units(const pb_node *n, bool backward)
{
    (void)backward;
    return (n->rows + LANES - 1) / LANES;
}

static size_t sparse_scratch(const pb_node *n)
{
    return LANES * (size_t)(n->want & 4 ? TOGETHER : 1) * (size_t)n->in[1]->cols;
}

/* The rows of the batch in unit u. */
static int rows_in(const pb_node *n, int u)
{
    int left = n->rows - u * LANES;
    return left < LANES ? left : LANES;
}

/* Writes element j of each of the rows of unit u of m [T,cols]; lanes without a row are 0. */
static void load_column(const pb_real *m, int cols, int rows, int u, int j, lanes *to)
{
    const pb_real *from = m + (size_t)u * LANES * (size_t)cols + (size_t)j;
    pb_real *x = (pb_real *)to;
    if (rows == LANES) { /* a loop of constant length is unrolled */
        for (int t = 0; t < LANES; t++)
            x[t] = from[(size_t)t * (size_t)cols];
        return;
    }
    memset(to, 0, sizeof *to);
    for (int t = 0; t < rows; t++)
        x[t] = from[(size_t)t * (size_t)cols];
}

static void store_column(pb_real *m, int cols, int rows, int u, int j, const lanes *from, bool add)
{
    pb_real *to = m + (size_t)u * LANES * (size_t)cols + (size_t)j;
    const pb_real *x = (const pb_real *)from;
    for (int t = 0; t < rows; t++)
        to[(size_t)t * (size_t)cols] = (add ? to[(size_t)t * (size_t)cols] : 0) + x[t];
}

/* The transpose of unit u of x: [in] columns. */
static void load_inputs(const pb_node *n, int u, lanes *column)
{
    const pb_node *x = n->in[1];
    for (int j = 0; j < x->cols; j++)
        load_column(x->x, x->cols, rows_in(n, u), u, j, column + j);
}

static int values_of(const pb_node *n)
{
    const sparse_conf *c = n->conf;
    return c->start[n->cols] - c->start[0];
}

static uint64_t product(const pb_node *n, int rows)
{
    return 2u * (uint64_t)values_of(n) * (uint64_t)rows;
}

/* The place of column 0 in row r of S. */
static int row_place(const pb_node *n, int r)
{
    const sparse_conf *c = n->conf;
    return c->first + r * n->in[1]->cols;
}

static void forward_unit(const pb_node *n, int u, lanes *x)
{
    const sparse_conf *c = n->conf;
    const pb_real *v = n->in[2]->x;
    load_inputs(n, u, x);
    for (int r = 0; r < n->cols; r++) {
        lanes sum = {0};
        for (int k = c->start[r], first = row_place(n, r); k < c->start[r + 1]; k++)
            sum += v[k] * x[c->index[k] - first];
        if (c->start[r] < c->start[r + 1])
            store_column(n->x, n->cols, rows_in(n, u), u, r, &sum, true);
    }
    pb_flops_add(product(n, rows_in(n, u)));
}

static void copy_rows(const pb_node *n, int from, int to, const pb_real *x, pb_real *y, bool add)
{
    size_t cols = (size_t)n->cols, at = (size_t)from * LANES * cols, end = (size_t)to * LANES * cols;
    size_t all = (size_t)n->rows * cols;
    if (x != y)
        pb_axpy((end < all ? end : all) - at, 1, x + at, y + at, add);
}

static void sparse_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    copy_rows(n, from, to, n->in[0]->x, n->x, false);
    for (int u = from; u < to; u++)
        forward_unit(n, u, (lanes *)(void *)scratch);
}

/* dx[t,column] = sum over the places (row, column) of v dz[t,row] */
static void backward_unit(const pb_node *n, int u, lanes *dx)
{
    const sparse_conf *c = n->conf;
    const pb_node *x = n->in[1];
    const pb_real *v = n->in[2]->x;
    memset(dx, 0, (size_t)x->cols * sizeof *dx);
    for (int r = 0; r < n->cols; r++) {
        if (c->start[r] == c->start[r + 1])
            continue;
        lanes dz;
        load_column(n->g, n->cols, rows_in(n, u), u, r, &dz);
        for (int k = c->start[r], first = row_place(n, r); k < c->start[r + 1]; k++)
            dx[c->index[k] - first] += v[k] * dz;
    }
    for (int j = 0; j < x->cols; j++)
        store_column(x->g, x->cols, rows_in(n, u), u, j, &dx[j], n->add >> 1 & 1);
    pb_flops_add(product(n, rows_in(n, u)));
}

static void sparse_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    for (int u = from; u < to && (want & 2); u++)
        backward_unit(n, u, (lanes *)(void *)scratch);
    if (want & 1)
        copy_rows(n, from, to, n->g, n->in[0]->g, n->add & 1);
}

/* ---- the values: dv[k] = sum over t of dz[t,row] x[t,column] ---------------------------------------- */

/* A unit is one value of this matrix.  The first one also clears the values of other matrices. */
static int value_units(const pb_node *n)
{
    return values_of(n) ? values_of(n) : 1;
}

static void clear_others(const pb_node *n)
{
    const sparse_conf *c = n->conf;
    int before = c->start[0], after = c->start[n->cols];
    memset(n->in[2]->g, 0, (size_t)before * sizeof(pb_real));
    memset(n->in[2]->g + after, 0, (size_t)(c->count - after) * sizeof(pb_real));
}

/* The sum of the lanes. */
static pb_real sum_of(const lanes *x)
{
    const pb_real *a = (const pb_real *)x;
    pb_real four[4] = {0};
    for (int t = 0; t < LANES; t += 4)
        for (int i = 0; i < 4; i++)
            four[i] += a[t + i];
    return four[0] + four[2] + (four[1] + four[3]);
}

/* Adds what the units u .. u+units-1 of the batch contribute to the values from .. to-1 of v; the first of them is in
 * row r.  x [units,in] are the inputs. */
static void add_values(const pb_node *n, int u, int units, int from, int to, int r, const lanes *x)
{
    const sparse_conf *c = n->conf;
    pb_real *dv = n->in[2]->g;
    lanes dz[TOGETHER];
    for (int k = from; k < to; r++) {
        int end = c->start[r + 1] < to ? c->start[r + 1] : to, first = row_place(n, r);
        for (int i = 0; i < units && k < end; i++)
            load_column(n->g, n->cols, rows_in(n, u + i), u + i, r, &dz[i]);
        for (; k < end; k++) {
            lanes sum = {0};
            for (int i = 0; i < units; i++)
                sum += dz[i] * x[(size_t)(c->index[k] - first) + (size_t)i * (size_t)n->in[1]->cols];
            dv[k] += sum_of(&sum);
        }
    }
}

static void sparse_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want;
    const sparse_conf *c = n->conf;
    lanes *x = (lanes *)(void *)scratch;
    int a = c->start[0] + from, b = a + (values_of(n) ? to - from : 0), r = 0;
    if (!(n->add & 4)) {
        memset(n->in[2]->g + a, 0, (size_t)(b - a) * sizeof(pb_real));
        if (from == 0)
            clear_others(n);
    }
    while (a < b && c->start[r + 1] <= a)
        r++;
    int all = a < b ? sparse_units(n, true) : 0;
    for (int u = 0; u < all; u += TOGETHER) {
        int units = all - u < TOGETHER ? all - u : TOGETHER;
        for (int i = 0; i < units; i++)
            load_inputs(n, u + i, x + (size_t)i * (size_t)n->in[1]->cols);
        add_values(n, u, units, a, b, r, x);
    }
    pb_flops_add(2u * (uint64_t)(b - a) * (uint64_t)n->rows);
}

static uint64_t sparse_flops(const pb_node *n, unsigned want)
{
    uint64_t one = product(n, n->rows);
    return want ? one * ((want >> 1 & 1) + (want >> 2 & 1)) : one;
}

static const pb_op sparse_add = {
    .name = "sparse_add",
    .needs = 3,
    .aligned = 1 | 2,
    .inplace = 1,
    .inplace_grad = 1,
    .collects = 4,
    .reads = {0, PB_IN2, PB_IN1},
    .shape = sparse_shape,
    .scratch = sparse_scratch,
    .units = sparse_units,
    .param_units = value_units,
    .forward = sparse_forward,
    .backward = sparse_backward,
    .backward_params = sparse_params,
    .flops = sparse_flops,
};

pb_node *pb_op_sparse_add(pb_graph *g, pb_node *y, pb_node *x, pb_node *v, const int *index, int first)
{
    sparse_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (sparse_conf){.index = index, .count = v ? v->cols : 0, .first = first};
    c->start = pb_arena_alloc(pb_graph_arena(g), PB_META, (size_t)(y ? y->cols + 1 : 1) * sizeof *c->start);
    return pb_graph_apply(g, &sparse_add, c, y, x, v, NULL);
}
