/* lora-xs: h = W x + s U_r R S_r V_r^T x, s = alpha / r: the r largest singular values of W and their vectors stay, and
 * R [r,r] between them trains.  B [out,r] holds U_r, and A [r,in] holds S_r V_r^T.
 *
 * With inner > 0, R = Q P is a product of two thin matrices, P [inner,r] and Q [r,inner], that start as a LoRA does,
 * and B holds U_r S_r, A V_r^T. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK("attn.q attn.v attn.qkv attn.o mlp.down"),
            INT(inner, "0", 0, 4096, "the rank of R; 0: R is one matrix"));

/* R h;  h [T,r] */
static pb_node *between(pb_build *b, const pb_site *site, pb_node *h, int r)
{
    const conf *c = pb_conf(b);
    if (!c->inner)
        return pb_op_linear(b->graph, h, pb_added(b, site, "R", r, r, pb_init_normal(1e-5)), NULL);
    pb_node *P = pb_added(b, site, "P", c->inner, r, pb_init_kaiming(r));
    pb_node *Q = pb_added(b, site, "Q", r, c->inner, pb_init_constant(0));
    return pb_op_linear(b->graph, pb_op_linear(b->graph, h, P, NULL), Q, NULL);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = pb_low_rank_at(c, site);
    pb_node *A, *B;
    if (pb_singular_fixed(b, site, u.rank, &A, &B))
        return NULL;
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->update.dropout), A, NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), between(b, site, h, u.rank), B, u.scale);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    pb_singular_factors(b, c->inner > 0, c->inner == 0);
}

static const pb_preset presets[] = {
    {"nora", "NoRA: a LoRA inside of a fixed LoRA of singular vectors",
     "Lin et al. 2024, NoRA: nested low-rank adaptation, arXiv:2408.10280", "inner=4",
     "The outer matrices come from the weight alone; the authors' later version scales it by the activations before "
     "it is decomposed. There is no public code: how the inner matrices start and on which side S stands could not "
     "be verified. Here the inner ones start as those of a LoRA, and S is on the side of the input."},
    {0},
};

const pb_method pb_method_lora_xs = {
    .name = "lora-xs",
    .title = "LoRA-XS: a small matrix between fixed singular vectors",
    .paper = "Bałazy et al. 2024, LoRA-XS, arXiv:2405.17604",
    .help = "Trains an r x r matrix between the fixed principal singular vectors of each weight.",
    .equation = "y = W x + alpha/rank * U_r R S_r V_r^T x",
    .notes = "W = U S V^T; S_r stands on the side of the input, as in the authors' code, whose targets on GLUE these "
             "are. R starts as normal numbers with the deviation 0.00001, so the first outputs are nearly those of "
             "the base. What trains does not depend on the width; U_r and S_r V_r^T do not train, and the artifact "
             "holds them.",
    .count = "(inner==0)*rank*rank+2*inner*rank",
    .deviation = "R: 0.00001; Q: 0",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .presets = presets,
    .hooks = {.linear = linear, .start = start},
};
