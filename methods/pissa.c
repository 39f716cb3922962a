/* pissa: h = W x + s (B A x - B0 A0 x), s = alpha / r.  A [r,in] and B [out,r] train; they start as A0 and B0, a part
 * of the weight itself, so that training moves this part of W: s B0 A0 are its r largest singular values with their
 * vectors (principal), its r smallest ones (minor), or s times the first r columns and rows of W = Q R (qr).  W stays
 * as it is, packed or not: the papers subtract s B0 A0 from it, which is the same function.
 *
 * minor-left: h = W x + s B A x, where B holds the left singular vectors of the r smallest values and does not train.
 */
#include "peftbench.h"

enum { PRINCIPAL, MINOR, QR, MINOR_LEFT }; /* start */

/* alpha / r is 1, as in the paper. */
PB_SETTINGS(LOW_RANK_OF("8", "8", "attn.q attn.v attn.qkv"),
            CHOICE(start, "principal", "principal|minor|qr|minor-left", "the part of W that A and B start from"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = pb_low_rank_at(c, site);
    if (pb_rank_fits(b, site, u.rank))
        return NULL;
    if (c->start != MINOR_LEFT)
        return pb_low_rank_add_change(b, site, x, u);
    pb_node *A = pb_added(b, site, "A", u.rank, site->in, pb_init_constant(0));
    pb_node *B = pb_fixed(b, site, "B", site->out, u.rank, pb_init_constant(0));
    return pb_low_rank_add(b, site, x, A, B, u.scale);
}

/* B = U S^(1/2) / s^(1/2) and A = S^(1/2) V^T / s^(1/2) of the singular values from number `first` on. */
static int start_singular(const pb_site *site, int where, double s, pb_param *A, pb_param *B)
{
    pb_singular w;
    int rc = pb_singular_of_weight(&w, site), first = where == PRINCIPAL ? 0 : w.k - B->cols;
    if (!rc && where == MINOR_LEFT)
        pb_singular_left(&w, first, 1, 0, B);
    else if (!rc) {
        pb_singular_left(&w, first, 1 / sqrt(s), 0.5, B);
        pb_singular_right(&w, first, 1 / sqrt(s), 0.5, A);
    }
    pb_singular_free(&w);
    return rc;
}

/* B is the first r columns of Q, A the first r rows of R, which are not divided by s, as in PEFT. */
static int start_qr(const pb_site *site, pb_param *A, pb_param *B)
{
    int k = site->in < site->out ? site->in : site->out, r = B->cols;
    pb_real *w = pb_weight_values(site), *q = pb_alloc((size_t)site->out * (size_t)k * sizeof *q);
    pb_real *rest = pb_alloc((size_t)k * (size_t)site->in * sizeof *rest);
    int rc = pb_qr(w, site->out, site->in, q, rest);
    for (int i = 0; i < site->out * r && !rc; i++)
        B->x[i] = q[i / r * k + i % r];
    if (!rc)
        memcpy(A->x, rest, (size_t)r * (size_t)site->in * sizeof *rest);
    free(w);
    free(q);
    free(rest);
    return rc;
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    PB_EACH_TARGET(b, site) {
        pb_param *A = pb_tensor(b, site, "A"), *B = pb_tensor(b, site, "B");
        int rc = c->start == QR ? start_qr(site, A, B)
                                : start_singular(site, c->start, pb_low_rank_at(c, site).scale, A, B);
        if (!rc && c->start != MINOR_LEFT)
            pb_low_rank_keep_start(b, site);
    }
}

const pb_method pb_method_pissa = {
    .name = "pissa",
    .title = "PiSSA: LoRA of the largest singular values of the weight",
    .paper = "Meng et al. 2024, PiSSA, arXiv:2404.02948",
    .help = "Trains a low-rank part of each weight that starts as its principal singular values and vectors.",
    .equation = "y = W x + alpha/rank * (B A x - B0 A0 x); minor-left: y = W x + alpha/rank * B A x",
    .notes = "With W = U S V^T, B0 and A0 start as U S^(1/2) and S^(1/2) V^T of the first or last r singular values, "
             "divided by (alpha/rank)^(1/2), as in PEFT. W stays as it is, where the papers and PEFT subtract s B0 A0 "
             "from it: the function is the same, except that dropout falls on the change alone, a packed base is not "
             "quantized again, and A0 and B0 are stored beside A and B. PEFT's adapter holds A and B only and repeats "
             "the decomposition when it is loaded; it is not read, and `export` writes a plain LoRA of rank 2r "
             "instead. From one start, 20 steps equal those of PEFT.",
    .count = "rank*(in+(start<3)*out)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .presets = PB_PRESETS(
        {"milora", "MiLoRA: LoRA of the smallest singular values",
         "Wang et al. 2024, MiLoRA: harnessing minor singular components, arXiv:2406.09044", "start=minor"},
        {"olora", "OLoRA: LoRA that starts from the QR decomposition of the weight",
         "Büyükakyüz 2024, OLoRA: orthonormal low-rank adaptation, arXiv:2406.01775", "start=qr",
         "W is not pivoted, so the r rows of R are those of the first r columns of Q, as in PEFT."},
        {"mica", "MiCA: A trains in the smallest left singular directions",
         "Rüdiger and Raschka 2026, MiCA learns more knowledge than LoRA and full fine-tuning, arXiv:2604.01694",
         "start=minor-left",
         "Knowledge of new texts, which the paper is about, is nothing that a small model on a classification task "
         "shows."}),
    .hooks = {.linear = linear, .start = start},
    .peft = &pb_low_rank_peft,
};
