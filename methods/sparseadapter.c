/* sparseadapter: y + U f(D y + b_D) + b_U, where the elements of all D and U with the smallest |w dL/dw| at the start
 * (SNIP) are set to 0 and stay 0. */
#include "peftbench.h"

PB_SETTINGS(BOTTLENECK("64", "0.02", "attn mlp"),
            REAL(sparsity, "0.4", 0, 0.999, "the share of the elements of D and U that are pruned"),
            INT(samples, "32", 1, 1000000, "training examples from which the gradient is computed"));

static const char *const name[] = {"down.weight", "up.weight"};

/* The elements of all D and U, or of those in front of a site. */
static double elements(pb_build *b, const pb_site *before)
{
    const conf *c = pb_conf(b);
    double sum = 0;
    for (const pb_site *s = pb_next_target(b, NULL); s != before; s = pb_next_target(b, s))
        sum += 2.0 * c->adapter.bottleneck * s->out;
    return sum;
}

static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    const conf *c = pb_conf(b);
    double all = elements(b, NULL), kept = ceil((1 - c->sparsity) * all);
    if (all > INT32_MAX)
        return pb_refuse("sparseadapter: the adapters have %.0f weights; want at most 2^31 - 1", all);
    if (!pb_indices(b, NULL, "places", (int)kept, (int)all))
        return NULL;
    if (site == pb_next_target(b, NULL))
        pb_pruned(b, (int)(all - kept));
    pb_init init = pb_init_normal(c->adapter.init);
    pb_affine down = pb_affine_added(b, site, "down", c->adapter.bottleneck, site->in, init);
    pb_affine up = pb_affine_added(b, site, "up", site->out, c->adapter.bottleneck, init);
    return pb_op_add(b->graph, pb_bottleneck_apply(b, down, up, y), y);
}

/* Prunes the values of each D and U, or their gradients. */
static void prune_all(pb_build *b, bool gradients)
{
    const pb_param *places = pb_tensor(b, NULL, "places");
    int k = 0, at = 0;
    PB_EACH_TARGET(b, s)
        for (size_t part = 0; part < PB_COUNT(name); part++) {
            pb_param *p = pb_tensor(b, s, name[part]);
            pb_keep_places(places->index, places->cols, &k, at, p->rows * p->cols, gradients ? p->g : p->x);
            at += p->rows * p->cols;
        }
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    pb_param *places = pb_tensor(b, NULL, "places");
    pb_top top = {.keep = places->cols, .place = places->index};
    top.value = pb_alloc((size_t)places->cols * sizeof *top.value);
    int at = 0;
    PB_EACH_TARGET(b, s)
        for (size_t part = 0; part < PB_COUNT(name); part++) {
            const pb_param *p = pb_tensor(b, s, name[part]);
            for (int i = 0; i < p->rows * p->cols; i++)
                pb_top_offer(&top, (pb_real)fabs((double)p->x[i] * (double)p->g[i]), at++);
        }
    pb_top_sort(&top);
    free(top.value);
    prune_all(b, false);
}

static void before_step(pb_build *b, const pb_step *at)
{
    (void)at;
    prune_all(b, true);
}

const pb_method pb_method_sparseadapter = {
    .name = "sparseadapter",
    .title = "SparseAdapter: adapters that are pruned before they train",
    .paper = "He et al. 2022, SparseAdapter, arXiv:2210.04284",
    .help = "Prunes the adapters after each sublayer by the gradient at the start, and trains what is left.",
    .equation = "y + (U * M_U) f((D * M_D) y + b_D) + b_U, where M keeps the largest |w dL/dw| of all D and U",
    .notes = "D and U start as in the authors' scripts, both normal with deviation 0.02: with U = 0 all scores would "
             "be 0.  The adapter therefore does not start as the base model does.  Pruning is by SNIP and over all "
             "adapters together, with 40 % pruned, where the paper finds the best scores; a larger bottleneck with a "
             "larger sparsity is its Large-Sparse setting.  What is pruned does not count as trained, and the artifact "
             "stores the gaps that it leaves.",
    .count = "model: ceil((1-sparsity)*(2*bottleneck*width*sites)) + sites*(bottleneck+width)",
    .traits = {PB_ADDITIVE, .ranks = true},
    .settings = {options, sizeof(conf), "bottleneck"},
    .hooks = {.block = block, .asks = pb_asks_gradient, .start = start, .before_step = before_step},
};
