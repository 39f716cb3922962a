/* op_normal: normal numbers whose mean and log-variance are computed (normal), and how far they are from standard
 * normal ones (normal_divergence). */
#include <math.h>

#include "base/rng.h"
#include "graph/op.h"

/* ---- y = mu + e exp(v / 2), with mu and v side by side [T,2r] --------------------------------------------------- */

typedef struct normal_conf {
    uint64_t key;
    bool random; /* else e = 1 */
} normal_conf;

static int normal_shape(pb_node *n)
{
    n->rows = n->in[0]->rows;
    n->cols = n->in[0]->cols / 2;
    n->set = n->in[0]->set;
    return 0;
}

/* A normal number (Box-Muller) that depends on the key, the token's place in its batch and the column only. */
static double noise(const pb_node *n, int row, int col)
{
    const normal_conf *c = n->conf;
    if (!c->random)
        return 1;
    uint64_t at = 2 * ((uint64_t)(n->set ? pb_rows_origin(n->set, row) : row) * (uint64_t)n->cols + (uint64_t)col);
    double u = ((double)(pb_mix(c->key, at) >> 11) + 0.5) * 0x1p-53;
    double angle = (double)(pb_mix(c->key, at + 1) >> 11) * 0x1p-52 * acos(-1);
    return sqrt(-2 * log(u)) * cos(angle);
}

static void normal_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int t = from; t < to; t++) {
        const pb_real *mu = n->in[0]->x + 2 * (size_t)t * (size_t)n->cols, *v = mu + n->cols;
        for (int j = 0; j < n->cols; j++)
            n->x[(size_t)t * (size_t)n->cols + (size_t)j] =
                (pb_real)((double)mu[j] + noise(n, t, j) * exp((double)v[j] / 2));
    }
}

/* dmu = dy,  dv = dy e exp(v / 2) / 2. */
static void normal_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    for (int t = from; t < to; t++) {
        size_t at = 2 * (size_t)t * (size_t)n->cols;
        const pb_real *v = n->in[0]->x + at + n->cols, *dy = n->g + at / 2;
        pb_real *dmu = n->in[0]->g + at, *dv = dmu + n->cols;
        for (int j = 0; j < n->cols; j++) {
            double slope = noise(n, t, j) * exp((double)v[j] / 2) / 2;
            dmu[j] = (n->add & 1 ? dmu[j] : 0) + dy[j];
            dv[j] = (n->add & 1 ? dv[j] : 0) + (pb_real)(slope * (double)dy[j]);
        }
    }
}

static const pb_op normal = {
    .name = "normal",
    .aligned = 1,
    .reads = {PB_IN0},
    .shape = normal_shape,
    .forward = normal_forward,
    .backward = normal_backward,
};

pb_node *pb_op_normal(pb_graph *g, pb_node *h, uint64_t key, bool random)
{
    normal_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (normal_conf){.key = key, .random = random};
    return pb_graph_apply(g, &normal, c, h, NULL, NULL, NULL);
}

/* ---- the divergence KL(N(mu, exp(v)) || N(0, 1)) = (mu^2 + exp(v) - 1 - v) / 2, element by element -------------- */

static void divergence_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int t = from; t < to; t++) {
        const pb_real *mu = n->in[0]->x + 2 * (size_t)t * (size_t)n->cols, *v = mu + n->cols;
        for (int j = 0; j < n->cols; j++)
            n->x[(size_t)t * (size_t)n->cols + (size_t)j] =
                (pb_real)(((double)mu[j] * (double)mu[j] + expm1((double)v[j]) - (double)v[j]) / 2);
    }
}

static void divergence_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    for (int t = from; t < to; t++) {
        size_t at = 2 * (size_t)t * (size_t)n->cols;
        const pb_real *mu = n->in[0]->x + at, *v = mu + n->cols, *dy = n->g + at / 2;
        pb_real *dmu = n->in[0]->g + at, *dv = dmu + n->cols;
        for (int j = 0; j < n->cols; j++) {
            dmu[j] = (n->add & 1 ? dmu[j] : 0) + dy[j] * mu[j];
            dv[j] = (n->add & 1 ? dv[j] : 0) + dy[j] * (pb_real)(expm1((double)v[j]) / 2);
        }
    }
}

static const pb_op divergence = {
    .name = "normal_divergence",
    .aligned = 1,
    .reads = {PB_IN0},
    .shape = normal_shape,
    .forward = divergence_forward,
    .backward = divergence_backward,
};

pb_node *pb_op_normal_divergence(pb_graph *g, pb_node *h)
{
    return pb_graph_apply(g, &divergence, NULL, h, NULL, NULL, NULL);
}
