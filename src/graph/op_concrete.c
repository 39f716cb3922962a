/* op_concrete: gates that are drawn from hard concrete distributions (concrete), and how many of them are expected to
 * be open (gates). */
#include <math.h>

#include "base/rng.h"
#include "graph/op.h"
#include "graph/op_shape.h"

/* ---- y = z * delta ---------------------------------------------------------------------------------------- */

typedef struct concrete_conf {
    double low, high;
    uint64_t key;
    bool drawn;
} concrete_conf;

static int concrete_shape(pb_node *n)
{
    const pb_node *alpha = n->in[0], *delta = n->in[1];
    if (alpha->set ||
        (delta && (delta->set || (long long)alpha->rows * alpha->cols != (long long)delta->rows * delta->cols)))
        return pb_error("concrete: alpha [%d,%d] and delta [%d,%d], want as many parameters in both", alpha->rows,
                        alpha->cols, delta ? delta->rows : 0, delta ? delta->cols : 0);
    n->rows = delta ? delta->rows : alpha->rows;
    n->cols = delta ? delta->cols : alpha->cols;
    return 0;
}

/* The stretched sigmoid of element i, before it is clipped; *slope is its derivative. */
static double stretched(const pb_node *n, size_t i, double *slope)
{
    const concrete_conf *c = n->conf;
    double u = c->drawn ? (double)(pb_mix(c->key, i) >> 11) * 0x1p-53 : 0.5;
    u = u < 1e-4 ? 1e-4 : u > 1 - 1e-4 ? 1 - 1e-4 : u;
    double s = 1 / (1 + exp(-(log(u) - log(1 - u) + (double)n->in[0]->x[i])));
    *slope = s * (1 - s) * (c->high - c->low);
    return s * (c->high - c->low) + c->low;
}

static double clipped(double t)
{
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

static void concrete_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    double slope;
    for (size_t i = pb_row_start(n, from); i < pb_row_start(n, to); i++) {
        double z = clipped(stretched(n, i, &slope));
        n->x[i] = (pb_real)(n->in[1] ? z * (double)n->in[1]->x[i] : z);
    }
}

static void concrete_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *alpha = n->in[0], *delta = n->in[1];
    for (size_t i = pb_row_start(n, from); i < pb_row_start(n, to); i++) {
        double slope, t = stretched(n, i, &slope), dy = (double)n->g[i];
        double dz = t > 0 && t < 1 ? slope * (delta ? (double)delta->x[i] : 1) : 0;
        if (want & 1)
            alpha->g[i] = (pb_real)((n->add & 1 ? (double)alpha->g[i] : 0) + dy * dz);
        if (delta && want & 2)
            delta->g[i] = (pb_real)((n->add & 2 ? (double)delta->g[i] : 0) + dy * clipped(t));
    }
}

static const pb_op concrete = {
    .name = "concrete",
    .reads = {PB_IN0 | PB_IN1, PB_IN0},
    .shape = concrete_shape,
    .forward = concrete_forward,
    .backward = concrete_backward,
};

pb_node *pb_op_concrete(pb_graph *g, pb_node *alpha, pb_node *delta, double low, double high, const uint64_t *key)
{
    concrete_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (concrete_conf){.low = low, .high = high, .key = key ? *key : 0, .drawn = key != NULL};
    return pb_graph_apply(g, &concrete, c, alpha, delta, NULL, NULL);
}

/* ---- the sum of sigmoid(alpha - shift) ---------------------------------------------------------------------- */

typedef struct gates_conf {
    double shift;
} gates_conf;

static int gates_shape(pb_node *n)
{
    n->rows = n->cols = 1;
    return 0;
}

static int gates_units(const pb_node *n, bool backward)
{
    return backward ? n->in[0]->rows : 1;
}

static double open_gate(const pb_node *n, size_t i)
{
    const gates_conf *c = n->conf;
    return 1 / (1 + exp(c->shift - (double)n->in[0]->x[i]));
}

static void gates_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)from, (void)to, (void)scratch;
    double sum = 0;
    for (size_t i = 0; i < pb_row_start(n->in[0], n->in[0]->rows); i++)
        sum += open_gate(n, i);
    n->x[0] = (pb_real)sum;
}

static void gates_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *alpha = n->in[0];
    for (size_t i = pb_row_start(alpha, from); i < pb_row_start(alpha, to); i++) {
        double p = open_gate(n, i);
        alpha->g[i] = (pb_real)((n->add & 1 ? (double)alpha->g[i] : 0) + (double)n->g[0] * p * (1 - p));
    }
}

static const pb_op gates = {
    .name = "gates",
    .reads = {PB_IN0},
    .shape = gates_shape,
    .units = gates_units,
    .forward = gates_forward,
    .backward = gates_backward,
};

pb_node *pb_op_gates(pb_graph *g, pb_node *alpha, double shift)
{
    gates_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->shift = shift;
    return pb_graph_apply(g, &gates, c, alpha, NULL, NULL, NULL);
}
