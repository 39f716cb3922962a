/* pvera: y = W x + b * (B z), with z normal: its mean mu and its log-variance v are the halves of d * (A x).  A [2r,in]
 * and B [out,r] are random, the same for all projections, and stored nowhere; the vectors d [2r] and b [out] train.
 * Training draws z for every token; otherwise z is its mean, and the method is VeRA. */
#include <math.h>

#include "peftbench.h"

enum { RANDOM, MEAN, FIXED }; /* sample */

typedef struct conf {
    int rank, sample;
    double initial, divergence, dropout;
    const char *targets;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, rank, INT, "256", 1, 32768, "r, the elements of z"),
    PB_OPTION(conf, initial, REAL, "0.1", -1000, 1000, "every element of d at the start"),
    PB_OPTION(conf, sample, CHOICE, "random", "random|mean|fixed",
              "z while training: mu + e s with a normal e, mu, or mu + s; s = exp(v / 2) is the deviation"),
    PB_OPTION(conf, divergence, REAL, "1e-6", 0, 1e6, "weight of the divergence of z from standard normal numbers"),
    PB_OPTION(conf, dropout, REAL, "0", 0, 0.99, "of the input of A, while training"),
    PB_OPTION(conf, targets, TEXT, "attn.q attn.v attn.qkv", "projections to adapt"),
    {0},
};

/* ---- z = mu + e exp(v / 2), with mu and v side by side [T,2r] --------------------------------------------------- */

typedef struct draw {
    uint64_t key;
    bool random; /* else e = 1 */
} draw;

static int sample_shape(pb_node *n)
{
    n->rows = n->in[0]->rows;
    n->cols = n->in[0]->cols / 2;
    n->set = n->in[0]->set;
    return 0;
}

/* A normal number (Box-Muller) that depends on the key, the token's place in its batch and the column only. */
static double noise(const pb_node *n, int row, int col)
{
    const draw *c = n->conf;
    if (!c->random)
        return 1;
    uint64_t at = 2 * ((uint64_t)(n->set ? pb_rows_origin(n->set, row) : row) * (uint64_t)n->cols + (uint64_t)col);
    double u = ((double)(pb_mix(c->key, at) >> 11) + 0.5) * 0x1p-53;
    double angle = (double)(pb_mix(c->key, at + 1) >> 11) * 0x1p-52 * acos(-1);
    return sqrt(-2 * log(u)) * cos(angle);
}

static void sample_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int t = from; t < to; t++) {
        const pb_real *mu = n->in[0]->x + 2 * (size_t)t * (size_t)n->cols, *v = mu + n->cols;
        for (int j = 0; j < n->cols; j++)
            n->x[(size_t)t * (size_t)n->cols + (size_t)j] =
                (pb_real)((double)mu[j] + noise(n, t, j) * exp((double)v[j] / 2));
    }
}

/* dmu = dz,  dv = dz e exp(v / 2) / 2. */
static void sample_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    for (int t = from; t < to; t++) {
        size_t at = 2 * (size_t)t * (size_t)n->cols;
        const pb_real *v = n->in[0]->x + at + n->cols, *dz = n->g + at / 2;
        pb_real *dmu = n->in[0]->g + at, *dv = dmu + n->cols;
        for (int j = 0; j < n->cols; j++) {
            double slope = noise(n, t, j) * exp((double)v[j] / 2) / 2;
            dmu[j] = (n->add & 1 ? dmu[j] : 0) + dz[j];
            dv[j] = (n->add & 1 ? dv[j] : 0) + (pb_real)(slope * (double)dz[j]);
        }
    }
}

static const pb_op sample = {
    .name = "sample",
    .aligned = 1,
    .reads = {PB_IN0},
    .shape = sample_shape,
    .forward = sample_forward,
    .backward = sample_backward,
};

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
    .name = "divergence",
    .aligned = 1,
    .reads = {PB_IN0},
    .shape = sample_shape,
    .forward = divergence_forward,
    .backward = divergence_backward,
};

/* ---- the method ------------------------------------------------------------------------------------------------- */

/* Kaiming's uniform distribution: bound sqrt(6 / columns).  A has the columns of the widest input and B the rows of the
 * widest output of all targets; a smaller projection has the first of them. */
static void shared(pb_build *b, const pb_site *site, int rank, pb_node **A, pb_node **B)
{
    int in, out;
    pb_widest_target(b, &in, &out);
    *A = pb_seeded(b, NULL, "A", 2 * rank, in, pb_init_uniform(sqrt(6.0 / in)));
    *B = pb_seeded(b, NULL, "B", out, rank, pb_init_uniform(sqrt(6.0 / rank)));
    *A = site->in < in ? pb_op_columns(b->graph, *A, 0, site->in) : *A;
    *B = site->out < out ? pb_op_rows(b->graph, *B, 0, site->out) : *B;
}

/* z of a training step, from h [T,2r] = d * (A x). */
static pb_node *drawn(pb_build *b, const pb_site *site, pb_node *h, int step)
{
    const conf *c = pb_conf(b);
    draw *e = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, sizeof *e);
    *e = (draw){.key = pb_mix(pb_seed(b, site, "noise"), (uint64_t)step), .random = c->sample == RANDOM};
    if (c->divergence > 0 && h) {
        pb_node *of_each = pb_graph_apply(b->graph, &divergence, NULL, h, NULL, NULL, NULL);
        pb_penalty(b, pb_op_sum(b->graph, of_each), c->divergence / ((double)h->rows * c->rank));
    }
    return pb_graph_apply(b->graph, &sample, e, h, NULL, NULL, NULL);
}

static pb_node *linear(pb_build *build, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(build);
    pb_graph *g = build->graph;
    pb_node *A, *B, *z, *d = pb_vector(build, site, "d", 2 * c->rank, pb_init_constant(c->initial));
    pb_node *b = pb_vector(build, site, "b", site->out, pb_init_constant(0));
    shared(build, site, c->rank, &A, &B);
    int step = c->sample == MEAN ? -1 : pb_draw(build, INT32_MAX);
    pb_node *input = pb_drop(build, x, c->dropout);
    if (step >= 0)
        z = drawn(build, site, pb_op_scale(g, pb_op_linear(g, input, A, NULL), d), step);
    else
        z = pb_op_scale(g, pb_op_linear(g, input, pb_op_rows(g, A, 0, c->rank), NULL), pb_op_columns(g, d, 0, c->rank));
    return pb_op_add(g, pb_inner_linear(build, site, x), pb_op_scale(g, pb_op_linear(g, z, B, NULL), b));
}

static const pb_peft peft = {
    .type = "PVERA",
    .tensors = (const pb_peft_tensor[]){{.ours = "d", .theirs = "pvera_lambda_d", .shape = "cols"},
                                        {.ours = "b", .theirs = "pvera_lambda_b", .shape = "cols"},
                                        {.ours = "A", .theirs = "base_model.pvera_A", .of_model = true},
                                        {.ours = "B", .theirs = "base_model.pvera_B", .of_model = true},
                                        {0}},
    .keys = (const pb_peft_key[]){{.key = "r", .option = "rank"},
                                  {.key = "d_initial", .option = "initial"},
                                  {.key = "pvera_dropout", .option = "dropout"},
                                  {.key = "save_projection", .words = "true"}, /* what PEFT draws is not known here */
                                  {0}},
    .fixed = "\"bias\": \"none\"",
};

const pb_method pb_method_pvera = {
    .name = "pvera",
    .title = "PVeRA: VeRA with random activations between its random matrices",
    .paper = "Fillioux et al. 2025, PVeRA, arXiv:2512.07703",
    .help = "Scales one random low-rank product as VeRA does, and adds trained amounts of noise inside it while "
            "training.",
    .equation = "y = W x + b * (B z), z ~ N(mu, diag(exp(v))), (mu, v) = d * (A x); loss + divergence * KL(z || N(0, "
                "1)); scoring: z = mu",
    .notes =
        "z is drawn for every token and projection. The divergence is the mean over the tokens and the elements of z, "
        "summed over the projections; the authors' code halves the sum, since it adapts two projections of a layer, "
        "and has the weights 1e-6 to 1e-16, by data set, of which the largest is the default here. PEFT leaves it out. "
        "d starts as in PEFT; the authors' code draws one number from 0 to 1 for all of its elements, and multiplies "
        "the update by alpha = 16, which a learning rate of b can replace. sample=fixed is a variant of that code. "
        "Scoring takes the mean of z, so that the method can be merged; the paper's samples when scoring, from which "
        "it computes intervals and finds inputs of another distribution, are not here, and an adapter of PEFT that "
        "has sample_at_inference is refused. For targets of several shapes A and B have the largest sides, as in "
        "PEFT. The paper's benchmark is one of images.",
    .count = "2*rank+out",
    .deviation = "B: sqrt(2/rank); d: initial; b: 0",
    .category = PB_REPARAMETRIZATION,
    .identity = true,
    .merges = true,
    .options = options,
    .conf_size = sizeof(conf),
    .size = "rank",
    .linear = linear,
    .peft = &peft,
};
