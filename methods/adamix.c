/* adamix: a mixture of adapters, y + U_j f(D_i y), where each pass of a training step draws i and j at random. */
#include "peftbench.h"

PB_SETTINGS(BOTTLENECK("48", "0.02", "mlp"), INT(experts, "4", 1, 64, "M, the adapters at each site"),
            BOOL(share_down, "no", "all adapters of a site have one D"),
            BOOL(share_up, "yes", "all adapters of a site have one U, as in the authors' runs on GLUE"),
            REAL(consistency, "1", 0, 1000, "weight of the divergence of the two passes"));

typedef pb_affine projection(pb_build *b, const pb_site *site, const char *name);

/* Stochastic routing (section 3.1): one of the projections where something trains.  Elsewhere their mean, since the
 * trained adapters are merged into one (section 3.3). */
static pb_affine route(pb_build *b, const pb_site *site, projection *get, const char *name, int experts)
{
    pb_graph *g = b->graph;
    int drawn = pb_draw(b, experts), first = drawn < 0 ? 0 : drawn, end = drawn < 0 ? experts : drawn + 1;
    pb_affine sum = {0};
    for (int i = first; i < end; i++) {
        pb_affine one = get(b, site, pb_name(b, "%s.%d", name, i));
        sum.weight = i == first ? one.weight : pb_op_add(g, sum.weight, one.weight);
        sum.bias = i == first ? one.bias : pb_op_add(g, sum.bias, one.bias);
    }
    double share = 1.0 / (end - first);
    return (pb_affine){pb_op_times(g, sum.weight, share), pb_op_times(g, sum.bias, share)};
}

static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    const conf *c = pb_conf(b);
    pb_affine down = route(b, site, pb_bottleneck_down, "down", c->share_down ? 1 : c->experts);
    pb_affine up = route(b, site, pb_bottleneck_up, "up", c->share_up ? 1 : c->experts);
    return pb_op_add(b->graph, pb_bottleneck_apply(b, down, up, y), y);
}

/* Section 3.2, with gradients for both predictions; the authors' code keeps the target of each divergence constant, and
 * takes the cross-entropy of the first pass only, where the engine takes the mean of both. */
static pb_node *consistency(pb_build *b, pb_node *first, pb_node *second)
{
    const conf *c = pb_conf(b);
    return pb_op_times(b->graph, pb_op_consistency(b->graph, first, second), c->consistency);
}

/* The paper reports the merged adapter, 2dm + m + d a layer: 0.9 M in BERT-base (m = 48), 0.8 M in RoBERTa-large
 * (m = 16).  What trains, and what an artifact stores here, are all M of them. */
const pb_method pb_method_adamix = {
    .name = "adamix",
    .title = "AdaMix: a mixture of adapters with random routing",
    .paper = "Wang et al. 2022, AdaMix, arXiv:2205.12410",
    .help = "Trains M adapters of which each pass draws one, for two passes that should agree; scores with their mean.",
    .equation = "y + U_j f(D_i y), i and j drawn in each pass",
    .notes = "In training, each batch runs twice, and each pass draws one down-projection and one up-projection at "
             "each site; a term of the loss, the mean of both Kullback-Leibler divergences, makes the two predictions "
             "agree. Scoring uses the mean of the M adapters, the paper's merged adapter, so it costs what one adapter "
             "costs. The divergence has gradients for both predictions, where the authors' code treats its targets as "
             "constants, and the loss is the mean of the cross-entropies of both passes, where that code has the first "
             "one's only. The paper reports the size of the merged adapter; what is counted and stored here is all M. "
             "Whether averaging replaces an ensemble, as the paper finds for large models, a small one cannot show.",
    .count = "max(1, experts*(1-share_down))*bottleneck*(in+1) + max(1, experts*(1-share_up))*out*(bottleneck+1)",
    .deviation = "down.*.weight: init; up.*.weight: 0; *.bias: 0",
    .traits = {PB_ADDITIVE, .identity = true},
    .settings = {options, sizeof(conf), "bottleneck"},
    .hooks = {.block = block, .consistency = consistency},
};
