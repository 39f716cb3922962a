/* skeleton: a template.  Copy it to methods/NAME.c, say NAME for skeleton, delete what you do
 * not need, and run `make test`: the conformance suite finds the new method by itself.
 *
 * As an example it rescales the output of chosen projections by a trained vector,
 *     y = s * (W x + b),   s [1,out], s = 1 at the start.
 */
#include "peftbench.h"

/* 1. Settings.  A row here is all it takes: parsing, range checks, `peftbench show skeleton`,
 *    sweeps and the database follow.  A row called "targets" chooses the projections. */
typedef struct conf {
    double start;
    const char *targets;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, start, REAL, "1", -10, 10, "every element of s before training"),
    PB_OPTION(conf, targets, TEXT, "attn.o", "projections to rescale"),
    {0},
};

/* 2. What is computed.  pb_added() makes a trainable tensor at its first call and finds it
 *    later; pb_op_* (graph/op.h) compute; pb_inner_linear() is the base layer, or the next
 *    method of a composition.  Derivatives, memory, FLOPs and saving are the engine's business.
 *    Other places to hook in: `block` after a sublayer, `embed` before the first layer, `kv` on
 *    keys and values. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *s = pb_added(b, site, "s", 1, site->out, pb_init_constant(c->start));
    return pb_op_scale(b->graph, pb_inner_linear(b, site, x), s);
}

/* 3. Optional: fold the change into W [out,in] and the bias [out] (NULL: none), so that inference
 *    costs nothing.  A test holds merged against unmerged outputs. */
static void merge(pb_build *b, const pb_site *site, pb_real *w, pb_real *bias)
{
    const pb_real *s = pb_find_added(b, site, "s")->x;
    pb_scale_rows(w, site->out, site->in, s);
    if (bias)
        pb_scale_rows(bias, site->out, 1, s);
}

/* 4. Which base parameters train besides: a `select` function (see bitfit.c).  None here, so the
 *    head trains and the base stays bit-identical, which a test checks too. */

/* 5. Who it is.  The struct is called pb_method_ and the file's name, `name` is the file's name.
 *    `identity` promises that nothing changes before the first step. */
const pb_method pb_method_skeleton = {
    .name = "skeleton",
    .title = "Skeleton: a template for new methods",
    .paper = "First Author et al. 2026, Title, arXiv:0000.00000",
    .help = "Rescales the output of chosen projections; copy this file to write a method.",
    .category = PB_ADDITIVE,
    .identity = true,
    .options = options,
    .conf_size = sizeof(conf),
    .linear = linear,
    .merge = merge,
};
