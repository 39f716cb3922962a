/* deft: what a projection computes in a small subspace of its outputs is removed, and a trained map takes its place. */
#include "peftbench.h"

enum { RELU, QR }; /* projector */

PB_SETTINGS(INT(rank, "8", 1, 4096, "r, the columns of P"),
            CHOICE(projector, "relu", "relu|qr", "P relu(P)^T, or Q Q^T with orthonormal columns Q of P"),
            BOOL(inject, "yes", "R x takes the place of what is removed"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The rows that read the outputs, relu(P)^T or Q^T: [r,out]. */
static pb_node *reading(pb_build *b, pb_node *P)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    return c->projector == QR ? pb_op_orthonormal(g, pb_op_transpose(g, P))
                              : pb_op_transpose(g, pb_op_act(g, PB_RELU, P));
}

/* read (W x): [T,r].  y has the bias, which is not a part of the weight. */
static pb_node *removed(pb_build *b, const pb_site *site, pb_node *y, pb_node *read)
{
    pb_node *h = pb_op_linear(b->graph, y, read, NULL), *bias = pb_base_bias(b, site);
    pb_node *of_bias = bias ? pb_op_linear(b->graph, bias, read, NULL) : NULL;
    return bias ? pb_op_shift(b->graph, h, pb_op_times(b->graph, of_bias, -1)) : h;
}

/* W x - P read W x + P R x.  P = P0 + D and R = R' + read0 W, where D and R' train from zero and read0 is that of P0:
 * so R starts as read W, and the outputs as the base's. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *P0 = pb_seeded(b, site, "P0", site->out, c->rank, pb_init_normal(0.02));
    pb_node *P = pb_op_add(g, pb_added(b, site, "D", site->out, c->rank, pb_init_constant(0)), P0);
    pb_node *y = pb_inner_linear(b, site, x), *read = reading(b, P);
    pb_node *h = pb_op_times(g, removed(b, site, y, read), -1);
    if (c->inject) {
        pb_node *R = pb_added(b, site, "R", c->rank, site->in, pb_init_constant(0));
        h = pb_op_add(g, pb_op_add(g, h, removed(b, site, y, reading(b, P0))), pb_op_linear(g, x, R, NULL));
    }
    return pb_op_linear_add(g, y, h, c->projector == QR ? pb_op_transpose(g, read) : P, 1);
}

/* What PEFT's P has beside P0. */
static pb_node *change_of_P(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    return pb_op_times(b->graph, pb_added(b, site, "D", site->out, c->rank, pb_init_constant(0)), 1);
}

/* What PEFT's R has beside R': read0 W. */
static pb_node *start_of_R(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    pb_node *P0 = pb_seeded(b, site, "P0", site->out, c->rank, pb_init_normal(0.02));
    return pb_op_product(b->graph, reading(b, P0), false, pb_inner_weight(b, site), false);
}

const pb_method pb_method_deft = {
    .name = "deft",
    .title = "DEFT: a subspace of the outputs is replaced",
    .paper =
        "Kumar et al. 2025, DEFT: Decompositional efficient fine-tuning for text-to-image models, arXiv:2509.22793",
    .help = "Removes what a projection computes in r trained directions, and adds a trained map into them.",
    .equation = "(W - P relu(P)^T W + P R) x + b; with projector=qr: (W - Q Q^T W + Q R) x + b",
    .notes = "The paper and PaRa are about models that make images. The formula is that of PEFT, whose start is the "
             "base model by R = relu(P)^T W. Here P and R are the sums of their start and of tensors that train from "
             "zero, which is the same without weight decay; with it they decay towards their start.",
    .count = "rank*(out+inject*in)",
    .deviation = "D: 0; R: 0; P0: 0.02",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .presets = PB_PRESETS(
        {"para", "PaRa: the rank of the weight is reduced",
         "Chen et al. 2024, PaRa: Personalizing text-to-image diffusion via parameter rank reduction, arXiv:2406.05641",
         "projector=qr,inject=no",
         "W x - Q Q^T W x, where nothing takes the place of what is removed, so the start is not the base model."}),
    .hooks = {.linear = linear},
    /* The projector qr is not exchanged: PEFT's R follows the signs of torch's decomposition, which no file has. */
    .peft = PB_PEFT("DEFT",
                    PB_PEFT_TENSORS({"P0", "deft_P", .plus = change_of_P}, {"R", "deft_R", .plus = start_of_R}, {"D"}),
                    PB_PEFT_KEYS({"r", "rank"}, {"decomposition_method", "projector", .words = "\"relu\""},
                                 {"para", "inject", .words = "true|false"}),
                    .fixed = PB_PEFT_NO_BIAS),
};
