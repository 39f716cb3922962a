/* prefix: trained keys and values in front of those of the text, in every layer. */
#include "peftbench.h"

typedef struct conf {
    int length, hidden;
    double init;
    bool mlp;
    const char *targets;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, length, INT, "10", 1, 4096, "P, the number of prefix tokens"),
    PB_OPTION(conf, mlp, BOOL, "no", "compute keys and values from an embedding by a shared MLP, as the paper does"),
    PB_OPTION(conf, hidden, INT, "384", 1, 65536, "intermediate size of that MLP"),
    PB_OPTION(conf, init, REAL, "0.02", 0, 10, "standard deviation at the start"),
    PB_OPTION(conf, targets, TEXT, "attn", "the layers that have a prefix, such as 3.attn; attn: all"),
    {0},
};

/* The positions of the text start after the prefix. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    b->first_position += c->length;
    return x;
}

/* W2 tanh(W1 E + b1) + b2: all layers share E [P,C], W1 and b1; each has a W2 and a b2. */
static pb_node *reparametrized(pb_build *b, const pb_site *site, const char *weight, const char *bias)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int width = b->width, hidden = c->hidden;
    pb_node *E = pb_added(b, NULL, "embed", c->length, width, pb_init_normal(1));
    pb_node *w1 = pb_added(b, NULL, "mlp.weight", hidden, width, pb_init_kaiming(width));
    pb_node *b1 = pb_vector(b, NULL, "mlp.bias", hidden, pb_init_kaiming(width));
    pb_node *w2 = pb_added(b, site, weight, b->kv_width, hidden, pb_init_kaiming(hidden));
    pb_node *b2 = pb_vector(b, site, bias, b->kv_width, pb_init_kaiming(hidden));
    return pb_op_linear(g, pb_op_act(g, PB_TANH, pb_op_linear(g, E, w1, b1)), w2, b2);
}

/* softmax(q [P_k; K]^T) [P_v; V] */
static pb_node *attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    const conf *c = pb_conf(b);
    pb_init init = pb_init_normal(c->init);
    pb_node *pk = c->mlp ? reparametrized(b, site, "k.weight", "k.bias")
                         : pb_added(b, site, "k", c->length, b->kv_width, init);
    pb_node *pv = c->mlp ? reparametrized(b, site, "v.weight", "v.bias")
                         : pb_added(b, site, "v", c->length, b->kv_width, init);
    return pb_inner_attention(b, site, q, pb_op_prepend(b->graph, pk, k), pb_op_prepend(b->graph, pv, v));
}

static const pb_peft peft = {
    .type = "PREFIX_TUNING",
    .layout = PB_PEFT_PREFIX,
    .tensors = (const pb_peft_tensor[]){{.ours = "k", .theirs = "prompt_embeddings"},
                                        {.ours = "v", .theirs = "prompt_embeddings"},
                                        {0}},
    .keys = (const pb_peft_key[]){{.key = "num_virtual_tokens", .option = "length"}, {0}},
    .fixed = "\"prefix_projection\": false",
};

static const pb_preset presets[] = {
    {.name = "p-tuning-v2",
     .title = "P-tuning v2: trained keys and values without an MLP",
     .paper = "Liu et al. 2021, P-tuning v2, arXiv:2110.07602",
     .spec = "mlp=no",
     .notes =
         "The paper tunes the length for each task, from a few tokens to more than a hundred, and finds that an MLP "
         "helps on some tasks only. The text keeps its own classification head, as in the paper."},
    {0},
};

const pb_method pb_method_prefix = {
    .name = "prefix",
    .title = "Prefix tuning: trained keys and values",
    .paper = "Li and Liang 2021, Prefix-tuning, arXiv:2101.00190",
    .help = "Lets every layer attend to P trained positions in front of the text.",
    .equation = "softmax(q [P_k; K]^T) [P_v; V]; with mlp: P_k and P_v are rows of W_2 tanh(W_1 E + b_1) + b_2",
    .notes = "The paper computes the prefix by an MLP while training, with an intermediate size of 512 or 800, since "
             "training is unstable without it, and stores the result alone. The default here has no MLP, as in PEFT; "
             "mlp = yes is the paper's. An artifact then has the MLP; an exported PEFT adapter has keys and values "
             "alone. The paper's start from activations of real words is not here.",
    .count = "model: mlp*(length*width+hidden*(width+1)); 2*kv*(mlp*(hidden+1)+(1-mlp)*length)",
    .deviation = "k: init; v: init; embed: 1",
    .category = PB_ADDITIVE,
    .options = options,
    .conf_size = sizeof(conf),
    .presets = presets,
    .size = "length",
    .embed = embed,
    .attention = attention,
    .peft = &peft,
};
