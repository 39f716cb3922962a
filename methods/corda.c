/* corda: h = W x + s (B A x - B0 A0 x), s = alpha / r, as PiSSA, but of the weight seen through its inputs: with their
 * covariance C [in,in] and W C = U S V^T, B0 = U S^(1/2) / s^(1/2) and A0 = S^(1/2) V^T C^-1 / s^(1/2) of the r largest
 * values (ipm) or of the r smallest (kpm), so that all values together would be W. */
#include "peftbench.h"

enum { IPM, KPM };

PB_SETTINGS(LOW_RANK_OF("8", "8", "attn.q attn.v attn.qkv"),
            CHOICE(mode, "ipm", "ipm|kpm", "the part that trains: what matters most, or least, to the inputs"),
            INT(samples, "256", 1, 1000000, "training examples of whose inputs C is the covariance"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_low_rank u = pb_low_rank_at(pb_conf(b), site);
    if (pb_rank_fits(b, site, u.rank))
        return NULL;
    return pb_low_rank_add_change(b, site, x, u);
}

/* C [n,n] with 1 % of the mean of its diagonal added to it, so that it has an inverse. */
static void damp(const pb_real *inputs, int n, pb_real *C)
{
    double trace = 0;
    for (int i = 0; i < n; i++)
        trace += (double)inputs[i * n + i];
    for (int i = 0; i < n * n; i++)
        C[i] = inputs[i] + (i % (n + 1) ? 0 : (pb_real)(0.01 * trace / n));
}

/* A becomes A C^-1: (C^-1 A^T)^T. */
static int divide(pb_param *A, const pb_real *C, pb_real *turned)
{
    pb_transpose(A->x, A->rows, A->cols, turned);
    if (pb_solve(C, A->cols, turned, A->rows))
        return -1;
    pb_transpose(turned, A->cols, A->rows, A->x);
    return 0;
}

static int start_at(pb_build *b, const pb_site *site, const pb_real *C, pb_real *product)
{
    const conf *c = pb_conf(b);
    pb_param *A = pb_tensor(b, site, "A"), *B = pb_tensor(b, site, "B");
    double scale = 1 / sqrt(pb_low_rank_at(c, site).scale);
    pb_real *w = pb_weight_values(site);
    pb_singular d = {0};
    pb_add_product(product, site->out, site->in, 1, w, C, site->in);
    int rc = pb_singular_of(&d, product, site->out, site->in), first = c->mode == IPM ? 0 : d.k - A->rows;
    if (!rc) {
        pb_singular_left(&d, first, scale, 0.5, B);
        pb_singular_right(&d, first, scale, 0.5, A);
        rc = divide(A, C, product);
    }
    pb_singular_free(&d);
    free(w);
    return rc;
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    PB_EACH_TARGET(b, site) {
        size_t n = (size_t)site->in;
        pb_real *C = pb_alloc(n * n * sizeof *C), *product = pb_alloc(n * (size_t)site->out * sizeof *product);
        damp(stats->inputs[site->number], site->in, C);
        if (!start_at(b, site, C, product))
            pb_low_rank_keep_start(b, site);
        free(C);
        free(product);
    }
}

const pb_method pb_method_corda = {
    .name = "corda",
    .title = "CorDA: LoRA of the weight as its inputs see it",
    .paper = "Yang et al. 2024, CorDA: context-oriented decomposition adaptation, arXiv:2406.05223",
    .help =
        "Trains a part of each weight that starts from the decomposition of the weight times its inputs' covariance.",
    .equation = "y = W x + alpha/rank * (B A x - B0 A0 x), B0 A0 from W C = U S V^T",
    .notes =
        "C is the mean of x x^T over the tokens of the samples, plus 1 % of the mean of its diagonal; PEFT scales the "
        "inputs of each batch by their largest value first, which moves length between A and B. The paper's kpm, which "
        "is to keep knowledge, decomposes by the inputs of questions about this knowledge; here both modes take the "
        "inputs of the training examples, and forgetting is not measured. W stays as it is, as in pissa.",
    .count = "rank*(in+out)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear, .asks = pb_asks_inputs, .start = start},
    .peft = &pb_low_rank_peft,
};
