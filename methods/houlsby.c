/* houlsby: a bottleneck after each sublayer, y + W_up f(W_down y + b_down) + b_up. */
#include "peftbench.h"

typedef struct conf {
    int bottleneck, act;
    double init;
    bool norms;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, bottleneck, INT, "64", 1, 65536, "m, the bottleneck dimension of an adapter"),
    PB_OPTION(conf, act, CHOICE, "gelu", "gelu|gelu_tanh|relu|tanh|silu", "f, the activation"),
    PB_OPTION(conf, init, REAL, "0.01", 0, 10, "standard deviation of W_down at the start"),
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
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int m = c->bottleneck;
    pb_node *down = pb_added(b, site, "down.weight", m, site->in, pb_init_normal(c->init));
    pb_node *down_bias = pb_vector(b, site, "down.bias", m, pb_init_constant(0));
    pb_node *up = pb_added(b, site, "up.weight", site->out, m, pb_init_constant(0));
    pb_node *up_bias = pb_vector(b, site, "up.bias", site->out, pb_init_constant(0));
    pb_node *h = pb_op_act(g, (pb_act)c->act, pb_op_linear(g, y, down, down_bias));
    return pb_op_add(g, pb_op_linear(g, h, up, up_bias), y);
}

const pb_method pb_method_houlsby = {
    .name = "houlsby",
    .title = "Houlsby adapters, one after each sublayer",
    .paper = "Houlsby et al. 2019, Parameter-efficient transfer learning for NLP, arXiv:1902.00751",
    .help = "Puts a trained bottleneck with a residual after attention and after the MLP.",
    .category = PB_ADDITIVE,
    .identity = true,
    .options = options,
    .conf_size = sizeof(conf),
    .select = trains,
    .block = block,
};
