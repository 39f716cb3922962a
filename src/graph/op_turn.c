/* op_turn: turns pairs of columns by trained angles and scales. */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

typedef struct turn_conf {
    int group, angles; /* columns of a group; angles of a pair: 1, 2 or 4 */
} turn_conf;

/* Column i: its partner, the sign of the partner's part, and the parameters of both parts. */
typedef struct column {
    int partner, own, other;
    pb_real sign;
} column;

static column column_at(const turn_conf *c, int i)
{
    int half = c->group / 2, base = i / c->group * c->group, at = i - base;
    column k = {.partner = at < half ? i + half : i - half, .sign = at < half ? -1 : 1, .own = i, .other = i};
    if (c->angles == 1)
        k.own = k.other = base / 2 + at % half;
    if (c->angles == 4) {
        k.own = 2 * base + at;
        k.other = k.own + c->group;
    }
    return k;
}

static int turn_shape(pb_node *n)
{
    const turn_conf *c = n->conf;
    const pb_node *x = n->in[0], *theta = n->in[1], *alpha = n->in[2];
    if (theta->set || alpha->set || c->group < 2 || c->group % 2 || x->cols % c->group || theta->rows != 1 ||
        alpha->rows != 1 || theta->cols != x->cols / 2 * c->angles || alpha->cols != theta->cols)
        return pb_error("turn: x [%d,%d] in groups of %d, theta [%d], alpha [%d] do not fit", x->rows, x->cols,
                        c->group, theta->cols, alpha->cols);
    return pb_shape_of_first(n);
}

static size_t turn_scratch(const pb_node *n)
{
    return 2 * (size_t)n->cols;
}

/* The factor of each column of x, and with its sign that of its partner, behind these. */
static void factors(const pb_node *n, pb_real *factor)
{
    const pb_real *theta = n->in[1]->x, *alpha = n->in[2]->x;
    for (int i = 0; i < n->cols; i++) {
        column k = column_at(n->conf, i);
        factor[i] = alpha[k.own] * (pb_real)cos((double)theta[k.own]);
        factor[n->cols + i] = k.sign * alpha[k.other] * (pb_real)sin((double)theta[k.other]);
    }
}

static void turn_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    const turn_conf *c = n->conf;
    const pb_real *own = scratch, *other = scratch + n->cols;
    factors(n, scratch);
    for (int t = from; t < to; t++) {
        const pb_real *x = n->in[0]->x + pb_row_start(n, t);
        pb_real *y = n->x + pb_row_start(n, t);
        for (int i = 0; i < n->cols; i++)
            y[i] = own[i] * x[i] + other[i] * x[column_at(c, i).partner];
    }
}

/* Column i reaches its own output and that of its partner. */
static void turn_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want;
    const turn_conf *c = n->conf;
    const pb_real *own = scratch, *other = scratch + n->cols;
    factors(n, scratch);
    for (int t = from; t < to; t++) {
        const pb_real *dy = n->g + pb_row_start(n, t);
        pb_real *dx = n->in[0]->g + pb_row_start(n, t);
        for (int i = 0; i < n->cols; i++) {
            int partner = column_at(c, i).partner;
            dx[i] = (n->add & 1 ? dx[i] : 0) + own[i] * dy[i] + other[partner] * dy[partner];
        }
    }
}

static int turn_param_units(const pb_node *n)
{
    return n->cols / 2;
}

/* Adds the gradients that column i gives to the parameters of both of its parts. */
static void add_column(const pb_node *n, unsigned want, int i)
{
    column k = column_at(n->conf, i);
    const pb_real *theta = n->in[1]->x, *alpha = n->in[2]->x;
    double own = 0, other = 0;
    for (int t = 0; t < n->rows; t++) {
        const pb_real *x = n->in[0]->x + pb_row_start(n, t), *dy = n->g + pb_row_start(n, t);
        own += (double)(dy[i] * x[i]);
        other += (double)(k.sign * dy[i] * x[k.partner]);
    }
    if (want & 2) {
        n->in[1]->g[k.own] -= (pb_real)(own * (double)alpha[k.own] * sin((double)theta[k.own]));
        n->in[1]->g[k.other] += (pb_real)(other * (double)alpha[k.other] * cos((double)theta[k.other]));
    }
    if (want & 4) {
        n->in[2]->g[k.own] += (pb_real)(own * cos((double)theta[k.own]));
        n->in[2]->g[k.other] += (pb_real)(other * sin((double)theta[k.other]));
    }
}

/* Units are pairs, which share no parameter with others. */
static void turn_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const turn_conf *c = n->conf;
    for (int pair = from; pair < to; pair++) {
        int half = c->group / 2, i = pair / half * c->group + pair % half, both[2] = {i, i + half};
        for (int k = 0; k < 4; k++) {
            column at = column_at(c, both[k % 2]);
            int place = k < 2 ? at.own : at.other;
            if (want & 2 && !(n->add & 2))
                n->in[1]->g[place] = 0;
            if (want & 4 && !(n->add & 4))
                n->in[2]->g[place] = 0;
        }
        add_column(n, want, both[0]);
        add_column(n, want, both[1]);
    }
}

static const pb_op turn = {
    .name = "turn",
    .needs = 3,
    .aligned = 1,
    .collects = 2 | 4,
    .reads = {PB_IN1 | PB_IN2, PB_IN0 | PB_IN1 | PB_IN2, PB_IN0 | PB_IN1},
    .shape = turn_shape,
    .scratch = turn_scratch,
    .param_units = turn_param_units,
    .forward = turn_forward,
    .backward = turn_backward,
    .backward_params = turn_params,
};

pb_node *pb_op_turn(pb_graph *g, pb_node *x, pb_node *theta, pb_node *alpha, int group, int angles)
{
    turn_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (turn_conf){group, angles};
    return pb_graph_apply(g, &turn, c, x, theta, alpha, NULL);
}
