/* op_row_norms: how long the rows of a changed matrix are (DoRA). */
#include <math.h>

#include "graph/op.h"
#include "numeric/blas.h"

enum { PANEL = 16 }; /* rows of W in a unit of work */

typedef struct lengths_conf {
    pb_real scale;
} lengths_conf;

static int lengths_shape(pb_node *n)
{
    const pb_node *w = n->in[0], *b = n->in[1], *a = n->in[2];
    if (!w || !w->param || !b || !a || b->rows != w->rows || a->cols != w->cols || b->cols != a->rows)
        return pb_error("inverse_lengths: W [%d,%d], B [%d,%d], A [%d,%d] do not fit", w ? w->rows : 0, w ? w->cols : 0,
                        b ? b->rows : 0, b ? b->cols : 0, a ? a->rows : 0, a ? a->cols : 0);
    n->rows = 1;
    n->cols = w->rows;
    return 0;
}

static int lengths_units(const pb_node *n, bool backward)
{
    (void)backward;
    return (n->cols + PANEL - 1) / PANEL;
}

static size_t lengths_scratch(const pb_node *n)
{
    return PANEL * (size_t)n->in[0]->cols;
}

static void lengths_forward(const pb_node *n, int from, int to, pb_real *v)
{
    const lengths_conf *c = n->conf;
    const pb_node *w = n->in[0], *b = n->in[1], *a = n->in[2];
    for (int j = from * PANEL; j < to * PANEL && j < n->cols; j += PANEL) {
        int rows = n->cols - j < PANEL ? n->cols - j : PANEL, cols = w->cols, rank = a->rows;
        pb_param_values(w->param, j, j + rows, 0, cols, v);
        pb_gemm(false, false, rows, cols, rank, c->scale, b->x + (size_t)j * (size_t)rank, rank, a->x, cols, 1, v,
                cols);
        for (int r = 0; r < rows; r++) {
            double squares = pb_sum_squares((size_t)cols, v + (size_t)r * (size_t)cols);
            n->x[j + r] = squares > 0 || squares != squares ? (pb_real)(1 / sqrt(squares)) : 0;
        }
    }
}

static uint64_t lengths_flops(const pb_node *n, unsigned want)
{
    return want ? 0 : 2u * (uint64_t)n->cols * (uint64_t)n->in[0]->cols * (uint64_t)n->in[2]->rows;
}

static const pb_op lengths = {
    .name = "inverse_lengths",
    .constant = true,
    .shape = lengths_shape,
    .scratch = lengths_scratch,
    .units = lengths_units,
    .forward = lengths_forward,
    .flops = lengths_flops,
};

pb_node *pb_op_inverse_row_norms(pb_graph *g, pb_node *w, pb_node *b, pb_node *a, double scale)
{
    lengths_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->scale = (pb_real)scale;
    return pb_graph_apply(g, &lengths, c, w, b, a, NULL);
}
