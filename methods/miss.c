/* miss: y = W x + M s, where s [r] is the sum of the parts of r elements into which x is cut: all shards of r
 * columns of the weight share one trained change M [out,r]. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "8", 1, 4096, "r, the columns of a shard; at most those of the weight"),
            REAL(dropout, "0", 0, 0.99, "of x in the sum, while training"), TEXT(targets, "*", "projections to adapt"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (c->rank > site->in)
        return pb_refuse("miss: rank: want at most %d, the columns of %s, got %d", site->in, site->role, c->rank);
    pb_node *M = pb_added(b, site, "M", site->out, c->rank, pb_init_constant(0));
    pb_node *sum = pb_op_collapse(b->graph, pb_drop(b, x, c->dropout), c->rank);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), sum, M, 1);
}

const pb_method pb_method_miss = {
    .name = "miss",
    .title = "MiSS: matrix shard sharing",
    .paper = "Kang and Yin 2024, MiSS (first versions: Bone, DiSHA), arXiv:2409.15371",
    .help = "Adds one trained matrix to all shards of a weight's columns.",
    .equation = "y = W x + M (x[1..r] + x[r+1..2r] + ..)",
    .notes = "PEFT's default rank is 64, for models whose projections are that wide; here it is 8. If the rank does "
             "not divide the width, the last shard is narrower, as in PEFT. The variant with fewer trained rows "
             "(PEFT's init_weights=mini) does not exist here; the nonlinear variant is the method bat.",
    .count = "rank*out",
    .deviation = "M: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT("MISS", PB_PEFT_TENSORS({"M", "miss_block", .axes = "10"}),
                    PB_PEFT_KEYS({"r", "rank"}, {"miss_dropout", "dropout"}, {"init_weights", .words = "true"}),
                    .fixed = PB_PEFT_NO_BIAS),
};
