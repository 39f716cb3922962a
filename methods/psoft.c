/* psoft: the principal part of the weight, U_r S_r V_r^T, is rotated and rescaled, the rest stays:
 * h = W x + U_r S_r (D_b R D_a - I) V_r^T x, with a rotation R [r,r] by the Cayley transform and diagonal D_a and D_b.
 * A [r,in] holds V_r^T and B [out,r] holds U_r S_r; they do not train. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "8", 2, 1024, "r, the singular values whose part of W is rotated"),
            BOOL(magnitudes, "yes", "train the diagonals a and b besides the rotation"),
            REAL(dropout, "0", 0, 0.99, "of the input of A, while training"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* D_b R D_a h;  h [T,r].  R = (I + Q)(I - Q)^-1, which is the transform of -Q. */
static pb_node *rotate(pb_build *b, const pb_site *site, pb_node *h)
{
    const conf *c = pb_conf(b);
    int r = c->rank;
    pb_node *Q = pb_added(b, site, "Q", 1, r * (r - 1) / 2, pb_init_constant(0));
    pb_node *R = pb_op_cayley(b->graph, pb_op_times(b->graph, Q, -1), r, 0);
    if (!c->magnitudes)
        return pb_op_linear(b->graph, h, R, NULL);
    h = pb_op_scale(b->graph, h, pb_vector(b, site, "a", r, pb_init_constant(1)));
    return pb_op_scale(b->graph, pb_op_linear(b->graph, h, R, NULL), pb_vector(b, site, "b", r, pb_init_constant(1)));
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *A, *B;
    pb_singular_fixed(b, site, c->rank, &A, &B);
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->dropout), A, NULL);
    pb_node *change = pb_op_add(b->graph, rotate(b, site, h), pb_op_times(b->graph, h, -1));
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), change, B, 1);
}

const pb_method pb_method_psoft = {
    .name = "psoft",
    .title = "PSOFT: the principal part of the weight is rotated",
    .paper = "Wu et al. 2025, Efficient orthogonal fine-tuning with principal subspace adaptation, arXiv:2505.11235",
    .help = "Rotates and rescales the principal part of each weight in the space of its singular vectors.",
    .equation = "y = W x + U_r S_r (D_b R D_a - I) V_r^T x, R = (I + Q)(I - Q)^-1, Q^T = -Q",
    .notes = "W = U S V^T. PEFT multiplies by alpha/rank what it has divided by it before, so there is no alpha here; "
             "its default rank is 32, here it is that of lora. R is solved for exactly; PEFT has a Neumann series as "
             "an option. PEFT's adapter does not hold U_r S_r and V_r^T and computes them again when it is loaded; it "
             "is not read. From one start, 20 steps equal those of PEFT.",
    .count = "rank*(rank-1)/2+2*magnitudes*rank",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear, .start = pb_singular_start},
};
