/* bitfit: biases train, weights do not. */
#include "peftbench.h"

/* b of every W x + b, and beta of every norm. */
static bool trains(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)layers;
    return p->kind == PB_BIAS || p->kind == PB_NORM_BIAS || p->kind == PB_HEAD;
}

const pb_method pb_method_bitfit = {
    .name = "bitfit",
    .title = "BitFit: bias terms only",
    .paper = "Ben Zaken et al. 2022, BitFit, arXiv:2106.10199",
    .help = "Trains all bias vectors and the head.",
    .category = PB_SELECTIVE,
    .identity = true,
    .select = trains,
};
