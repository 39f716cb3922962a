/* hira: y = (W + W * (B A)) x with the elementwise product *: a change of high rank from two thin matrices. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "32", 1, 4096, "r, the rank of B A"),
            TEXT(rank_pattern, "", "ranks of single projections: \"mlp.*=4 0.attn.q=16\""),
            TEXT(targets, "attn.q attn.k attn.v attn.qkv mlp.up mlp.down", "projections to adapt"));

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int rank = (int)pb_at_site(c->rank_pattern, site, c->rank);
    pb_node *A = pb_low_rank_down(b, site, rank), *B = pb_low_rank_up(b, site, rank);
    return pb_op_add(g, pb_op_multiply(g, pb_op_product(g, B, false, A, false), w), w);
}

const pb_method pb_method_hira = {
    .name = "hira",
    .title = "HiRA: Hadamard high-rank adaptation",
    .paper = "Huang et al. 2025, HiRA, ICLR 2025, openreview TwJrTz9cRS",
    .help = "Multiplies each weight by one plus an element of a trained low-rank matrix.",
    .equation = "W' = W + W * (B A), elementwise; y = W' x",
    .notes = "The change has the rank of W times that of B A at most. The changed weight is formed, one at a time, so "
             "that a token costs the FLOPs of the projection and the gradient of B A those of a full weight. PEFT's "
             "dropout of the change's input has no counterpart here: a weight has no input. PEFT 0.21 ignores its own "
             "rank_pattern, and all modules have the rank r; an adapter with other ranks is not written.",
    .count = "rank*(in+out)",
    .deviation = "A: 1/sqrt(3*in); B: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.weight = weight},
    .peft = PB_PEFT("HIRA", PB_PEFT_TENSORS({"A", "hira_A"}, {"B", "hira_B"}), PB_PEFT_KEYS({"r", "rank"}),
                    .loaded = PB_PEFT_TENSORS({"rank_pattern", ""})),
};
