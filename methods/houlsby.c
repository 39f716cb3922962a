/* houlsby: a bottleneck after each sublayer, y + W_up f(W_down y + b_down) + b_up. */
#include "peftbench.h"

typedef struct conf {
    pb_bottleneck_settings adapter;
    bool norms;
} conf;

static const pb_option options[] = {
    PB_BOTTLENECK_OPTIONS("64", "0.01", "attn mlp"),
    PB_OPTION(conf, norms, BOOL, "yes", "train the layer norms too, as the paper does"),
    {0},
};

static bool trains(const void *settings, const pb_param *p, int layers)
{
    const conf *c = settings;
    bool norm = p->kind == PB_NORM_GAIN || p->kind == PB_NORM_BIAS;
    return p->kind == PB_HEAD || (c->norms && norm && p->layer >= 0 && p->layer < layers);
}

/* The paper starts near the identity; W_up = 0 starts exactly there. */
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    pb_affine down = pb_bottleneck_down(b, site, "down"), up = pb_bottleneck_up(b, site, "up");
    return pb_op_add(b->graph, pb_bottleneck_apply(b, down, up, y), y);
}

const pb_method pb_method_houlsby = {
    .name = "houlsby",
    .title = "Houlsby adapters, one after each sublayer",
    .paper = "Houlsby et al. 2019, Parameter-efficient transfer learning for NLP, arXiv:1902.00751",
    .help = "Puts a trained bottleneck with a residual after attention and after the MLP.",
    .count = "bottleneck*(in+out+1)+out",
    .deviation = "down.weight: init; up.weight: 0; *.bias: 0",
    .category = PB_ADDITIVE,
    .identity = true,
    .options = options,
    .conf_size = sizeof(conf),
    .select = trains,
    .block = block,
};
