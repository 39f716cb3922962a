/* op_unit: rows or columns of unit length. */
#include <math.h>

#include "graph/op.h"
#include "graph/op_shape.h"

typedef struct unit_conf {
    bool columns;
    double least;
} unit_conf;

/* The elements of row or column k of a matrix: first, first + step, .. */
typedef struct line {
    size_t first, step, count;
} line;

static line line_of(const pb_node *n, int k)
{
    const unit_conf *c = n->conf;
    return c->columns ? (line){(size_t)k, (size_t)n->cols, (size_t)n->rows}
                      : (line){pb_row_start(n, k), 1, (size_t)n->cols};
}

static int unit_shape(pb_node *n)
{
    const unit_conf *c = n->conf;
    const pb_node *a = n->in[0];
    if (a->set || !(c->least > 0))
        return pb_error("unit: A [%d,%d], least %g, want a matrix of parameters and a positive number", a->rows,
                        a->cols, c->least);
    return pb_shape_of_first(n);
}

static int unit_units(const pb_node *n, bool backward)
{
    (void)backward;
    const unit_conf *c = n->conf;
    return c->columns ? n->cols : n->rows;
}

static size_t unit_aux(const pb_node *n)
{
    return (size_t)unit_units(n, false);
}

static double dot(line at, const pb_real *a, const pb_real *b)
{
    double sum = 0;
    for (size_t i = 0, k = at.first; i < at.count; i++, k += at.step)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

/* Keeps the lengths. */
static void unit_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const unit_conf *c = n->conf;
    const pb_real *a = n->in[0]->x;
    for (int k = from; k < to; k++) {
        line at = line_of(n, k);
        double length = sqrt(dot(at, a, a)), by = 1 / (length < c->least ? c->least : length);
        n->aux[k] = (pb_real)length;
        for (size_t i = 0, e = at.first; i < at.count; i++, e += at.step)
            n->x[e] = (pb_real)((double)a[e] * by);
    }
}

/* da = (dy - y (y . dy)) / |a|; below the least length, where y is a multiple of a: dy / least. */
static void unit_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const unit_conf *c = n->conf;
    pb_real *da = n->in[0]->g;
    for (int k = from; k < to; k++) {
        line at = line_of(n, k);
        double length = (double)n->aux[k], along = length < c->least ? 0 : dot(at, n->x, n->g);
        double by = 1 / (length < c->least ? c->least : length);
        for (size_t i = 0, e = at.first; i < at.count; i++, e += at.step)
            da[e] = (n->add & 1 ? da[e] : 0) + (pb_real)(((double)n->g[e] - along * (double)n->x[e]) * by);
    }
}

static const pb_op unit = {
    .name = "unit",
    .reads = {PB_OUT | PB_AUX},
    .shape = unit_shape,
    .aux = unit_aux,
    .units = unit_units,
    .forward = unit_forward,
    .backward = unit_backward,
};

pb_node *pb_op_unit(pb_graph *g, pb_node *a, bool columns, double least)
{
    unit_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (unit_conf){columns, least};
    return pb_graph_apply(g, &unit, c, a, NULL, NULL, NULL);
}
