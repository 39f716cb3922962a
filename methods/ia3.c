/* ia3: rescales keys, values and the intermediate activation of the MLP, element by element. */
#include "peftbench.h"

typedef struct conf {
    const char *targets, *inputs;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, targets, TEXT, "attn.k attn.v attn.qkv mlp.down", "projections to rescale"),
    PB_OPTION(conf, inputs, TEXT, "mlp.down", "those whose input is rescaled; the others have their output rescaled"),
    {0},
};

static bool scales_input(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    return pb_site_in(c->inputs, site);
}

/* y = l * (W x + b), or W (l * x) + b in the MLP; l starts as ones. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    bool before = scales_input(b, site);
    pb_node *l = pb_vector(b, site, "l", before ? site->in : site->out, pb_init_constant(1));
    if (before)
        return pb_inner_linear(b, site, pb_op_scale(b->graph, x, l));
    return pb_op_scale(b->graph, pb_inner_linear(b, site, x), l);
}

static const pb_peft peft = {
    .type = "IA3",
    .tensors = (const pb_peft_tensor[]){{.ours = "l", .theirs = "ia3_l"}, {0}},
    .keys = (const pb_peft_key[]){{0}},
    .input_option = "inputs",
};

const pb_method pb_method_ia3 = {
    .name = "ia3",
    .title = "(IA)3: learned rescaling of inner activations",
    .paper = "Liu et al. 2022, Few-shot parameter-efficient fine-tuning, arXiv:2205.05638",
    .help = "Multiplies keys, values and the MLP's intermediate activation by trained vectors.",
    .category = PB_ADDITIVE,
    .identity = true,
    .merges = true,
    .options = options,
    .conf_size = sizeof(conf),
    .linear = linear,
    .peft = &peft,
};
