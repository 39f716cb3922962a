/* hra: W' = W H_1 H_2 .. H_r with the Householder reflections H_i = I - 2 u_i u_i^T / |u_i|^2: the input of a
 * projection is turned, and keeps its length.  The rows of u [r,in] start as equal pairs, whose reflections cancel. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "8", 2, 4096, "r, the number of reflections; even"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (c->rank % 2)
        return pb_refuse("hra: rank: want an even number, since reflections start in pairs that cancel, got %d",
                         c->rank);
    pb_init pairs = pb_init_pairs(pb_init_uniform(sqrt(2.0 / c->rank)));
    pb_node *u = pb_added(b, site, "u", c->rank, site->in, pairs);
    return pb_inner_linear(b, site, pb_op_householder(b->graph, x, u));
}

const pb_method pb_method_hra = {
    .name = "hra",
    .title = "HRA: Householder reflection adaptation",
    .paper = "Yuan et al. 2024, Householder reflection adaptation, arXiv:2405.17484",
    .help = "Multiplies each weight by a chain of trained reflections.",
    .equation = "y = W H_1 .. H_r x + b,  H_i = I - 2 u_i u_i^T / |u_i|^2",
    .notes = "The lengths of the u_i do not change the outputs, but the size of a step relative to them; they start as "
             "in PEFT, uniform with the bound sqrt(2/r) in each element.  An odd number of reflections does not start "
             "at the identity and is refused.  The paper's penalty on the angles between the u_i is left out, as in "
             "PEFT (its lambda is 0), and so is the Gram-Schmidt process (PEFT's apply_GS).",
    .count = "rank*in",
    .deviation = "u: sqrt(2/(3*rank))",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT("HRA", PB_PEFT_TENSORS({"u", "hra_u", .axes = "10"}), PB_PEFT_KEYS({"r", "rank"}),
                    .fixed = PB_PEFT_NO_BIAS),
};
