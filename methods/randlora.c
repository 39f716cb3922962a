/* randlora: W' = W + alpha/r * B A', an update of full rank.  B [max, n r] and A [r, min] are random, the same for all
 * projections, and drawn from the run's seed; max and min are the larger and the smaller side of the weight, and n r is
 * at least min.  Row k n + i of A' [n r, min] is lambda[k,i] * A[k] * gamma[i], with lambda [r,n] and gamma [n,min]
 * trained.  Where the weight has more columns than rows, the update is the transpose. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "32", 1, 4096, "r, the rank of each of the n products in the sum"),
            REAL(alpha, "640", 1e-9, 1e6, "the update is scaled by alpha / r"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* A and B are uniform with deviation 1; a smaller weight has the first columns of A and the first part of B. */
static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int r = c->rank, in, out, least = pb_min(site->in, site->out), most = site->in + site->out - least;
    pb_widest_target(b, &in, &out);
    int small = pb_min(in, out), large = in + out - small, all = (small + r - 1) / r * r, n = (least + r - 1) / r;
    pb_node *lambda = pb_added(b, site, "lambda", r, n, pb_init_constant(0));
    pb_node *gamma = pb_added(b, site, "gamma", n, least, pb_init_constant(1.0 / least));
    pb_node *A = pb_shared_part(b, pb_seeded(b, NULL, "A", r, small, pb_init_uniform(sqrt(3))), r, least);
    pb_node *B = pb_shared_part(b, pb_seeded(b, NULL, "B", large, all, pb_init_uniform(sqrt(3))), most, n * r);
    A = pb_op_scale(g, pb_op_khatri_rao(g, A, gamma, false), pb_op_reshape(g, lambda, r * n, 1));
    pb_node *change = least == site->in ? pb_op_product(g, B, false, A, false) : pb_op_product(g, A, true, B, true);
    return pb_op_add(g, pb_op_times(g, change, c->alpha / r), w);
}

const pb_method pb_method_randlora = {
    .name = "randlora",
    .title = "RandLoRA: an update of full rank from scaled random matrices",
    .paper = "Albert et al. 2025, RandLoRA, arXiv:2502.00987",
    .help = "Sums enough products of random low-rank matrices for full rank, and trains their scales.",
    .equation = "W' = W + alpha/rank * sum_i B_i diag(lambda_i) A diag(gamma_i), i = 1 .. n, n rank >= min(in, out)",
    .notes = "A and B are uniform with deviation 1, as in PEFT, whose ternary ones (sparse, very_sparse) do not exist "
             "here. PEFT numbers the rows of A' and the columns of B in different orders, which decides which random "
             "columns meet; this is done alike here. B has as many elements as the largest weight, and every step "
             "forms B A', so a small model saves no memory. Adapters of PEFT hold a copy of A and B for every module.",
    .count = "n = ceil(min(in, out)/rank); rank*n + n*min(in, out)",
    .deviation = "A: 1; B: 1; lambda: 0; gamma: 1/max(ceil(min(in, out)/rank), min(in, out))",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.weight = weight},
    .peft = PB_PEFT(
        "RANDLORA",
        PB_PEFT_TENSORS(
            {"A", "base_model.randlora_A", "rows, 1, cols", .of_model = true, .copies = "randlora_A"},
            {"B", "base_model.randlora_B", "rows, cols/rank, rank", .of_model = true, .copies = "randlora_B"},
            {"lambda", "randlora_lambda"}, {"gamma", "randlora_gamma"}),
        PB_PEFT_KEYS({"r", "rank"}, {"randlora_alpha", "alpha"}, PB_PEFT_PROJECTION_SAVED), .fixed = PB_PEFT_NO_BIAS),
};
