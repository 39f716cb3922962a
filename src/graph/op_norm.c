/* op_norm: normalization of rows.
 * norm:    y = (x - mean) / sqrt(variance + eps) * gamma + beta
 * rmsnorm: y = x / sqrt(mean of x^2 + eps) * gamma, of whole rows or of equal parts of them */
#include <string.h>

#include "graph/op.h"

typedef struct norm_conf {
    pb_real eps;
} norm_conf;

static int norm_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *gamma = n->in[1], *beta = n->in[2];
    if (gamma->cols != x->cols || beta->cols != x->cols)
        return pb_error("norm: x [%d,%d], gamma [%d], beta [%d] do not fit", x->rows, x->cols, gamma->cols, beta->cols);
    n->rows = x->rows;
    n->cols = x->cols;
    n->set = x->set;
    return 0;
}

static size_t norm_aux(const pb_node *n) /* mean and 1/deviation of each row */
{
    return 2 * (size_t)n->rows;
}

static void norm_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const norm_conf *c = n->conf;
    size_t at = (size_t)from * (size_t)n->cols;
    pb_layernorm(to - from, n->cols, n->in[0]->x + at, n->in[1]->x, n->in[2]->x, c->eps, n->x + at,
                 n->aux + 2 * (size_t)from);
}

static void norm_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    size_t at = (size_t)from * (size_t)n->cols;
    pb_layernorm_backward(to - from, n->cols, n->in[0]->x + at, n->in[1]->x, n->aux + 2 * (size_t)from, n->g + at,
                          n->in[0]->g + at, n->add & 1);
}

static pb_real *collect(const pb_node *n, unsigned want, int input, int from, int to)
{
    if (!(want >> input & 1))
        return NULL;
    pb_real *g = n->in[input]->g;
    if (!(n->add >> input & 1))
        memset(g + from, 0, (size_t)(to - from) * sizeof *g);
    return g;
}

static void norm_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    pb_real *dgamma = collect(n, want, 1, from, to), *dbeta = collect(n, want, 2, from, to);
    pb_layernorm_params(n->rows, n->cols, from, to, n->in[0]->x, n->aux, n->g, dgamma, dbeta);
}

static const pb_op norm = {
    .name = "norm",
    .needs = 3,
    .aligned = 1,
    .inplace = 1,
    .collects = 2 | 4,
    .reads = {PB_IN0 | PB_IN1 | PB_AUX, PB_IN0 | PB_AUX, 0},
    .shape = norm_shape,
    .aux = norm_aux,
    .forward = norm_forward,
    .backward = norm_backward,
    .backward_params = norm_params,
};

pb_node *pb_op_norm(pb_graph *g, pb_node *x, pb_node *gamma, pb_node *beta, double eps)
{
    norm_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->eps = (pb_real)eps;
    return pb_graph_apply(g, &norm, c, x, gamma, beta, NULL);
}

/* ---- rmsnorm ------------------------------------------------------------------------------------- */

/* Rows of gamma's width that a row of x is made of: 1, or the number of heads. */
static int parts(const pb_node *n)
{
    return n->cols / n->in[1]->cols;
}

static int rms_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *gamma = n->in[1];
    if (x->cols % gamma->cols)
        return pb_error("rmsnorm: x [%d,%d], gamma [%d] do not fit", x->rows, x->cols, gamma->cols);
    n->rows = x->rows;
    n->cols = x->cols;
    n->set = x->set;
    return 0;
}

static size_t rms_aux(const pb_node *n) /* 1/root of each part */
{
    return (size_t)n->rows * (size_t)parts(n);
}

static void rms_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const norm_conf *c = n->conf;
    size_t at = (size_t)from * (size_t)n->cols;
    int k = parts(n);
    pb_rmsnorm((to - from) * k, n->in[1]->cols, n->in[0]->x + at, n->in[1]->x, c->eps, n->x + at,
               n->aux + (size_t)from * (size_t)k);
}

static void rms_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    size_t at = (size_t)from * (size_t)n->cols;
    int k = parts(n);
    pb_rmsnorm_backward((to - from) * k, n->in[1]->cols, n->in[0]->x + at, n->in[1]->x,
                        n->aux + (size_t)from * (size_t)k, n->g + at, n->in[0]->g + at, n->add & 1);
}

static int rms_param_units(const pb_node *n)
{
    return n->in[1]->cols;
}

static void rms_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    pb_rmsnorm_params(n->rows * parts(n), n->in[1]->cols, from, to, n->in[0]->x, n->aux, n->g,
                      collect(n, want, 1, from, to));
}

static const pb_op rmsnorm = {
    .name = "rmsnorm",
    .needs = 2,
    .aligned = 1,
    .inplace = 1,
    .collects = 2,
    .reads = {PB_IN0 | PB_IN1 | PB_AUX, PB_IN0 | PB_AUX},
    .shape = rms_shape,
    .aux = rms_aux,
    .param_units = rms_param_units,
    .forward = rms_forward,
    .backward = rms_backward,
    .backward_params = rms_params,
};

pb_node *pb_op_rmsnorm(pb_graph *g, pb_node *x, pb_node *gamma, double eps)
{
    norm_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->eps = (pb_real)eps;
    return pb_graph_apply(g, &rmsnorm, c, x, gamma, NULL, NULL);
}
