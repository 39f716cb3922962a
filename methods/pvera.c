/* pvera: y = W x + b * (B z), with z normal: its mean mu and its log-variance v are the halves of d * (A x).  A [2r,in]
 * and B [out,r] are random, the same for all projections, and stored nowhere; the vectors d [2r] and b [out] train.
 * Training draws z for every token; otherwise z is its mean, and the method is VeRA. */
#include "peftbench.h"

enum { RANDOM, MEAN, FIXED }; /* sample */

PB_SETTINGS(INT(rank, "256", 1, 32768, "r, the elements of z"),
            REAL(initial, "0.1", 1e-9, 1000, "every element of d at the start"),
            CHOICE(sample, "random", "random|mean|fixed",
                   "z while training: mu + e s with a normal e, mu, or mu + s; s = exp(v / 2) is the deviation"),
            REAL(divergence, "1e-6", 0, 1e6, "weight of the divergence of z from standard normal numbers"),
            REAL(dropout, "0", 0, 0.99, "of the input of A, while training"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* z of a training step, from h [T,2r] = d * (A x). */
static pb_node *drawn(pb_build *b, const pb_site *site, pb_node *h, int step)
{
    const conf *c = pb_conf(b);
    if (c->divergence > 0 && h)
        pb_penalty(b, pb_op_sum(b->graph, pb_op_normal_divergence(b->graph, h)),
                   c->divergence / ((double)h->rows * c->rank));
    uint64_t key = pb_seed(b, site, "noise") + (uint64_t)b->micro_batch; /* the tokens of each micro-batch differ */
    return pb_op_normal(b->graph, h, pb_mix(key, (uint64_t)step), c->sample == RANDOM);
}

static pb_node *linear(pb_build *build, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(build);
    pb_graph *g = build->graph;
    pb_node *A, *B, *z, *d = pb_vector(build, site, "d", 2 * c->rank, pb_init_constant(c->initial));
    pb_node *b = pb_vector(build, site, "b", site->out, pb_init_constant(0));
    pb_shared_factors(build, site, 2 * c->rank, c->rank, &A, &B);
    int step = c->sample == MEAN ? -1 : pb_draw(build, INT32_MAX);
    pb_node *input = pb_drop(build, x, c->dropout);
    if (step >= 0)
        z = drawn(build, site, pb_op_scale(g, pb_op_linear(g, input, A, NULL), d), step);
    else
        z = pb_op_scale(g, pb_op_linear(g, input, pb_op_rows(g, A, 0, c->rank), NULL), pb_op_columns(g, d, 0, c->rank));
    return pb_op_add(g, pb_inner_linear(build, site, x), pb_op_scale(g, pb_op_linear(g, z, B, NULL), b));
}

const pb_method pb_method_pvera = {
    .name = "pvera",
    .title = "PVeRA: VeRA with random activations between its random matrices",
    .paper = "Fillioux et al. 2025, PVeRA, arXiv:2512.07703",
    .help =
        "Scales one random low-rank product as VeRA does, and adds trained amounts of noise inside it while training.",
    .equation = "y = W x + b * (B z), z ~ N(mu, diag(exp(v))), (mu, v) = d * (A x); loss + divergence * KL(z || N(0, "
                "1)); scoring: z = mu",
    .notes = "z is drawn for every token and projection. The divergence is the mean over the tokens and the elements "
             "of z, summed over the projections; the authors' code halves the sum, since it adapts two projections of "
             "a layer, and has the weights 1e-6 to 1e-16, by data set, of which the largest is the default here. PEFT "
             "leaves it out. d starts as in PEFT; the authors' code draws one number from 0 to 1 for all of its "
             "elements, and multiplies the update by alpha = 16, which a learning rate of b can replace. sample=fixed "
             "is a variant of that code. Scoring takes the mean of z, so that the method can be merged; the paper's "
             "samples when scoring, from which it computes intervals and finds inputs of another distribution, are not "
             "here, and an adapter of PEFT that has sample_at_inference is refused. For targets of several shapes A "
             "and B have the largest sides, as in PEFT. The paper's benchmark is one of images.",
    .count = "2*rank+out",
    .deviation = "B: sqrt(2/rank); d: initial; b: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT(
        "PVERA",
        PB_PEFT_TENSORS({"d", "pvera_lambda_d", "cols"}, {"b", "pvera_lambda_b", "cols"},
                        {"A", "base_model.pvera_A", .of_model = true}, {"B", "base_model.pvera_B", .of_model = true}),
        PB_PEFT_KEYS({"r", "rank"}, {"d_initial", "initial"}, {"pvera_dropout", "dropout"}, PB_PEFT_PROJECTION_SAVED),
        .fixed = PB_PEFT_NO_BIAS),
};
