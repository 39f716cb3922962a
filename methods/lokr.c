/* lokr: y = W x + alpha/r * (W1 kron W2) x, with W1 [a1,a2], W2 [b1,b2], out = a1 b1 and in = a2 b2.  A factor with
 * a side of more than 2 r is a product of two matrices of rank r: W2, and with `both` W1 too. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK_AS(4096, "r, the rank of a factor that is a product", "8", "8",
                        "of the update's input, while training", "attn.q attn.v attn.qkv"),
            INT(factor, "-1", -1, 65536, "the sides of W1, where it divides those of W; -1: near the root"),
            BOOL(both, "no", "W1 may be of low rank as well"), BOOL(full, "no", "no factor is of low rank"));

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* The right factor: W2, or its part W2a [b1,r] after x has been multiplied by W2b [r,b2]. */
static pb_node *right(pb_build *b, const pb_site *site, int rows, int cols, int rank, pb_node **x)
{
    const conf *c = pb_conf(b);
    if (c->full || 2 * rank >= larger(rows, cols))
        return pb_added(b, site, "W2", rows, cols, pb_init_kaiming(cols));
    pb_node *W2b = pb_added(b, site, "W2b", rank, cols, pb_init_kaiming(cols));
    *x = pb_op_kron(b->graph, *x, NULL, W2b);
    return pb_added(b, site, "W2a", rows, rank, pb_init_kaiming(rank));
}

static pb_node *left(pb_build *b, const pb_site *site, int rows, int cols, int rank)
{
    const conf *c = pb_conf(b);
    if (c->full || !c->both || 2 * rank >= larger(rows, cols))
        return pb_added(b, site, "W1", rows, cols, pb_init_constant(0));
    pb_node *W1a = pb_added(b, site, "W1a", rows, rank, pb_init_constant(0));
    pb_node *W1b = pb_added(b, site, "W1b", rank, cols, pb_init_kaiming(cols));
    return pb_op_product(b->graph, W1a, false, W1b, false);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = pb_low_rank_at(c, site);
    int a1 = pb_first_factor(site->out, c->factor), a2 = pb_first_factor(site->in, c->factor);
    pb_node *h = pb_drop(b, x, c->update.dropout);
    pb_node *W1 = left(b, site, a1, a2, u.rank);
    pb_node *W2 = right(b, site, site->out / a1, site->in / a2, u.rank, &h);
    pb_node *change = pb_op_times(b->graph, pb_op_kron(b->graph, h, W1, W2), u.scale);
    return pb_op_add(b->graph, pb_inner_linear(b, site, x), change);
}

/* Which tensors of a factor there are, as `left` and `right` decide it. */
#define LOW1 "both*(2*rank < max(factor(out, factor), factor(in, factor)))"
#define LOW2 "2*rank < max(out/factor(out, factor), in/factor(in, factor))"

const pb_method pb_method_lokr = {
    .name = "lokr",
    .title = "LoKr: a Kronecker product of two small matrices",
    .paper = "Yeh et al. 2023, LyCORIS, arXiv:2309.14859",
    .help = "Adds the Kronecker product of two small matrices, the second one of low rank, to chosen projections.",
    .equation = "y = W x + alpha/rank * (W1 kron W2) x; x as a matrix X [a2,b2]: W1 X W2^T",
    .notes = "The sides are divided as in PEFT, as near to the square root as their divisors allow, and so are the "
             "choice of low rank and the start, in which W1 (or W1a) is zero. The product is applied by its factors; "
             "PEFT forms the matrix. PEFT's rank_dropout and module_dropout do not exist here.",
    .count = "a1 = factor(out, factor); a2 = factor(in, factor); b1 = out/a1; b2 = in/a2; one = both*(1-full)*(2*rank "
             "< max(a1, a2)); two = (1-full)*(2*rank < max(b1, b2)); (1-one)*a1*a2 + one*rank*(a1+a2) + (1-two)*b1*b2 "
             "+ two*rank*(b1+b2)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .presets = PB_PRESETS({"krona", "KronA: a Kronecker product of two full matrices",
                           "Edalati et al. 2022, KronA, arXiv:2212.10650", "full=yes",
                           "KronA's scale is a setting of its own; here it is alpha / rank, 1 by default."}),
    .hooks = {.linear = linear},
    .peft = PB_PEFT("LOKR",
                    PB_PEFT_TENSORS({"W1", "lokr_w1", .when = "1 - " LOW1}, {"W1a", "lokr_w1_a", .when = LOW1},
                                    {"W1b", "lokr_w1_b", .when = LOW1}, {"W2", "lokr_w2", .when = "1 - (" LOW2 ")"},
                                    {"W2a", "lokr_w2_a", .when = LOW2}, {"W2b", "lokr_w2_b", .when = LOW2}),
                    PB_PEFT_KEYS({"r", "rank", "rank_pattern", "rank_pattern"},
                                 {"alpha", "alpha", "alpha_pattern", "alpha_pattern"}, {"decompose_factor", "factor"},
                                 {"decompose_both", "both"}),
                    .loaded = PB_PEFT_TENSORS({"full", "no"})),
};
