/* op_scale: factors and summands that a parameter, a gate or a constant gives: scale, times, shift. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

static void clear_unless(bool adds, pb_real *x, int from, int to)
{
    if (!adds)
        memset(x + from, 0, (size_t)(to - from) * sizeof *x);
}

/* ---- scale of columns: y[t,j] = b[j] + (x[t,j] - b[j]) * l[j], without b: x[t,j] * l[j] ---------- */

static int misfit(const pb_node *n)
{
    const pb_node *x = n->in[0], *l = n->in[1], *b = n->in[2];
    return pb_error("scale: x [%d,%d] * l [%d,%d] about b [%d] do not fit", x->rows, x->cols, l->rows, l->cols,
                    b ? b->cols : 0);
}

static int columns_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *l = n->in[1], *b = n->in[2];
    if (l->rows != 1 || l->cols != x->cols || (b && (b->rows != 1 || b->cols != x->cols)))
        return misfit(n);
    return pb_shape_of_first(n);
}

static void columns_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *l = n->in[1]->x, *b = n->in[2] ? n->in[2]->x : NULL;
    for (int t = from; t < to; t++) {
        const pb_real *x = n->in[0]->x + pb_row_start(n, t);
        pb_real *y = n->x + pb_row_start(n, t);
        for (int j = 0; j < n->cols && !b; j++)
            y[j] = x[j] * l[j];
        for (int j = 0; j < n->cols && b; j++)
            y[j] = b[j] + (x[j] - b[j]) * l[j];
    }
}

static void columns_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_real *l = n->in[1]->x;
    bool adds = n->add & 1;
    for (int t = from; t < to; t++) {
        const pb_real *dy = n->g + pb_row_start(n, t);
        pb_real *dx = n->in[0]->g + pb_row_start(n, t);
        for (int j = 0; j < n->cols; j++)
            dx[j] = (adds ? dx[j] : 0) + dy[j] * l[j];
    }
}

/* dl[j] = sum_t dy[t,j] (x[t,j] - b[j]),  db[j] = sum_t dy[t,j] (1 - l[j]) */
static void columns_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *l = n->in[1]->x, *b = n->in[2] ? n->in[2]->x : NULL;
    pb_real *dl = n->in[1]->g, *db = b ? n->in[2]->g : NULL;
    if (want & 2)
        clear_unless(n->add & 2, dl, from, to);
    if (db && want & 4)
        clear_unless(n->add & 4, db, from, to);
    for (int t = 0; t < n->rows; t++) {
        const pb_real *x = n->in[0]->x + pb_row_start(n, t), *dy = n->g + pb_row_start(n, t);
        for (int j = from; j < to && (want & 2); j++)
            dl[j] += dy[j] * (b ? x[j] - b[j] : x[j]);
        for (int j = from; db && j < to && (want & 4); j++)
            db[j] += dy[j] * (1 - l[j]);
    }
}

static const pb_op scale_columns = {
    .name = "scale",
    .needs = 2,
    .aligned = 1,
    .inplace = 1,
    .collects = 2 | 4,
    .reads = {PB_IN1, PB_IN0 | PB_IN2, PB_IN1},
    .shape = columns_shape,
    .forward = columns_forward,
    .backward = columns_backward,
    .backward_params = columns_params,
};

pb_node *pb_op_scale_about(pb_graph *g, pb_node *x, pb_node *l, pb_node *b)
{
    return pb_graph_apply(g, &scale_columns, NULL, x, l, b, NULL);
}

/* ---- scale of rows: y[t,j] = x[t,j] * l[t];  of all: y[t,j] = x[t,j] * l[0] ----------------------- */

static pb_real factor_of(const pb_node *n, int t)
{
    const pb_node *l = n->in[1];
    return l->x[l->rows > 1 ? t : 0];
}

static void rows_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int t = from; t < to; t++)
        pb_axpy((size_t)n->cols, factor_of(n, t), n->in[0]->x + pb_row_start(n, t), n->x + pb_row_start(n, t), false);
}

static void rows_input(const pb_node *n, int from, int to)
{
    for (int t = from; t < to; t++)
        pb_axpy((size_t)n->cols, factor_of(n, t), n->g + pb_row_start(n, t), n->in[0]->g + pb_row_start(n, t),
                n->add & 1);
}

static pb_real slope_of(const pb_node *n, int t)
{
    return pb_dot((size_t)n->cols, n->g + pb_row_start(n, t), n->in[0]->x + pb_row_start(n, t));
}

/* dl[t] = sum_j dy[t,j] x[t,j].  The gradient of x comes last: it may share the memory of the output's. */
static void rows_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    pb_real *dl = n->in[1]->g;
    for (int t = from; t < to && (want & 2); t++)
        dl[t] = (n->add & 2 ? dl[t] : 0) + slope_of(n, t);
    if (want & 1)
        rows_input(n, from, to);
}

static int rows_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *l = n->in[1];
    return l->cols == 1 && l->rows == x->rows ? pb_shape_of_first(n) : misfit(n);
}

static const pb_op scale_rows = {
    .name = "scale",
    .needs = 2,
    .aligned = 1 | 2,
    .inplace = 1,
    .inplace_grad = 1,
    .reads = {PB_IN1, PB_IN0},
    .shape = rows_shape,
    .forward = rows_forward,
    .backward = rows_backward,
};

static void all_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    rows_input(n, from, to);
}

static int one_unit(const pb_node *n)
{
    (void)n;
    return 1;
}

/* dl = sum_t,j dy[t,j] x[t,j] */
static void all_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)from, (void)to, (void)scratch;
    double sum = n->add & 2 ? (double)n->in[1]->g[0] : 0;
    for (int t = 0; t < n->rows; t++)
        sum += (double)slope_of(n, t);
    n->in[1]->g[0] = (pb_real)sum;
}

static const pb_op scale_all = {
    .name = "scale",
    .needs = 2,
    .aligned = 1,
    .inplace = 1,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = pb_shape_of_first,
    .param_units = one_unit,
    .forward = rows_forward,
    .backward = all_backward,
    .backward_params = all_params,
};

/* In a batch of one row a factor for each row is [1,1] too, and is known by the set that it belongs to. */
pb_node *pb_op_scale(pb_graph *g, pb_node *x, pb_node *l)
{
    bool of_rows = l && (l->rows > 1 || l->set), single = l && l->cols == 1;
    const pb_op *op = of_rows ? &scale_rows : single ? &scale_all : &scale_columns;
    return pb_graph_apply(g, op, NULL, x, l, NULL, NULL);
}

/* ---- times: y = s x, s a constant ----------------------------------------------------------------- */

typedef struct times_conf {
    pb_real s;
} times_conf;

static void multiply_rows(const pb_node *n, int from, int to, const pb_real *in, pb_real *out, bool adds)
{
    const times_conf *c = n->conf;
    size_t at = pb_row_start(n, from);
    pb_axpy(pb_row_start(n, to) - at, c->s, in + at, out + at, adds);
}

static void times_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    multiply_rows(n, from, to, n->in[0]->x, n->x, false);
}

static void times_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    multiply_rows(n, from, to, n->g, n->in[0]->g, n->add & 1);
}

static int times_shape(pb_node *n)
{
    return n->in[0] ? pb_shape_of_first(n) : -1;
}

static const pb_op times = {
    .name = "times",
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .shape = times_shape,
    .forward = times_forward,
    .backward = times_backward,
};

pb_node *pb_op_times(pb_graph *g, pb_node *x, double s)
{
    if (s == 1)
        return x;
    times_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->s = (pb_real)s;
    return pb_graph_apply(g, &times, c, x, NULL, NULL, NULL);
}

/* ---- shift: y[t,j] = x[t,j] + b[j] ---------------------------------------------------------------- */

static int shift_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *b = n->in[1];
    if (b->rows != 1 || b->cols != x->cols)
        return pb_error("shift: x [%d,%d] + b [%d,%d] do not fit", x->rows, x->cols, b->rows, b->cols);
    return pb_shape_of_first(n);
}

static void shift_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *b = n->in[1]->x;
    for (int t = from; t < to; t++) {
        const pb_real *x = n->in[0]->x + pb_row_start(n, t);
        pb_real *y = n->x + pb_row_start(n, t);
        for (int j = 0; j < n->cols; j++)
            y[j] = x[j] + b[j];
    }
}

static void shift_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    size_t at = pb_row_start(n, from);
    if (n->in[0]->g != n->g)
        pb_axpy(pb_row_start(n, to) - at, 1, n->g + at, n->in[0]->g + at, n->add & 1);
}

/* db[j] = sum_t dy[t,j] */
static void shift_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    clear_unless(n->add & 2, n->in[1]->g, from, to);
    pb_column_sums(n->rows, n->cols, from, to, n->g, n->in[1]->g);
}

static const pb_op shift = {
    .name = "shift",
    .needs = 2,
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .collects = 2,
    .shape = shift_shape,
    .forward = shift_forward,
    .backward = shift_backward,
    .backward_params = shift_params,
};

pb_node *pb_op_shift(pb_graph *g, pb_node *x, pb_node *b)
{
    return pb_graph_apply(g, &shift, NULL, x, b, NULL, NULL);
}
