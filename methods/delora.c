/* delora: y = W x + lambda/r * B^ A^ (|w| * x).  The rows of A^ [r,in] and the columns of B^ [out,r] have unit length,
 * |w| [in] holds the lengths of the columns of W, and lambda is the trained strength of the change. */
#include "peftbench.h"

#define LEAST 1e-4 /* lengths below it are not divided by, as in PEFT */

PB_SETTINGS(INT(rank, "8", 1, 4096, "r, the rank of B A"),
            REAL(lambda, "15", -1e6, 1e6, "at the start, the bound of the change of W"),
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
    pb_node *A = pb_added(b, site, "A", rank, site->in, pb_init_kaiming(site->in));
    pb_node *B = pb_added(b, site, "B", site->out, rank, pb_init_constant(0));
    pb_node *lambda = pb_vector(b, site, "lambda", 1, pb_init_constant(bound));
    pb_node *lengths = pb_fixed(b, site, "lengths", 1, site->in, pb_init_column_norms(site->w));
    pb_node *h =
        pb_op_linear(g, pb_op_scale(g, pb_drop(b, x, c->dropout), lengths), pb_op_unit(g, A, false, LEAST), NULL);
    return pb_op_linear_add(g, pb_inner_linear(b, site, x), pb_op_scale(g, h, lambda), pb_op_unit(g, B, true, LEAST),
                            1.0 / rank);
}

static const pb_peft peft = {
    .type = "DELORA",
    .tensors = (const pb_peft_tensor[]){{.ours = "A", .theirs = "delora_A"},
                                        {.ours = "B", .theirs = "delora_B"},
                                        {.ours = "lambda", .theirs = "delora_lambda", .shape = "cols"},
                                        {.ours = "lengths", .theirs = "delora_w_norm", .shape = "cols"},
                                        {0}},
    .keys = (const pb_peft_key[]){{"r", "rank", "rank_pattern", "rank_pattern", .rows = true},
                                  {"delora_lambda", "lambda", "lambda_pattern", .pattern_option = "lambda_pattern"},
                                  {.key = "module_dropout", .option = "dropout"},
                                  {0}},
    .fixed = "\"bias\": \"none\"",
};

const pb_method pb_method_delora = {
    .name = "delora",
    .title = "DeLoRA: a low-rank update with its angles and its strength apart",
    .paper = "Bini et al. 2025, DeLoRA, arXiv:2503.18225",
    .help = "Normalizes the factors of the update and trains its strength as one number.",
    .equation = "y = W x + lambda/rank * unit(B) unit(A) (|w| * x), |w_j| the length of column j of W",
    .notes = "The start is PEFT's, B = 0 with lengths of at least 1e-4; the authors' code starts with random A and B "
             "and subtracts the first update, which it keeps. While B is that short, its gradient is large in "
             "proportion to 1 / 1e-4, and a global clip of the gradient scales all other gradients down with it. "
             "Rank and lambda are PEFT's defaults; the default of lambda in the authors' script for GLUE is 1.",
    .count = "rank*(in+out)+1",
    .deviation = "A: 1/sqrt(3*in); B: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = &peft,
};
