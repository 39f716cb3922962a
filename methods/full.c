/* full: every parameter trains. */
#include "peftbench.h"

const pb_method pb_method_full = {
    .name = "full",
    .title = "Full fine-tuning",
    .paper = "Devlin et al. 2019, BERT, arXiv:1810.04805",
    .help = "Trains every parameter of the base model and the head.",
    .equation = "W, b, gamma, beta all train",
    .traits = {PB_BASELINE, .identity = true},
    .hooks = {.select = pb_select_everything},
};
