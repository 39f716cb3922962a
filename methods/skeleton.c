/* skeleton: a template.  Copy it to methods/NAME.c, replace skeleton by NAME, delete what you do not need, and run
 * `build/peftbench verify NAME` after `make`.
 *
 * As an example it rescales the output of chosen projections by a trained vector,
 *     y = s * (W x + b),   s [1,out], s = 1 at the start.
 */
#include "peftbench.h"

/* 1. Settings: one line each (base/option.h: PB_SETTINGS).  Parsing, range checks, `peftbench show skeleton`, sweeps
 *    and the database read the table.  A setting called "targets" chooses the projections. */
PB_SETTINGS(REAL(start, "1", -10, 10, "every element of s before training"),
            TEXT(targets, "attn.o", "projections to rescale"));

/* 2. What is computed.  pb_added() makes a trainable tensor at its first call and finds it afterwards.  The functions
 *    pb_op_* (graph/op.h) compute.  pb_inner_linear() is the base layer, or the next method of a composition.  The
 *    engine provides gradients, memory, FLOPs and saving.  The other hooks are `weight` for a projection's
 *    matrix, `attention`, `block` after a sublayer or a layer, `embed` before the first layer, and `logits`. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *s = pb_vector(b, site, "s", site->out, pb_init_constant(c->start));
    return pb_op_scale(b->graph, pb_inner_linear(b, site, x), s);
}

/* 3. Which parameters of the base train: a `select` function (see bitfit.c).  Without one the head trains and the
 *    base keeps its bits, which `verify` checks. */

/* 4. The method's description.  The struct is called pb_method_NAME, and `name` is the file's name.  `identity`
 *    promises that the outputs before training equal the base model's; `merges` that the engine may fold the method
 *    into the weights, because what it makes of a projection is affine in x. */
const pb_method pb_method_skeleton = {
    .name = "skeleton",
    .title = "Skeleton: a template for new methods",
    .paper = "First Author et al. 2026, Title, arXiv:0000.00000",
    .help = "Rescales the output of chosen projections; copy this file to write a method.",
    .equation = "y = l * (W x + b)",
    .count = "out",
    .traits = {PB_ADDITIVE, .identity = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .hooks = {.linear = linear},
};
