/* lora-ga: h = W x + s (B A x - B0 A0 x), s = alpha / r.  A [r,in] and B [out,r] train from A0 = c V^T[1..r] and B0 =
 * c U[r+1..2r], which stay, of g = dL/dW = U S V^T at the pretrained weights: the direction of the first step, B0 B0^T
 * g + g A0^T A0, is then c^2 times the best approximation of g of rank 2r.  c = out^(1/4) / gamma^(1/2), as in the
 * authors' code, keeps the scale of the outputs the same at all widths. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK("attn.q attn.v attn.qkv"),
            REAL(gamma, "16", 1e-6, 1e6, "A0 and B0 are scaled by out^(1/4) / sqrt(gamma)"),
            INT(samples, "64", 1, 1000000, "training examples from which the gradient of W is computed"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_low_rank u = pb_low_rank_at(pb_conf(b), site);
    return pb_rank_fits(b, site, u.rank) ? NULL : pb_low_rank_add_change(b, site, x, u);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    const conf *c = pb_conf(b);
    PB_EACH_TARGET(b, site) {
        pb_singular g;
        pb_param *A = pb_tensor(b, site, "A");
        double scale = pow(site->out, 0.25) / sqrt(c->gamma);
        if (!pb_singular_of(&g, stats->gradient[site->number], site->out, site->in)) {
            pb_singular_right(&g, 0, scale, 0, A);
            pb_singular_left(&g, A->rows, scale, 0, pb_tensor(b, site, "B")); /* 0 past the end: g is exact then */
            pb_low_rank_keep_start(b, site);
        }
        pb_singular_free(&g);
    }
}

const pb_method pb_method_lora_ga = {
    .name = "lora-ga",
    .title = "LoRA-GA: LoRA that starts from the gradient of the weights",
    .paper = "Wang et al. 2024, LoRA-GA, arXiv:2407.05000",
    .help = "Starts A and B from singular vectors of the gradient of W, so the first step is that of full training.",
    .equation = "y = W x + alpha/rank * (B A x - B0 A0 x)",
    .notes = "With the singular value decomposition g = U S V^T of the gradient over the samples, A0 = c V^T[1..r] and "
             "B0 = c U[r+1..2r]: with plain gradient descent, the first step of B A is then the best approximation of "
             "rank 2r of the first step of full fine-tuning. The paper subtracts B0 A0 from the weights; here the base "
             "stays as it is, dropout falls on the change alone, and the artifact holds A0 and B0. PEFT's A0 and B0 "
             "have the same directions and other lengths: c is in B0 only, times the singular values. From the same "
             "start, 20 steps equal those of PEFT. The workspace of the decomposition is not a part of memory.prepare.",
    .count = "rank*(in+out)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear, .asks = pb_asks_gradient, .start = start},
    .peft = &pb_low_rank_peft,
};
