/* boft: y = s * (W B^T x) + b, where B = M_(m-1) .. M_0 is a product of m butterfly factors.  Factor i rotates
 * blocks of b columns: half a block, and the half that is 2^i half blocks further on.  The rotations are (I - Q)(I +
 * Q)^-1 of the skew-symmetric parts Q of trained matrices, which start as zero. */
#include "peftbench.h"

PB_SETTINGS(INT(size, "4", 2, 4096, "b, the columns of a block; even with two factors or more"),
            INT(factors, "1", 1, 16, "m, the butterfly factors; b 2^(m-1) divides the input's width"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The places of the columns when those of factor i's blocks are neighbours, or (back) where they are then. */
static const int *order(pb_build *b, int in, int size, int i, bool back)
{
    int *index = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)in * sizeof *index);
    PB_CHECK(i >= 0 && i < 16); /* as many factors as the setting allows */
    int half = size / 2, far = 1 << i, wide = size * far;
    for (int at = 0; at < in; at++) {
        int group = at % wide / half; /* of half a block: first halves stand at even places */
        int from = at / wide * wide + (group / 2 + group % 2 * far) * half + at % half;
        index[back ? from : at] = back ? at : from;
    }
    return index;
}

/* x M_i, with the blocks' rotations r [in,b]. */
static pb_node *factor(pb_build *b, pb_node *x, pb_node *r, int i)
{
    int in = x ? x->cols : 0, size = r ? r->cols : 1;
    if (i == 0)
        return pb_op_blocks(b->graph, x, r, in / size);
    pb_node *near = pb_op_permute(b->graph, x, order(b, in, size, i, false));
    return pb_op_permute(b->graph, pb_op_blocks(b->graph, near, r, in / size), order(b, in, size, i, true));
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (site->in % (c->size << (c->factors - 1)) || (c->factors > 1 && c->size % 2))
        return pb_refuse(
            "boft: size, factors: want %d * 2^%d to divide the %d inputs of %s, and an even size for factors", c->size,
            c->factors - 1, site->in, site->role);
    pb_node *R = pb_added(b, site, "R", c->factors * site->in, c->size, pb_init_constant(0));
    pb_node *s = pb_vector(b, site, "s", site->out, pb_init_constant(1));
    pb_node *turns = pb_op_cayley(b->graph, pb_op_skew(b->graph, R), c->size, 0);
    for (int i = c->factors - 1; i >= 0; i--)
        x = factor(b, x, pb_op_rows(b->graph, turns, i * site->in, site->in), i);
    return pb_op_scale_about(b->graph, pb_inner_linear(b, site, x), s, pb_base_bias(b, site));
}

const pb_method pb_method_boft = {
    .name = "boft",
    .title = "BOFT: orthogonal fine-tuning by butterflies",
    .paper = "Liu et al. 2023, BOFT, arXiv:2311.06243",
    .help = "Rotates the input of each projection by a product of sparse rotations, and scales its output.",
    .equation = "y = s * (W B^T x) + b,  B = M_(m-1) .. M_0,  M_i = P_i diag((I - Q)(I + Q)^-1) P_i^T",
    .notes = "A matrix Q is stored as b^2 numbers, as in PEFT, of which b(b-1)/2 are free.  PEFT has one factor only "
             "where its CUDA extension is missing, so its numbers have been compared for one; further factors are held "
             "by their closed form.  PEFT's dropout of blocks is left out.",
    .count = "factors*in*size+out",
    .deviation = "R: 0; s: 1",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "factors"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT(
        "BOFT", PB_PEFT_TENSORS({"R", "boft_R", "factors, in/size, size, size"}, {"s", "boft_s", "cols, 1"}),
        PB_PEFT_KEYS({"boft_block_size", "size"}, {"boft_n_butterfly_factor", "factors"}), .fixed = PB_PEFT_NO_BIAS),
};
