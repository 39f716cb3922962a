/* op_parts: the columns of a matrix as parts of equal size: their sum, and copies side by side. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

typedef struct parts_conf {
    int size;  /* collapse: the columns of a part */
    int times; /* tile: how many parts */
} parts_conf;

/* long[k] (+)= part[k mod size] */
static void repeat(int cols, int size, const pb_real *part, bool adds, pb_real *all)
{
    for (int at = 0; at < cols; at += size)
        pb_axpy((size_t)(cols - at < size ? cols - at : size), 1, part, all + at, adds);
}

/* part[j] (+)= sum over the parts of all[j + i*size]; the last part may be shorter. */
static void sum_parts(int cols, int size, const pb_real *all, bool adds, pb_real *part)
{
    if (!adds)
        memset(part, 0, (size_t)size * sizeof *part);
    for (int at = 0; at < cols; at += size)
        pb_axpy((size_t)(cols - at < size ? cols - at : size), 1, all + at, part, true);
}

/* ---- collapse ------------------------------------------------------------------------------------------- */

static int collapse_shape(pb_node *n)
{
    const parts_conf *c = n->conf;
    const pb_node *x = n->in[0];
    if (c->size < 1 || c->size > x->cols)
        return pb_error("collapse: x [%d,%d], parts of %d columns, want 1..%d", x->rows, x->cols, c->size, x->cols);
    pb_shape_of_first(n);
    n->cols = c->size;
    return 0;
}

static void collapse_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0];
    for (int t = from; t < to; t++)
        sum_parts(x->cols, n->cols, x->x + pb_row_start(x, t), false, n->x + pb_row_start(n, t));
}

static void collapse_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0];
    for (int t = from; t < to; t++)
        repeat(x->cols, n->cols, n->g + pb_row_start(n, t), n->add & 1, x->g + pb_row_start(x, t));
}

static const pb_op collapse = {
    .name = "collapse",
    .aligned = 1,
    .shape = collapse_shape,
    .forward = collapse_forward,
    .backward = collapse_backward,
};

pb_node *pb_op_collapse(pb_graph *g, pb_node *x, int size)
{
    parts_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (parts_conf){.size = size};
    return pb_graph_apply(g, &collapse, c, x, NULL, NULL, NULL);
}

/* ---- tile ----------------------------------------------------------------------------------------------- */

static int tile_shape(pb_node *n)
{
    const parts_conf *c = n->conf;
    const pb_node *x = n->in[0];
    if (c->times < 1)
        return pb_error("tile: x [%d,%d] %d times, want at least once", x->rows, x->cols, c->times);
    pb_shape_of_first(n);
    n->cols *= c->times;
    return 0;
}

static void tile_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0];
    for (int t = from; t < to; t++)
        repeat(n->cols, x->cols, x->x + pb_row_start(x, t), false, n->x + pb_row_start(n, t));
}

static void tile_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0];
    for (int t = from; t < to; t++)
        sum_parts(n->cols, x->cols, n->g + pb_row_start(n, t), n->add & 1, x->g + pb_row_start(x, t));
}

static const pb_op tile = {
    .name = "tile",
    .aligned = 1,
    .shape = tile_shape,
    .forward = tile_forward,
    .backward = tile_backward,
};

pb_node *pb_op_tile(pb_graph *g, pb_node *x, int times)
{
    parts_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (parts_conf){.times = times};
    return pb_graph_apply(g, &tile, c, x, NULL, NULL, NULL);
}
