/* red: y = l * (W x + b) + beta, with vectors l and beta that train. */
#include "peftbench.h"

PB_SETTINGS(TEXT(targets, "mlp.down", "projections whose output is edited"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *l = pb_vector(b, site, "l", site->out, pb_init_constant(1));
    pb_node *beta = pb_vector(b, site, "beta", site->out, pb_init_constant(0));
    return pb_op_shift(b->graph, pb_op_scale(b->graph, pb_inner_linear(b, site, x), l), beta);
}

const pb_method pb_method_red = {
    .name = "red",
    .title = "RED: representation editing",
    .paper =
        "Wu et al. 2024, Advancing parameter efficiency in fine-tuning via representation editing, arXiv:2402.15179",
    .help = "Scales and shifts what the MLP of each layer computes by trained vectors.",
    .equation = "y = l * (W x + b) + beta",
    .notes = "The vectors stand where the authors' code has them, on the output of the MLP's last projection, in front "
             "of dropout and of the residual connection. targets=attn.o mlp.down edits attention as well, which is a "
             "variant in that code.",
    .count = "2*out",
    .deviation = "l: 1; beta: 0",
    .traits = {PB_ADDITIVE, .identity = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .hooks = {.linear = linear},
};
