/* full: every parameter trains. */
#include "peftbench.h"

static bool trains(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)p, (void)layers;
    return true;
}

const pb_method pb_method_full = {
    .name = "full",
    .title = "Full fine-tuning",
    .paper = "Devlin et al. 2019, BERT, arXiv:1810.04805",
    .help = "Trains every parameter of the base model and the head.",
    .category = PB_BASELINE,
    .identity = true,
    .select = trains,
};
