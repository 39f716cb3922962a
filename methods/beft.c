/* beft: y = W x + b + beta, with a vector beta that trains, on the values of attention. */
#include "peftbench.h"

PB_SETTINGS(TEXT(targets, "attn.v attn.qkv", "projections whose output is shifted; of attn.qkv the values only"));

/* The values are the last columns of attn.qkv: beta [1,kv_width] with zeros in front, [1,out]. */
static pb_node *behind_zeros(pb_build *b, const pb_site *site, pb_node *beta)
{
    int *place = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)site->out * sizeof *place);
    int zeros = site->out - b->kv_width;
    for (int j = 0; j < site->out; j++)
        place[j] = j < zeros ? -1 : j - zeros;
    return pb_op_gather(b->graph, beta, place, NULL, 1, site->out);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    bool fused = !strcmp(site->role, "attn.qkv");
    pb_node *beta = pb_vector(b, site, "beta", fused ? b->kv_width : site->out, pb_init_constant(0));
    beta = fused ? behind_zeros(b, site, beta) : beta;
    return pb_op_shift(b->graph, pb_inner_linear(b, site, x), beta);
}

const pb_method pb_method_beft = {
    .name = "beft",
    .title = "BEFT: the biases of the values only",
    .paper =
        "Huang et al. 2025, BEFT: Bias-efficient fine-tuning of language models in low-data regimes, arXiv:2509.15974",
    .help = "Trains a bias of the value projections, in networks without biases too.",
    .equation = "v = W_v x + b_v + beta",
    .notes = "As in PEFT the trained vector is added to the base's bias, which stays frozen; for the optimizer this is "
             "the same as training b_v, apart from weight decay, which neither has.  The paper's first version chooses "
             "between b_q, b_k and b_v; its second one, and PEFT, train b_v.  Where queries, keys and values are one "
             "projection (GPT-2), only the columns of the values are shifted; PEFT has no such adapter.",
    .count = "fused*kv + (1-fused)*out",
    .deviation = "beta: 0",
    .traits = {PB_SELECTIVE, .identity = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .hooks = {.linear = linear},
    .peft = PB_PEFT("BEFT", PB_PEFT_TENSORS({"beta", "beft_bias"})),
};
