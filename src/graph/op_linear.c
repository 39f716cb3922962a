/* op_linear: the products with weights, where nearly all of the FLOPs are. */
#include <string.h>

#include "base/threads.h"
#include "graph/op.h"
#include "numeric/blas.h"

#define PANEL 48       /* output columns in a unit of work; backward takes two */
#define FEW_ROWS 48    /* up to here threads always share the columns           */
#define SOME_ROWS 1024 /* up to here where that gives threads about equal work  */

static uint64_t product(const pb_node *n, int inner)
{
    return 2u * (uint64_t)n->rows * (uint64_t)n->cols * (uint64_t)inner;
}

/* ---- linear: y = x W^T + b --------------------------------------------------------------------- */

static int linear_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *w = n->in[1], *b = n->in[2];
    if (x->cols != w->cols || (b && b->cols != w->rows))
        return pb_error("linear: x [%d,%d], W [%d,%d], b [%d] do not fit", x->rows, x->cols, w->rows, w->cols,
                        b ? b->cols : 0);
    n->rows = x->rows;
    n->cols = w->rows;
    n->set = x->set;
    return 0;
}

/* Whether the threads share the columns of a product with this many rows instead of its rows.  Each thread then reads,
 * unpacks and arranges only its part of W, but reads all of x; with many rows that does not pay. */
static bool by_columns(int rows, int units)
{
    int threads = pb_threads_count(), most = (units + threads - 1) / threads;
    return rows <= FEW_ROWS || (rows <= SOME_ROWS && 20 * most * threads <= 21 * units); /* shares are about equal */
}

static int panels(int cols, int wide)
{
    return (cols + wide - 1) / wide;
}

static bool forward_by_columns(const pb_node *n)
{
    return by_columns(n->rows, panels(n->cols, PANEL));
}

static bool backward_by_columns(const pb_node *n)
{
    return by_columns(n->rows, panels(n->in[0]->cols, 2 * PANEL));
}

static int linear_units(const pb_node *n, bool backward)
{
    if (backward)
        return backward_by_columns(n) ? panels(n->in[0]->cols, 2 * PANEL) : n->rows;
    return forward_by_columns(n) ? panels(n->cols, PANEL) : n->rows;
}

/* The packed weight, or NULL if it is held in full precision. */
static const pb_packed *packed(const pb_node *w)
{
    return w->param ? w->param->packed : NULL;
}

static void linear_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0], *w = n->in[1];
    const pb_real *b = n->in[2] ? n->in[2]->x : NULL;
    if (forward_by_columns(n)) {
        int last = to * PANEL < n->cols ? to * PANEL : n->cols;
        if (packed(w)) {
            pb_packed_linear(packed(w), n->rows, from * PANEL, last, x->x, x->cols, b, n->x, n->cols);
            return;
        }
        pb_linear_columns(n->rows, x->cols, from * PANEL, last, x->x, x->cols, w->x, b, n->x, n->cols);
        return;
    }
    const pb_real *rows = x->x + (size_t)from * (size_t)x->cols;
    pb_real *y = n->x + (size_t)from * (size_t)n->cols;
    if (packed(w))
        pb_packed_linear(packed(w), to - from, 0, n->cols, rows, x->cols, b, y, n->cols);
    else
        pb_linear(to - from, n->cols, x->cols, rows, x->cols, w->x, b, y, n->cols);
}

/* dx = dy W */
static void linear_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0], *w = n->in[1];
    int row = 0, rows = n->rows, c0 = 0, c1 = x->cols;
    if (backward_by_columns(n)) {
        c0 = from * 2 * PANEL;
        c1 = to * 2 * PANEL < c1 ? to * 2 * PANEL : c1;
    } else {
        row = from;
        rows = to - from;
    }
    const pb_real *dy = n->g + (size_t)row * (size_t)n->cols;
    pb_real *dx = x->g + (size_t)row * (size_t)x->cols;
    if (packed(w))
        pb_packed_backward(packed(w), rows, c0, c1, dy, n->cols, dx, x->cols, n->add & 1);
    else
        pb_gemm(rows, c1 - c0, n->cols, 1, pb_as_stored(dy, n->cols), pb_as_stored(w->x + c0, w->cols), n->add & 1,
                dx + c0, x->cols);
}

/* dW[j] = sum_t dy[t,j] x[t],  db[j] = sum_t dy[t,j]; units are outputs j. */
static void linear_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0], *w = n->in[1], *b = n->in[2];
    if (want & 2)
        pb_gemm(to - from, x->cols, n->rows, 1, pb_transposed(n->g + from, n->cols), pb_as_stored(x->x, x->cols),
                n->add >> 1 & 1, w->g + (size_t)from * (size_t)w->cols, w->cols);
    if (!(want & 4))
        return;
    if (!(n->add & 4))
        memset(b->g + from, 0, (size_t)(to - from) * sizeof *b->g);
    pb_column_sums(n->rows, n->cols, from, to, n->g, b->g);
}

static uint64_t linear_flops(const pb_node *n, unsigned want)
{
    uint64_t one = product(n, n->in[0]->cols);
    return want ? one * ((want & 1) + (want >> 1 & 1)) : one;
}

static const pb_op linear = {
    .name = "linear",
    .needs = 2,
    .aligned = 1,
    .collects = 2 | 4,
    .reads = {PB_IN1, PB_IN0, 0},
    .shape = linear_shape,
    .units = linear_units,
    .forward = linear_forward,
    .backward = linear_backward,
    .backward_params = linear_params,
    .flops = linear_flops,
};

pb_node *pb_op_linear(pb_graph *g, pb_node *x, pb_node *w, pb_node *b)
{
    return pb_graph_apply(g, &linear, NULL, x, w, b, NULL);
}

/* ---- linear_add: z = y + scale * h W^T ---------------------------------------------------------- */

typedef struct add_conf {
    pb_real scale;
} add_conf;

static int add_shape(pb_node *n)
{
    const pb_node *y = n->in[0], *h = n->in[1], *w = n->in[2];
    if (y->rows != h->rows || h->cols != w->cols || y->cols != w->rows)
        return pb_error("linear_add: y [%d,%d], h [%d,%d], W [%d,%d] do not fit", y->rows, y->cols, h->rows, h->cols,
                        w->rows, w->cols);
    n->rows = y->rows;
    n->cols = y->cols;
    n->set = y->set;
    return 0;
}

static void add_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const add_conf *c = n->conf;
    const pb_node *y = n->in[0], *h = n->in[1], *w = n->in[2];
    size_t at = (size_t)from * (size_t)n->cols, count = (size_t)(to - from) * (size_t)n->cols;
    if (n->x != y->x)
        memcpy(n->x + at, y->x + at, count * sizeof *n->x);
    pb_gemm(to - from, n->cols, h->cols, c->scale, pb_as_stored(h->x + (size_t)from * (size_t)h->cols, h->cols),
            pb_transposed(w->x, w->cols), true, n->x + at, n->cols);
}

/* dy = dz,  dh = scale * dz W */
static void add_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const add_conf *c = n->conf;
    const pb_node *y = n->in[0], *h = n->in[1], *w = n->in[2];
    size_t at = (size_t)from * (size_t)n->cols, count = (size_t)(to - from) * (size_t)n->cols;
    if (want & 2)
        pb_gemm(to - from, h->cols, n->cols, c->scale, pb_as_stored(n->g + at, n->cols), pb_as_stored(w->x, w->cols),
                n->add >> 1 & 1, h->g + (size_t)from * (size_t)h->cols, h->cols);
    if ((want & 1) && y->g != n->g)
        pb_axpy(count, 1, n->g + at, y->g + at, n->add & 1);
}

/* dW[j] = scale * sum_t dz[t,j] h[t] */
static void add_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const add_conf *c = n->conf;
    const pb_node *h = n->in[1], *w = n->in[2];
    pb_gemm(to - from, h->cols, n->rows, c->scale, pb_transposed(n->g + from, n->cols), pb_as_stored(h->x, h->cols),
            n->add >> 2 & 1, w->g + (size_t)from * (size_t)w->cols, w->cols);
}

static uint64_t add_flops(const pb_node *n, unsigned want)
{
    uint64_t one = product(n, n->in[1]->cols);
    return want ? one * ((want >> 1 & 1) + (want >> 2 & 1)) : one;
}

static const pb_op linear_add = {
    .name = "linear_add",
    .needs = 3,
    .aligned = 1 | 2,
    .inplace = 1,
    .inplace_grad = 1,
    .collects = 4,
    .reads = {0, PB_IN2, PB_IN1},
    .shape = add_shape,
    .forward = add_forward,
    .backward = add_backward,
    .backward_params = add_params,
    .flops = add_flops,
};

pb_node *pb_op_linear_add(pb_graph *g, pb_node *y, pb_node *h, pb_node *w, double scale)
{
    add_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->scale = (pb_real)scale;
    return pb_graph_apply(g, &linear_add, c, y, h, w, NULL);
}
