/* diff-pruning: W + g z * delta, where the gates z [out,in] and g [1,1] are drawn from hard concrete distributions in
 * each step, and a penalty on the expected number of open gates closes them.  After a first phase the elements of the
 * largest changes are kept: their gates stay open and all others closed, and delta trains on. */
#include "peftbench.h"

PB_SETTINGS(REAL(share, "0.005", 1e-9, 1, "the share of the elements that may differ in the end"),
            REAL(phase, "0.5", 0.01, 0.99, "the share of the steps that are the first phase"),
            REAL(penalty, "1.25e-7", 0, 1e3, "lambda, the weight of the expected number of open gates"),
            REAL(alpha, "5", -10, 10, "of each gate at the start: nearly open"),
            REAL(stretch, "1.5", 1.01, 100, "r: the distribution is stretched to [-r, r] and clipped to [0, 1]"),
            REAL(alpha_rate, "10000", 1e-6, 1e9, "the learning rate of alpha divided by that of delta"),
            BOOL(groups, "yes", "structured: each matrix has a gate of its own besides"),
            TEXT(targets, "attn.* mlp.*", "projections to adapt"));

enum { OPEN = 20 }; /* alpha of a gate that is 1 whatever is drawn; -OPEN of one that is 0 */

static pb_node *gate(pb_build *b, const pb_site *site, const char *name, int count, pb_node *delta)
{
    static const uint64_t stream = 0x67617465; /* apart from other draws */
    const conf *c = pb_conf(b);
    int drawn = pb_draw(b, INT32_MAX);
    uint64_t key = pb_mix(stream, (uint64_t)drawn);
    pb_node *alpha = pb_rated(pb_vector(b, site, name, count, pb_init_constant(c->alpha)), c->alpha_rate);
    pb_penalty(b, pb_op_gates(b->graph, alpha, 0), c->penalty); /* log(r / r) = 0 */
    return pb_op_concrete(b->graph, alpha, delta, -c->stretch, c->stretch, drawn < 0 ? NULL : &key);
}

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    const conf *c = pb_conf(b);
    pb_node *delta = pb_added(b, site, "delta", site->out, site->in, pb_init_constant(0));
    pb_node *change = gate(b, site, "alpha", site->out * site->in, delta);
    if (c->groups)
        change = pb_op_scale(b->graph, change, gate(b, site, "group", 1, NULL));
    return pb_op_add(b->graph, w, change);
}

/* ---- the end of the first phase ------------------------------------------------------------------------------ */

static double gate_of(const conf *c, double alpha)
{
    double z = c->stretch * (2 / (1 + exp(-alpha)) - 1);
    return z < 0 ? 0 : z > 1 ? 1 : z;
}

/* Replaces delta by the change that it makes without a draw. */
static void apply_gates(pb_build *b, const pb_site *s)
{
    const conf *c = pb_conf(b);
    pb_param *alpha = pb_tensor(b, s, "alpha"), *delta = pb_tensor(b, s, "delta");
    double group = c->groups ? gate_of(c, (double)pb_tensor(b, s, "group")->x[0]) : 1;
    for (int i = 0; i < alpha->cols; i++)
        delta->x[i] *= (pb_real)(group * gate_of(c, (double)alpha->x[i]));
}

/* Opens the gates of the elements whose alpha is 1, and closes all others for good. */
static void fix_gates(pb_build *b, const pb_site *s)
{
    pb_param *alpha = pb_tensor(b, s, "alpha"), *delta = pb_tensor(b, s, "delta");
    for (int i = 0; i < alpha->cols; i++) {
        bool kept = alpha->x[i] > 0;
        delta->x[i] = kept ? delta->x[i] : 0;
        alpha->x[i] = kept ? OPEN : -OPEN;
    }
    delta->restart = true;
    if (((const conf *)pb_conf(b))->groups)
        pb_tensor(b, s, "group")->x[0] = OPEN;
}

/* Keeps the share of the largest changes. */
static void fix(pb_build *b)
{
    const conf *c = pb_conf(b);
    PB_EACH_TARGET(b, s)
        apply_gates(b, s);
    pb_mark_largest(b, "delta", c->share, "alpha");
    PB_EACH_TARGET(b, s)
        fix_gates(b, s);
}

/* ---- the steps ------------------------------------------------------------------------------------------------- */

/* After the first phase no gate moves, by its gradient or by what AdamW remembers. */
static void before_step(pb_build *b, const pb_step *at)
{
    static const char *const gates[] = {"alpha", "group"};
    const conf *c = pb_conf(b);
    for (const pb_site *s = pb_next_target(b, NULL); s && at->step >= pb_first_phase(c->phase, at);
         s = pb_next_target(b, s))
        for (int k = 0; k < 1 + c->groups; k++) {
            pb_param *p = pb_tensor(b, s, gates[k]);
            for (int i = 0; i < p->cols && p->reached; i++)
                p->g[i] = 0;
            p->restart = true;
        }
}

static void after_step(pb_build *b, const pb_step *at)
{
    const conf *c = pb_conf(b);
    if (pb_first_phase_ends(b, c->phase, at))
        fix(b);
}

const pb_method pb_method_diff_pruning = {
    .name = "diff-pruning",
    .title = "Diff pruning: a change of the weights that a penalty makes sparse",
    .paper = "Guo et al. 2021, Parameter-efficient transfer learning with diff pruning, arXiv:2012.07463",
    .help = "Trains a difference to the weights with random gates and an L0 penalty, then keeps the largest changes.",
    .equation =
        "W + g z * delta, z = clip(sigmoid(log u - log(1 - u) + alpha) 2r - r, 0, 1); loss + lambda sum sigmoid(alpha)",
    .notes = "The paper trains delta at 1e-5 and alpha at 0.1, hence alpha_rate: with a larger rate of delta, set a "
             "smaller one.  Only the weights of projections change, where the paper's difference is of all tensors but "
             "the classifier.  The second phase is the paper's third stage, with one schedule of the rate for both; an "
             "epoch of the first phase is never selected.  delta and alpha are counted whole, although all but the "
             "share of delta is 0 in the end; of both the artifact stores the share that differs, and its places.",
    .count = "2*in*out + groups",
    .deviation = "delta: 0; alpha: alpha; group: alpha",
    .traits = {PB_SELECTIVE, .identity = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .hooks = {.weight = weight, .before_step = before_step, .after_step = after_step},
};
