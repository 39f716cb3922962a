/* oft: y = W R^T x, where R is a block-diagonal rotation of the input, block by block the Cayley transform of a
 * skew-symmetric matrix Q that starts as zero: R = (I + Q)(I - Q)^-1.  q holds the elements of Q above its diagonal. */
#include "peftbench.h"

PB_SETTINGS(INT(blocks, "4", 0, 65536, "r, the number of blocks, which divides the input's width"),
            INT(size, "0", 0, 65536, "b, the width of a block, with blocks=0; 0: by their number"),
            BOOL(neumann, "yes", "a Neumann series for (I - Q)^-1; no: exactly, and Q turns the other way"),
            INT(terms, "5", 4, 64, "terms of the product (I + Q)(I + Q + ..): up to the power terms - 1"),
            BOOL(share, "no", "one rotation for all blocks of a projection"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The width of a block at a site, or 0 with an error. */
static int block_size(const conf *c, const pb_site *site)
{
    int size = c->blocks && site->in % c->blocks == 0 ? site->in / c->blocks : c->size;
    if (size >= 2 && site->in % size == 0 && !c->blocks != !c->size)
        return size;
    pb_error("oft: blocks=%d, size=%d: want one that is not 0, and equal blocks of 2 and more of the %d inputs of %s",
             c->blocks, c->size, site->in, site->role);
    return 0;
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    int size = block_size(c, site);
    if (!size)
        return NULL;
    int blocks = c->share ? 1 : site->in / size;
    pb_node *q = pb_added(b, site, "q", blocks, size * (size - 1) / 2, pb_init_constant(0));
    pb_node *R = pb_op_cayley(b->graph, q, size, c->neumann ? c->terms : 0);
    return pb_inner_linear(b, site, pb_op_blocks(b->graph, x, R, site->in / size));
}

/* Where |Q| >= 1 the series diverges, and what is computed is no rotation; with 5 terms it is singular there. */
static void after_step(pb_build *b, const pb_step *step)
{
    const conf *c = pb_conf(b);
    for (const pb_site *s = pb_next_target(b, NULL); c->neumann && s; s = pb_next_target(b, s)) {
        const pb_param *q = pb_tensor(b, s, "q");
        int size = block_size(c, s);
        double *work = pb_alloc(2 * (size_t)size * sizeof *work);
        for (int k = 0; k < q->rows; k++)
            if (pb_skew_norm(q->x + (size_t)k * (size_t)q->cols, size, work) >= 1)
                pb_error("oft: step %d: |Q| >= 1 in block %d of %s, where the Neumann series diverges; want a smaller "
                         "learning rate or neumann=no",
                         step->step, k, q->name);
        free(work);
    }
}

const pb_method pb_method_oft = {
    .name = "oft",
    .title = "OFT: orthogonal fine-tuning",
    .paper = "Qiu et al. 2023, Orthogonal fine-tuning, arXiv:2306.07280; Qiu et al. 2025, OFTv2, arXiv:2506.19847",
    .help = "Rotates the input of each projection, block by block, which keeps the angles between a layer's neurons.",
    .equation = "y = W R^T x + b,  R = diag(R_i),  R_i = (I + Q_i)(I - Q_i)^-1,  Q_i = -Q_i^T",
    .notes = "Four blocks are those of the first paper; PEFT's is blocks of 32 columns (blocks=0,size=32), adjusted to "
             "the width where they do not divide it, which is refused here. As in OFTv2 and in PEFT, (I - Q)^-1 is a "
             "Neumann series of five terms by default; its product leaves the rotations where |Q| exceeds 0.5, and a "
             "run ends with an error where |Q| reaches 1. With neumann=no the rotation is exact and, as in PEFT, that "
             "of -Q: training from Q = 0 is the same with the opposite sign of Q. The projection to small |Q| (coft) "
             "and PEFT's dropout of blocks are left out.",
    .count = "s = max(size,(size==0)*in/max(blocks,1)); (share+(1-share)*in/s)*s*(s-1)/2",
    .deviation = "q: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "size"},
    .hooks = {.linear = linear, .after_step = after_step},
    .peft = PB_PEFT("OFT", PB_PEFT_TENSORS({"q", "oft_R.weight"}),
                    PB_PEFT_KEYS({"r", "blocks"}, {"oft_block_size", "size"}, {"block_share", "share"},
                                 {"use_cayley_neumann", "neumann"}, {"num_cayley_neumann_terms", "terms"}),
                    .fixed = PB_PEFT_NO_BIAS),
};
