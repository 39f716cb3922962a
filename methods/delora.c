/* delora: y = W x + lambda/r * B^ A^ (|w| * x).  The rows of A^ [r,in] and the columns of B^ [out,r] have unit length,
 * |w| [in] holds the lengths of the columns of W, and lambda is the trained strength of the change. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "8", 1, 4096, "r, the rank of B A"),
            REAL(lambda, "15", 1e-9, 1e6, "at the start, the bound of the change of W"),
            REAL(dropout, "0", 0, 0.99, "of the input of A, while training"),
            TEXT(rank_pattern, "", "ranks of single projections: \"mlp.*=4 0.attn.q=16\""),
            TEXT(lambda_pattern, "", "lambdas of single projections"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int rank = (int)pb_at_site(c->rank_pattern, site, c->rank);
    double bound = pb_at_site(c->lambda_pattern, site, c->lambda);
    pb_node *A = pb_low_rank_down(b, site, rank), *B = pb_low_rank_up(b, site, rank);
    pb_node *lambda = pb_vector(b, site, "lambda", 1, pb_init_constant(bound));
    pb_node *lengths = pb_fixed(b, site, "lengths", 1, site->in, pb_init_column_norms(site->w));
    const double least = 1e-4; /* shorter lengths are not divided by, as in PEFT */
    pb_node *scaled = pb_op_scale(g, pb_drop(b, x, c->dropout), lengths);
    pb_node *h = pb_op_scale(g, pb_op_linear(g, scaled, pb_op_unit(g, A, false, least), NULL), lambda);
    return pb_op_linear_add(g, pb_inner_linear(b, site, x), h, pb_op_unit(g, B, true, least), 1.0 / rank);
}

const pb_method pb_method_delora = {
    .name = "delora",
    .title = "DeLoRA: a low-rank update with its angles and its strength apart",
    .paper = "Bini et al. 2025, DeLoRA, arXiv:2503.18225",
    .help = "Normalizes the factors of the update and trains its strength as one number.",
    .equation = "y = W x + lambda/rank * unit(B) unit(A) (|w| * x), |w_j| the length of column j of W",
    .notes = "The start is PEFT's, B = 0 with lengths of at least 1e-4; the authors' code starts with random A and B "
             "and subtracts the first update, which it keeps. While B is that short, its gradient is large in "
             "proportion to 1 / 1e-4, and a global clip of the gradient scales all other gradients down with it. Rank "
             "and lambda are PEFT's defaults; the default of lambda in the authors' script for GLUE is 1.",
    .count = "rank*(in+out)+1",
    .deviation = "A: 1/sqrt(3*in); B: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT("DELORA",
                    PB_PEFT_TENSORS({"A", "delora_A"}, {"B", "delora_B"}, {"lambda", "delora_lambda", "cols"},
                                    {"lengths", "delora_w_norm", "cols"}),
                    PB_PEFT_KEYS({"r", "rank", "rank_pattern", "rank_pattern", .rows = true},
                                 {"delora_lambda", "lambda", "lambda_pattern", "lambda_pattern"},
                                 {"module_dropout", "dropout"}),
                    .fixed = PB_PEFT_NO_BIAS),
};
