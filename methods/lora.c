/* lora: h = W x + alpha/r * B A x, with A [r,in] and B [out,r].  Dropout is applied to the input of A only.
 *
 * With dora = yes, each row of V = W + alpha/r * B A gives a direction, and a trained magnitude m [1,out] gives the
 * length: h = m / |V| * V x, where |V| holds the row norms.  As in the paper (section 4.3), gradients do not flow
 * through |V|. */
#include <math.h>

#include "peftbench.h"

typedef struct conf {
    int rank;
    double alpha, dropout;
    bool rslora, dora;
    const char *rank_pattern, *alpha_pattern, *targets;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, rank, INT, "8", 1, 4096, "r, the rank of B A"),
    PB_OPTION(conf, alpha, REAL, "16", 0, 1e6, "the update is scaled by alpha / r"),
    PB_OPTION(conf, dropout, REAL, "0", 0, 0.99, "of the input of A, while training"),
    PB_OPTION(conf, rslora, BOOL, "no", "scale by alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732)"),
    PB_OPTION(conf, dora, BOOL, "no",
              "train the norm of each row of W + B A as a parameter (Liu et al. 2024, arXiv:2402.09353)"),
    PB_OPTION(conf, rank_pattern, TEXT, "", "ranks of single projections: \"mlp.*=4 0.attn.q=16\""),
    PB_OPTION(conf, alpha_pattern, TEXT, "", "alphas of single projections"),
    PB_OPTION(conf, targets, TEXT, "attn.q attn.v attn.qkv", "projections to adapt"),
    {0},
};

/* The scale is alpha/r, or alpha/sqrt(r) with rslora. */
static pb_low_rank low_rank(const void *settings, const pb_site *site)
{
    const conf *c = settings;
    int r = (int)pb_at_site(c->rank_pattern, site, c->rank);
    double alpha = pb_at_site(c->alpha_pattern, site, c->alpha);
    return (pb_low_rank){"A", "B", r, alpha / (c->rslora ? sqrt(r) : r), .additive = !c->dora};
}

/* y = V x + bias becomes m / |V| * V x + bias. */
static pb_node *rescale(pb_build *b, const pb_site *site, pb_node *y, pb_node *B, pb_node *A, double scale)
{
    pb_node *m = pb_vector(b, site, "m", site->out, pb_init_row_norms(site->w));
    pb_node *inverse = pb_op_inverse_row_norms(b->graph, pb_base_weight(b, site), B, A, scale);
    return pb_op_scale_about(b->graph, y, pb_op_scale(b->graph, m, inverse), pb_base_bias(b, site));
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = low_rank(c, site);
    pb_node *A = pb_added(b, site, "A", u.rank, site->in, pb_init_kaiming(site->in));
    pb_node *B = pb_added(b, site, "B", site->out, u.rank, pb_init_constant(0));
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->dropout), A, NULL);
    pb_node *y = pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, u.scale);
    return c->dora ? rescale(b, site, y, B, A, u.scale) : y;
}

static const pb_peft peft = {
    .type = "LORA",
    .tensors = (const pb_peft_tensor[]){{"A", "lora_A.weight", .embedding = "lora_embedding_A"},
                                        {"B", "lora_B.weight", .embedding = "lora_embedding_B"},
                                        {"m", "lora_magnitude_vector", true, "lora_magnitude_vector", .when = "dora"},
                                        {0}},
    .keys = (const pb_peft_key[]){{"r", "rank", "rank_pattern", "rank_pattern", .rows = true},
                                  {"lora_alpha", "alpha", "alpha_pattern", .pattern_option = "alpha_pattern"},
                                  {.key = "lora_dropout", .option = "dropout"},
                                  {.key = "use_rslora", .option = "rslora"},
                                  {.key = "use_dora", .option = "dora"},
                                  {0}},
    .fixed = "\"bias\": \"none\", \"init_lora_weights\": true",
    .bias = "lora_B.bias",
    .bias_key = "lora_bias",
    .init_key = "init_lora_weights",
};

static const pb_preset presets[] = {
    {"rslora", "rsLoRA: scaled by alpha / sqrt(r)", "Kalajdzievski 2023, rsLoRA, arXiv:2312.03732", "rslora=yes"},
    {"dora", "DoRA: the norm of each row is a parameter", "Liu et al. 2024, DoRA, arXiv:2402.09353", "dora=yes"},
    {0},
};

const pb_method pb_method_lora = {
    .name = "lora",
    .title = "LoRA: low-rank update of linear layers",
    .paper = "Hu et al. 2021, LoRA, arXiv:2106.09685",
    .help = "Adds a trained product of two thin matrices to chosen projections.",
    .category = PB_REPARAMETRIZATION,
    .identity = true,
    .merges = true,
    .options = options,
    .conf_size = sizeof(conf),
    .presets = presets,
    .linear = linear,
    .low_rank = low_rank,
    .peft = &peft,
};
