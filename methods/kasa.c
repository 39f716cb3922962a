/* kasa: h = (W - U_d S_d V_d^T) x + s B (sigma * (A x)), s = alpha / r: the r smallest singular values are taken from
 * W, and the update has the shape of a singular value decomposition, with trained A [r,in], sigma [1,r] and B [out,r].
 * The part that is taken away stays as left [out,r] = U_d S_d and right [r,in] = V_d^T, and W as it is. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK("attn.q attn.v attn.qkv"),
            REAL(beta, "0.0001", 0, 1e6, "weight of the sum of the squares of sigma in the loss"),
            REAL(gamma, "0.001", 0, 1e6, "weight of |B^T B - I| + |A A^T - I| in the loss"));

static void add_penalties(pb_build *b, pb_node *A, pb_node *B, pb_node *sigma)
{
    const conf *c = pb_conf(b);
    pb_node *again = pb_op_reshape(b->graph, sigma, 1, sigma ? sigma->cols : 0); /* an op takes a node once */
    pb_penalty(b, pb_op_sum(b->graph, pb_op_multiply(b->graph, sigma, again)), c->beta);
    pb_penalty(b, pb_op_orthogonality(b->graph, B, true), c->gamma);
    pb_penalty(b, pb_op_orthogonality(b->graph, A, false), c->gamma);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = pb_low_rank_at(c, site);
    if (pb_rank_fits(b, site, u.rank))
        return NULL;
    pb_node *A = pb_low_rank_down(b, site, u.rank), *B = pb_low_rank_up(b, site, u.rank);
    pb_node *sigma = pb_vector(b, site, "sigma", u.rank, pb_init_normal(1));
    pb_node *left = pb_fixed(b, site, "left", site->out, u.rank, pb_init_constant(0));
    pb_node *right = pb_fixed(b, site, "right", u.rank, site->in, pb_init_constant(0));
    add_penalties(b, A, B, sigma);
    pb_node *y = pb_inner_linear(b, site, x);
    y = pb_op_linear_add(b->graph, y, pb_op_linear(b->graph, x, right, NULL), left, -1);
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->update.dropout), A, NULL);
    return pb_op_linear_add(b->graph, y, pb_op_scale(b->graph, h, sigma), B, u.scale);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    PB_EACH_TARGET(b, site) {
        pb_param *left = pb_tensor(b, site, "left"), *right = pb_tensor(b, site, "right");
        pb_singular w;
        if (!pb_singular_of_weight(&w, site)) {
            pb_singular_left(&w, w.k - left->cols, 1, 1, left);
            pb_singular_right(&w, w.k - left->cols, 1, 0, right);
        }
        pb_singular_free(&w);
    }
}

const pb_method pb_method_kasa = {
    .name = "kasa",
    .title = "KaSA: singular values adapt, the smallest of the weight are removed",
    .paper = "Wang et al. 2024, KaSA: knowledge-aware singular-value adaptation, arXiv:2412.06071",
    .help = "Removes the smallest singular values of each weight and trains an update in the shape of a decomposition.",
    .equation = "y = (W - U_d S_d V_d^T) x + alpha/rank * B (sigma * A x); loss + beta |sigma|^2 + gamma (|B^T B - I| "
                "+ |A A^T - I|)",
    .notes = "U_d S_d V_d^T are the rank smallest singular values of W = U S V^T with their vectors, so the first "
             "outputs are not those of the base. The penalties are summed over the projections, as in PEFT, which "
             "leaves it to its user to add them to the loss; the authors' code takes their mean over the projections, "
             "with A^T A and B B^T in the place of A A^T and B^T B. beta and gamma are the defaults of PEFT and of the "
             "authors' example; their runs choose both by task, up to 1. W stays as it is, where PEFT replaces it; "
             "from one start, 20 steps equal those of PEFT.",
    .count = "rank*(in+out+1)",
    .deviation = "A: 1/sqrt(3*in); B: 0; sigma: 1",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear, .start = start},
};
