/* head: a classifier on frozen features, also called linear probing. */
#include "peftbench.h"

/* No hook and no `select`: the head trains and the base does not, so the engine computes each
 * example's feature once. */
const pb_method pb_method_head = {
    .name = "head",
    .title = "Head only, on frozen features",
    .paper =
        "Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes, arXiv:1610.01644",
    .help = "Trains the task's head alone; features are computed once and kept.",
    .equation = "logits = C h + c; h is frozen",
    .notes = "The paper probes all layers; here the features are those that the task's head reads.",
    .traits = {PB_SELECTIVE, .classes = true, .identity = true},
};
