/* eva: LoRA whose A [r,in] starts as the r directions in which the inputs of the projection vary most: the eigenvectors
 * of x^T x with the largest eigenvalues, which are the right singular vectors of all inputs x of the samples. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK("attn.q attn.v attn.qkv"),
            INT(samples, "64", 1, 1000000, "training examples whose inputs of the projections are decomposed"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_low_rank u = pb_low_rank_at(pb_conf(b), site);
    if (pb_rank_fits(b, site, u.rank))
        return NULL;
    pb_node *A = pb_low_rank_down(b, site, u.rank), *B = pb_low_rank_up(b, site, u.rank);
    return pb_low_rank_add(b, site, x, A, B, u.scale);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    PB_EACH_TARGET(b, site) {
        size_t n = (size_t)site->in;
        pb_param *A = pb_tensor(b, site, "A");
        pb_real *vectors = pb_alloc((n * n + n) * sizeof *vectors);
        if (!pb_eigen(stats->inputs[site->number], site->in, vectors + n * n, vectors))
            memcpy(A->x, vectors, (size_t)A->rows * n * sizeof *A->x);
        free(vectors);
    }
}

const pb_method pb_method_eva = {
    .name = "eva",
    .title = "EVA: LoRA that starts from the directions of its inputs",
    .paper = "Paischer et al. 2024, One initialization to rule them all: EVA, arXiv:2410.07170",
    .help = "Starts A of a LoRA from the principal directions of each projection's inputs.",
    .equation = "y = W x + alpha/rank * B A x, A = V_r^T of the inputs X = U S V^T",
    .notes = "All projections have the same rank, which is rho = 1 in the paper: with a larger rho it gives ranks to "
             "the projections by the variance that their directions explain, and the shapes of tensors would depend on "
             "the data. The directions are those of x^T x over all tokens of the samples; the authors' code in PEFT "
             "takes them after the mean of x has been subtracted, in steps over batches.",
    .count = "rank*(in+out)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear, .asks = pb_asks_inputs, .start = start, .low_rank = pb_low_rank_at},
    .peft = &pb_low_rank_peft,
};
