/* lora-xs: h = W x + s U_r R S_r V_r^T x, s = alpha / r: the r largest singular values of W and their vectors stay, and
 * R [r,r] between them trains.  B [out,r] holds U_r, and A [r,in] holds S_r V_r^T.  With inner > 0, R = Q P of two thin
 * matrices, P [inner,r] and Q [r,inner], that start as a LoRA does; B then holds U_r S_r, and A V_r^T. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK("attn.q attn.v attn.qkv attn.o mlp.down"),
            INT(inner, "0", 0, 4096, "the rank of R; 0: R is one matrix"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = pb_low_rank_at(c, site);
    pb_node *A, *B;
    pb_singular_fixed(b, site, u.rank, &A, &B);
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->update.dropout), A, NULL);
    if (c->inner) {
        h = pb_op_linear(b->graph, h, pb_added(b, site, "P", c->inner, u.rank, pb_init_kaiming(u.rank)), NULL);
        h = pb_op_linear(b->graph, h, pb_added(b, site, "Q", u.rank, c->inner, pb_init_constant(0)), NULL);
    } else
        h = pb_op_linear(b->graph, h, pb_added(b, site, "R", u.rank, u.rank, pb_init_normal(1e-5)), NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, u.scale);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    pb_singular_factors(b, c->inner > 0, c->inner == 0);
}

const pb_method pb_method_lora_xs = {
    .name = "lora-xs",
    .title = "LoRA-XS: a small matrix between fixed singular vectors",
    .paper = "Bałazy et al. 2024, LoRA-XS, arXiv:2405.17604",
    .help = "Trains an r x r matrix between the fixed principal singular vectors of each weight.",
    .equation = "y = W x + alpha/rank * U_r R S_r V_r^T x",
    .notes = "W = U S V^T; S_r is on the side of the input, as in the authors' code, whose targets on GLUE these are. "
             "R starts normal with the deviation 0.00001, so the first outputs are nearly the base's. What trains does "
             "not depend on the width; U_r and S_r V_r^T stay, and the artifact holds them.",
    .count = "(inner==0)*rank*rank+2*inner*rank",
    .deviation = "R: 0.00001; Q: 0",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .presets = PB_PRESETS(
        {"nora", "NoRA: a LoRA inside of a fixed LoRA of singular vectors",
         "Lin et al. 2024, NoRA: nested low-rank adaptation, arXiv:2408.10280", "inner=4",
         "The outer matrices come from the weight alone; a later version scales it by the activations first. As there "
         "is no public code, the inner start (here a LoRA's) and the side of S (here the output's) are not verified."}),
    .hooks = {.linear = linear, .start = start},
};
