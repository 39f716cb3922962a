/* op_row_norms: the row norms of a weight with its low-rank update (DoRA). */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "numeric/product.h"

enum { PANEL = 16 }; /* rows of W in a unit of work */

typedef struct norms_conf {
    double scale;
} norms_conf;

static int norms_shape(pb_node *n)
{
    const pb_node *w = n->in[0], *b = n->in[1], *a = n->in[2];
    if (w->set || b->rows != w->rows || a->cols != w->cols || b->cols != a->rows)
        return pb_error("inverse_row_norms: W [%d,%d], B [%d,%d], A [%d,%d] do not fit", w->rows, w->cols, b->rows,
                        b->cols, a->rows, a->cols);
    n->rows = 1;
    n->cols = w->rows;
    return 0;
}

static int norms_units(const pb_node *n, bool backward)
{
    (void)backward;
    return (n->cols + PANEL - 1) / PANEL;
}

static size_t norms_scratch(const pb_node *n)
{
    return PANEL * (size_t)n->in[0]->cols;
}

/* Copies rows from .. to-1 of W, a parameter or made of parameters. */
static void copy_rows(const pb_node *w, int from, int to, pb_real *out)
{
    size_t cols = (size_t)w->cols;
    if (w->param)
        pb_param_values(w->param, from, to, 0, w->cols, out);
    else
        memcpy(out, w->x + (size_t)from * cols, (size_t)(to - from) * cols * sizeof *out);
}

static void norms_forward(const pb_node *n, int from, int to, pb_real *v)
{
    const norms_conf *c = n->conf;
    const pb_node *w = n->in[0], *b = n->in[1], *a = n->in[2];
    for (int j = from * PANEL; j < to * PANEL && j < n->cols; j += PANEL) {
        int rows = n->cols - j < PANEL ? n->cols - j : PANEL;
        copy_rows(w, j, j + rows, v);
        pb_add_product(v, rows, w->cols, c->scale, b->x + (size_t)j * (size_t)a->rows, a->x, a->rows);
        for (int r = 0; r < rows; r++) {
            double norm = sqrt(pb_sum_squares((size_t)w->cols, v + (size_t)r * (size_t)w->cols));
            n->x[j + r] = norm > 0 || isnan(norm) ? (pb_real)(1 / norm) : 0;
        }
    }
}

static uint64_t norms_flops(const pb_node *n, unsigned want)
{
    return want ? 0 : 2u * (uint64_t)n->cols * (uint64_t)n->in[0]->cols * (uint64_t)n->in[2]->rows;
}

static const pb_op norms = {
    .name = "inverse_row_norms",
    .needs = 3,
    .constant = true,
    .shape = norms_shape,
    .scratch = norms_scratch,
    .units = norms_units,
    .forward = norms_forward,
    .flops = norms_flops,
};

pb_node *pb_op_inverse_row_norms(pb_graph *g, pb_node *w, pb_node *b, pb_node *a, double scale)
{
    norms_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->scale = scale;
    return pb_graph_apply(g, &norms, c, w, b, a, NULL);
}
