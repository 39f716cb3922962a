/* op_view: the same numbers as another tensor: reshape and rows of parameters, stop. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

/* ---- reshape and stop: a copy, over its input where that is free ---------------------------------- */

typedef struct reshape_conf {
    int rows, cols;
} reshape_conf;

static int reshape_shape(pb_node *n)
{
    const reshape_conf *c = n->conf;
    const pb_node *a = n->in[0];
    long long elements = (long long)c->rows * c->cols;
    if (a->set || c->rows < 1 || c->cols < 1 || elements != (long long)a->rows * a->cols)
        return pb_error("reshape: %s[%d,%d] to [%d,%d], want a matrix of parameters and as many elements",
                        a->set ? "a batch " : "", a->rows, a->cols, c->rows, c->cols);
    n->rows = c->rows;
    n->cols = c->cols;
    return 0;
}

static void copy_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    size_t at = pb_row_start(n, from);
    if (n->x != n->in[0]->x)
        memcpy(n->x + at, n->in[0]->x + at, (pb_row_start(n, to) - at) * sizeof *n->x);
}

static void copy_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    size_t at = pb_row_start(n, from);
    if (n->in[0]->g != n->g)
        pb_axpy(pb_row_start(n, to) - at, 1, n->g + at, n->in[0]->g + at, n->add & 1);
}

static const pb_op reshape = {
    .name = "reshape",
    .inplace = 1,
    .inplace_grad = 1,
    .shape = reshape_shape,
    .forward = copy_forward,
    .backward = copy_backward,
};

pb_node *pb_op_reshape(pb_graph *g, pb_node *a, int rows, int cols)
{
    reshape_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (reshape_conf){rows, cols};
    return pb_graph_apply(g, &reshape, c, a, NULL, NULL, NULL);
}

static const pb_op stop = {
    .name = "stop",
    .aligned = 1,
    .inplace = 1,
    .constant = true,
    .shape = pb_shape_of_first,
    .forward = copy_forward,
};

pb_node *pb_op_stop(pb_graph *g, pb_node *x)
{
    return pb_graph_apply(g, &stop, NULL, x, NULL, NULL, NULL);
}

/* ---- rows ------------------------------------------------------------------------------------------ */

typedef struct rows_conf {
    int from, count;
} rows_conf;

static int rows_shape(pb_node *n)
{
    const rows_conf *c = n->conf;
    const pb_node *a = n->in[0];
    if (a->set || c->from < 0 || c->count < 1 || c->count > a->rows - c->from)
        return pb_error("rows: %d from %d of %s[%d,%d], want rows of a matrix of parameters", c->count, c->from,
                        a->set ? "a batch " : "", a->rows, a->cols);
    n->rows = c->count;
    n->cols = a->cols;
    return 0;
}

static void rows_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const rows_conf *c = n->conf;
    memcpy(n->x + pb_row_start(n, from), n->in[0]->x + pb_row_start(n, c->from + from),
           (pb_row_start(n, to) - pb_row_start(n, from)) * sizeof *n->x);
}

static int rows_units(const pb_node *n, bool backward)
{
    return backward ? n->in[0]->rows : n->rows;
}

/* The first op to write the gradient of a also clears the rows that it does not read. */
static void rows_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const rows_conf *c = n->conf;
    pb_real *da = n->in[0]->g;
    if (!(n->add & 1))
        memset(da + pb_row_start(n, from), 0, (pb_row_start(n, to) - pb_row_start(n, from)) * sizeof *da);
    int first = from > c->from ? from : c->from, end = to < c->from + c->count ? to : c->from + c->count;
    for (int r = first; r < end; r++)
        pb_axpy((size_t)n->cols, 1, n->g + pb_row_start(n, r - c->from), da + pb_row_start(n, r), true);
}

static const pb_op rows = {
    .name = "rows",
    .shape = rows_shape,
    .units = rows_units,
    .forward = rows_forward,
    .backward = rows_backward,
};

pb_node *pb_op_rows(pb_graph *g, pb_node *a, int from, int count)
{
    rows_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (rows_conf){from, count};
    return pb_graph_apply(g, &rows, c, a, NULL, NULL, NULL);
}
