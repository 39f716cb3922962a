/* road: turns the output of a projection: y' = R (W x + b), where R turns pairs of columns by trained angles theta and
 * scales them by alpha.  It starts as the identity. */
#include "peftbench.h"

PB_SETTINGS(CHOICE(variant, "1", "1|2|4", "RoAd_1: an angle and a scale a pair; 2: a column; 4: two a column"),
            INT(group, "2", 2, 65536, "columns of a group, whose halves are the pairs; divides the output"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (c->group % 2 || site->out % c->group)
        return pb_refuse("road: group: want an even divisor of the %d outputs of %s, got %d", site->out, site->role,
                         c->group);
    int angles = 1 << c->variant, n = site->out / 2 * angles;
    pb_node *theta = pb_vector(b, site, "theta", n, pb_init_constant(0));
    pb_node *alpha = pb_vector(b, site, "alpha", n, pb_init_constant(1));
    return pb_op_turn(b->graph, pb_inner_linear(b, site, x), theta, alpha, c->group, angles);
}

const pb_method pb_method_road = {
    .name = "road",
    .title = "RoAd: rotations of pairs of outputs",
    .paper = "Liao and Monz 2024, 3-in-1: 2D rotary adaptation, arXiv:2409.00119",
    .help = "Turns and scales pairs of columns of each projection's output.",
    .equation = "y' = R (W x + b),  R = diag(alpha_i [cos theta_i, -sin theta_i; sin theta_i, cos theta_i])",
    .notes = "The pairs are neighbours, as in the paper; PEFT's default takes them from groups of 64 columns "
             "(group=64), which is the same up to the order of the columns. The default targets are those of PEFT; the "
             "paper's count of 0.07 % of RoBERTa-base is that of all projections (targets=*). The paper's batches of "
             "several adapters are not reproduced.",
    .count = "out*((variant==0)+2*(variant==1)+4*(variant==2))",
    .deviation = "theta: 0; alpha: 1",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .hooks = {.linear = linear},
    .peft = PB_PEFT(
        "ROAD", PB_PEFT_TENSORS({"theta", "road_theta", "cols"}, {"alpha", "road_alpha", "cols"}),
        PB_PEFT_KEYS({"variant", "variant", .words = "\"road_1\"|\"road_2\"|\"road_4\""}, {"group_size", "group"})),
};
