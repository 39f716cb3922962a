/* unilora: the LoRAs of all projections in d numbers. y = W x + B A x, where the elements of all A [r,in] and B
 * [out,r] are those of one trained vector theta [d], assigned at random and divided by the square root of how often
 * they come: a projection with orthonormal columns, drawn from the run's seed. */
#include "peftbench.h"

PB_SETTINGS(INT(dimension, "256", 1, 1 << 24, "d, the numbers in theta"), INT(rank, "4", 1, 4096, "r, the rank of B A"),
            REAL(bound, "0.02", 1e-9, 1000, "theta starts uniformly between -bound and bound"),
            REAL(dropout, "0", 0, 0.99, "of the input of A, while training"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* Returns the number of elements of all A and B, and writes how many are in front of those of `site`. */
static long long places(pb_build *b, const pb_site *site, int rank, long long *first)
{
    long long sum = 0;
    PB_EACH_TARGET(b, s) {
        *first = s == site ? sum : *first;
        sum += (long long)rank * (s->in + s->out);
    }
    return sum;
}

/* 1 / sqrt(n_k), where element k of theta comes n_k times: floor(places / d) times or once more. */
static const pb_real *scales(pb_build *b, int d, const int *index, int count)
{
    pb_real *scale = pb_memo(b, (size_t)d * sizeof *scale);
    if (scale[0] > 0) /* in this graph already */
        return scale;
    for (int i = 0; i < count; i++)
        scale[index ? index[i] : i % d] += 1;
    for (int k = 0; k < d; k++)
        scale[k] = scale[k] > 0 ? (pb_real)(1 / sqrt((double)scale[k])) : 0;
    return scale;
}

/* A [r,in] and B [out,r] of a site, whose elements are those of `of` [1,d]; NULL: of theta. */
static void factors(pb_build *b, const pb_site *site, pb_node *of, pb_node **A, pb_node **B)
{
    const conf *c = pb_conf(b);
    long long first = 0, count = places(b, site, c->rank, &first);
    int d = c->dimension;
    *A = *B = NULL;
    if (d > count || count > INT32_MAX) {
        pb_error("unilora: dimension, rank: want from %d to 2^31 - 1 elements of all A and B, got %lld", d, count);
        return;
    }
    of = of ? of : pb_added(b, NULL, "theta", 1, d, pb_init_uniform(c->bound));
    const int *index = pb_shuffled(b, NULL, "places", (int)count, d);
    const pb_real *scale = scales(b, d, index, (int)count);
    index = index ? index + first : NULL;
    *A = pb_op_gather(b->graph, of, index, scale, c->rank, site->in);
    index = index ? index + c->rank * site->in : NULL;
    *B = pb_op_gather(b->graph, of, index, scale, site->out, c->rank);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *A, *B;
    factors(b, site, NULL, &A, &B);
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->dropout), A, NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, 1);
}

/* What PEFT multiplies the elements of theta by, which its file has beside their places: theta is 1 here, the softmax
 * of one element. */
static pb_node *scales_of(pb_build *b, const pb_site *site, bool up)
{
    const conf *c = pb_conf(b);
    pb_node *A, *B, *theta = pb_added(b, NULL, "theta", 1, c->dimension, pb_init_uniform(c->bound));
    pb_node *ones = pb_op_softmax(b->graph, pb_op_reshape(b->graph, theta, c->dimension, 1), 0);
    factors(b, site, pb_op_reshape(b->graph, ones, 1, c->dimension), &A, &B);
    return up ? B : A;
}

static pb_node *scales_of_A(pb_build *b, const pb_site *site)
{
    return scales_of(b, site, false);
}

static pb_node *scales_of_B(pb_build *b, const pb_site *site)
{
    return scales_of(b, site, true);
}

const pb_method pb_method_unilora = {
    .name = "unilora",
    .title = "Uni-LoRA: all LoRAs from one vector",
    .paper = "Li et al. 2025, Uni-LoRA, arXiv:2506.00799",
    .help = "Trains one vector whose elements are assigned at random to the elements of all LoRAs.",
    .equation = "y = W x + B A x; an element of A or B is theta_k / sqrt(n_k), n_k the number of elements with this k",
    .notes = "The assignment is balanced, as in PEFT: two elements of theta come equally often, or one of them once "
             "more. A and B both start away from zero, so the first outputs are not exactly those of the base model. "
             "The defaults are those of PEFT 0.21.2 and not the settings of the paper's runs.",
    .count = "model: dimension",
    .deviation = "theta: bound/sqrt(3)",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "dimension"},
    .hooks = {.linear = linear},
    /* What PEFT draws is not known here. */
    .peft = PB_PEFT("UNILORA",
                    PB_PEFT_TENSORS({"places", "unilora_indices_A", "rank, in", .of_model = true, .part = true},
                                    {"places", "unilora_indices_B", "out, rank", .of_model = true, .part = true},
                                    {"", "unilora_scales_A", .plus = scales_of_A},
                                    {"", "unilora_scales_B", .plus = scales_of_B},
                                    {"theta", "base_model.unilora_theta_d", "cols", .of_model = true}),
                    PB_PEFT_KEYS({"r", "rank"}, {"theta_d_length", "dimension"}, {"unilora_dropout", "dropout"},
                                 {"save_indices", .words = "true"}),
                    .fixed = PB_PEFT_NO_BIAS),
};
