/* vera: y = W x + b * (B (d * (A x))).  A and B are random, the same for all projections, and stored nowhere: they are
 * drawn from the run's seed.  The vectors d [rank] and b [out] train. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "256", 1, 65536, "r, the rows of A and the columns of B"),
            REAL(initial, "0.1", 1e-9, 1000, "every element of d at the start"),
            REAL(dropout, "0", 0, 0.99, "of the input of A, while training"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static pb_node *linear(pb_build *build, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(build);
    pb_graph *g = build->graph;
    pb_node *A, *B, *d = pb_vector(build, site, "d", c->rank, pb_init_constant(c->initial));
    pb_node *b = pb_vector(build, site, "b", site->out, pb_init_constant(0));
    pb_shared_factors(build, site, c->rank, c->rank, &A, &B);
    pb_node *h = pb_op_scale(g, pb_op_linear(g, pb_drop(build, x, c->dropout), A, NULL), d);
    return pb_op_add(g, pb_inner_linear(build, site, x), pb_op_scale(g, pb_op_linear(g, h, B, NULL), b));
}

const pb_method pb_method_vera = {
    .name = "vera",
    .title = "VeRA: trained vectors between random matrices that all layers share",
    .paper = "Kopiczko et al. 2023, VeRA, arXiv:2310.11454",
    .help = "Scales the rows and columns of one random low-rank product by vectors of each projection.",
    .equation = "y = W x + b * (B (d * (A x)))",
    .notes = "The rank is that of the paper's RoBERTa-large; its RoBERTa-base and GPT-2 have 1024. The paper adapts "
             "projections of one shape; for targets of several shapes A and B have the largest sides, and a smaller "
             "projection uses their first rows and columns, as in PEFT. A rank of hundreds costs the FLOPs of a LoRA "
             "of that rank, so in a small model the method saves stored parameters only.",
    .count = "rank+out",
    .deviation = "B: sqrt(2/rank); d: initial; b: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT(
        "VERA",
        PB_PEFT_TENSORS({"d", "vera_lambda_d", "cols"}, {"b", "vera_lambda_b", "cols"},
                        {"A", "base_model.vera_A", .of_model = true}, {"B", "base_model.vera_B", .of_model = true}),
        PB_PEFT_KEYS({"r", "rank"}, {"d_initial", "initial"}, {"vera_dropout", "dropout"}, PB_PEFT_PROJECTION_SAVED),
        .fixed = PB_PEFT_NO_BIAS),
};
