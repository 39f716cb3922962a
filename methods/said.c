/* said: the whole network in d numbers.  W'_i = W_i + lambda_l P_i theta, where theta [1,d] is the same for all weights
 * W_i of all layers l, and P_i is a random projection of d numbers to the shape of W_i (Fastfood, Le et al. 2013) that
 * is drawn from the run's seed and is stored nowhere.  lambda starts as ones and theta as zeros. */
#include "peftbench.h"

PB_SETTINGS(INT(dimension, "1000", 1, 1 << 24, "d, the numbers in theta"),
            BOOL(structure, "yes", "structure-aware: train a scale lambda for each layer"),
            TEXT(targets, "*", "projections whose weights change"));

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *theta = pb_added(b, NULL, "theta", 1, c->dimension, pb_init_constant(0));
    if (c->structure) {
        pb_node *lambda = pb_vector(b, NULL, "lambda", b->layers, pb_init_constant(1));
        theta = pb_op_scale(g, theta, pb_op_columns(g, lambda, site->layer, 1));
    }
    return pb_op_add(g, pb_op_fastfood(g, theta, pb_seed(b, site, "P"), site->out, site->in), w);
}

const pb_method pb_method_said = {
    .name = "said",
    .title = "SAID: structure-aware intrinsic dimension",
    .paper = "Aghajanyan et al. 2020, Intrinsic dimensionality explains the effectiveness of language model "
             "fine-tuning, arXiv:2012.13255",
    .help = "Adds a random projection of one trained vector to every weight.  The paper's d is that of theta and "
            "lambda together.",
    .equation = "W + lambda_l P theta, P random (Fastfood)",
    .notes = "P theta consists of blocks of n elements, n the smallest power of two of at least d: 1/sqrt(D sum "
             "G_ii^2) H G Pi H B theta, where D is the number of elements of the weight. The code in rabeehk/compacter "
             "pads theta to at least D numbers, which is the same where n >= D; it multiplies the gradient by "
             "1/sqrt(n) for each H, and has a scale for each tensor, where here it is one for each layer, as in the "
             "paper. Training needs one full-size weight and its gradient at a time. That d falls with the size of the "
             "pretrained model needs models of several sizes to show.",
    .count = "model: dimension+structure*layers",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "dimension"},
    .presets =
        PB_PRESETS({"did", "DID: direct intrinsic dimension, without a scale for each layer",
                    "Li et al. 2018, Measuring the intrinsic dimension of objective landscapes, arXiv:1804.08838",
                    "structure=no"}),
    .hooks = {.weight = weight},
};
