/* peanut: y = W x + s B H x, where H [r,in] is a small network's function of the pretrained weight itself: H = f(A
 * W) with A [r,out], then H = f(E_i H) for the encoders E_i [r,r], and H = f(D_i H) + .. for the decoders, each with
 * a residual connection from the encoder of its level. */
#include "peftbench.h"

enum { MOST = 4 }; /* levels */

PB_SETTINGS(INT(rank, "32", 1, 4096, "r, the width of the network"),
            INT(depth, "0", 0, MOST, "the number of encoders, and of decoders"),
            CHOICE(act, "relu", "gelu|gelu_tanh|relu|tanh|silu|sigmoid", "f, the activation"),
            REAL(scale, "1", -1e6, 1e6, "s, the scale of the update"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* f(NAME.i H), with a trained matrix [r,r]. */
static pb_node *level(pb_build *b, const pb_site *site, const char *name, int i, pb_node *h)
{
    const conf *c = pb_conf(b);
    pb_node *w = pb_added(b, site, pb_name(b, "%s.%d", name, i), c->rank, c->rank, pb_init_kaiming(c->rank));
    return pb_op_act(b->graph, (pb_act)c->act, pb_op_product(b->graph, w, false, h, false));
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *A = pb_added(b, site, "A", c->rank, site->out, pb_init_kaiming(site->out)), *residual[MOST];
    pb_node *w = pb_graph_remake(g, pb_op_unpack(g, pb_graph_param(g, site->w)));
    pb_node *h = pb_op_act(g, (pb_act)c->act, pb_op_product(g, A, false, w, false));
    for (int i = 0; i < c->depth; i++) {
        residual[i] = h;
        h = level(b, site, "encoder", i, h);
    }
    for (int i = 0; i < c->depth; i++)
        h = pb_op_add(g, level(b, site, "decoder", i, h), residual[c->depth - 1 - i]);
    pb_node *B = pb_added(b, site, "B", site->out, c->rank, pb_init_constant(0));
    return pb_op_linear_add(g, pb_inner_linear(b, site, x), pb_op_linear(g, x, h, NULL), B, c->scale);
}

#define LEVEL(i)                                                                                                       \
    {.ours = "encoder." #i, .theirs = "peanut_encoders." #i ".weight", .when = "depth > " #i},                         \
    {                                                                                                                  \
        .ours = "decoder." #i, .theirs = "peanut_decoders." #i ".weight", .when = "depth > " #i                        \
    }
const pb_method pb_method_peanut = {
    .name = "peanut",
    .title = "PEANuT: an update that a small network computes from the weight",
    .paper = "Zhong et al. 2024, NEAT (later PEANuT), arXiv:2410.01870",
    .help = "Adds a low-rank update whose right factor is a nonlinear function of the pretrained weight.",
    .equation = "y = W x + s B H x; H = f(A W), then depth encoders f(E_i H) and decoders f(D_i H) + residual",
    .notes = "H is formed once a step and applied as a thin matrix; PEFT forms the whole update. The weight is that of "
             "the base model, in a composition too. Computing A W costs the FLOPs of the projection on rank tokens.",
    .count = "2*rank*out + 2*depth*rank*rank",
    .deviation = "A: 1/sqrt(3*out); B: 0; encoder.*: 1/sqrt(3*rank); decoder.*: 1/sqrt(3*rank)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT(
        "PEANUT",
        PB_PEFT_TENSORS({"A", "peanut_A.weight"}, {"B", "peanut_B.weight"}, LEVEL(0), LEVEL(1), LEVEL(2), LEVEL(3)),
        PB_PEFT_KEYS(
            {"r", "rank"}, {"depth", "depth"},
            {"act_fn", "act", .words = "\"gelu\"|\"gelu_pytorch_tanh\"|\"relu\"|\"tanh\"|\"silu\"|\"sigmoid\""},
            {"scaling", "scale"})),
};
