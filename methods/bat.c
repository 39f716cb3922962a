/* bat: W' = W + W_oc M_o + M_o in every block [r,r] of the weight: block c of row o of blocks is multiplied by a
 * trained matrix M_o [r,r] that all blocks of this row share, and M_o is added. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "4", 1, 4096, "r, the side of a block; a divisor of both sides of the weight"),
            TEXT(targets, "attn.*", "projections to adapt"));

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int r = c->rank;
    if (site->in % r || site->out % r)
        return pb_refuse("bat: rank: want a divisor of both sides of %s [%d,%d], got %d", site->role, site->out,
                         site->in, r);
    pb_node *M = pb_added(b, site, "M", site->out, r, pb_init_constant(0)); /* M_o below each other */
    pb_node *parts = pb_op_reshape(g, w, site->out * (site->in / r), r);    /* the rows of the blocks */
    pb_node *products = pb_op_reshape(g, pb_op_group_product(g, parts, M, site->out / r), site->out, site->in);
    return pb_op_add(g, pb_op_add(g, products, pb_op_tile(g, M, site->in / r)), w);
}

const pb_method pb_method_bat = {
    .name = "bat",
    .title = "Bat: block affine transformation of a weight",
    .paper = "Kang 2024, DiSHA, arXiv:2409.15371 (an earlier version of the MiSS paper)",
    .help = "Transforms each square block of a weight by a trained matrix that a row of blocks shares.",
    .equation = "W'_oc = W_oc + W_oc M_o + M_o for the blocks [r,r] of W; y = W' x",
    .notes = "The formula is that of PEFT's MiSS with init_weights=bat. PEFT's default rank is 64 and the paper adapts "
             "all projections; here the rank is 4 and the default is attention, because the rank has to divide both "
             "sides of a weight. The changed weight is formed, one at a time.",
    .count = "rank*out",
    .deviation = "M: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.weight = weight},
    .peft = PB_PEFT("MISS", PB_PEFT_TENSORS({"M", "miss_block", "out/rank, rank, rank"}),
                    PB_PEFT_KEYS({"r", "rank"}, {"init_weights", .words = "\"bat\""}), .fixed = PB_PEFT_NO_BIAS),
};
