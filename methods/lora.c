/* lora: h = W x + alpha/r * B A x, with A [r,in] and B [out,r].  Dropout is applied to the input of A only.
 *
 * With dora = yes, each row of V = W + alpha/r * B A is a direction and a trained magnitude m [1,out] its length: h is
 * m / |V| * V x.  Gradients do not flow through the row norms |V|, as in the paper (section 4.3). */
#include <math.h>

#include "peftbench.h"

typedef struct conf {
    pb_low_rank_settings update;
    bool rslora, dora;
} conf;

static const pb_option options[] = {
    PB_LOW_RANK_OPTIONS("attn.q attn.v attn.qkv"),
    PB_OPTION(conf, rslora, BOOL, "no", "scale by alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732)"),
    PB_OPTION(conf, dora, BOOL, "no", "train the norm of each row of W + B A (Liu et al. 2024, arXiv:2402.09353)"),
    {0},
};

static pb_low_rank low_rank(const void *settings, const pb_site *site)
{
    const conf *c = settings;
    pb_low_rank u = pb_low_rank_at(c, site);
    u.scale *= c->rslora ? sqrt(u.rank) : 1;
    u.additive = !c->dora;
    return u;
}

/* y = V x + bias becomes m / |V| * V x + bias. */
static pb_node *rescale(pb_build *b, const pb_site *site, pb_node *y, pb_node *B, pb_node *A, double scale)
{
    pb_node *m = pb_vector(b, site, "m", site->out, pb_init_row_norms(site->w));
    pb_node *inverse = pb_op_inverse_row_norms(b->graph, pb_inner_weight(b, site), B, A, scale);
    return pb_op_scale_about(b->graph, y, pb_op_scale(b->graph, m, inverse), pb_base_bias(b, site));
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = low_rank(c, site);
    pb_node *A = pb_low_rank_down(b, site, u.rank), *B = pb_low_rank_up(b, site, u.rank);
    pb_node *y = pb_low_rank_add(b, site, x, A, B, u.scale);
    return c->dora ? rescale(b, site, y, B, A, u.scale) : y;
}

static const pb_peft_tensor tensors[] = {
    PB_LOW_RANK_PEFT_TENSORS, {"m", "lora_magnitude_vector", true, "lora_magnitude_vector", .when = "dora"}, {0}};
static const pb_peft_key keys[] = {
    PB_LOW_RANK_PEFT_KEYS, {.key = "use_rslora", .option = "rslora"}, {.key = "use_dora", .option = "dora"}, {0}};
static const pb_peft peft = {
    .type = "LORA",
    .tensors = tensors,
    .keys = keys,
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
    .count = "rank*(in+out)+dora*out",
    .deviation = "A: 1/sqrt(3*in); B: 0",
    .category = PB_REPARAMETRIZATION,
    .identity = true,
    .merges = true,
    .options = options,
    .conf_size = sizeof(conf),
    .size = "rank",
    .presets = presets,
    .linear = linear,
    .low_rank = low_rank,
    .peft = &peft,
};
