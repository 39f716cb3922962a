/* bitfit: biases train, weights do not. */
#include "peftbench.h"

PB_SETTINGS(TEXT(only, "*", "projections whose biases train, such as attn.q or 3.mlp.*"),
            BOOL(others, "yes", "the biases of norms, and those outside of the layers, train too"));

/* b of every W x + b, and beta of every norm. */
static bool trains(const void *settings, const pb_param *p, int layers)
{
    const conf *c = settings;
    bool other = p->kind == PB_NORM_BIAS || (p->kind == PB_BIAS && p->layer < 0);
    return p->kind == PB_HEAD || (other && c->others) || (p->kind == PB_BIAS && pb_param_in(c->only, p, layers));
}

const pb_method pb_method_bitfit = {
    .name = "bitfit",
    .title = "BitFit: bias terms only",
    .paper = "Ben Zaken et al. 2022, BitFit, arXiv:2106.10199",
    .help = "Trains all bias vectors and the head.",
    .equation = "W x + b, where b trains, and the norms' beta",
    .notes = "Where a network has no biases (LLaMA), nothing but the head trains.",
    .traits = {PB_SELECTIVE, .identity = true},
    .settings = {options, sizeof(conf)},
    .presets =
        PB_PRESETS({"bitfit-qi", "BitFit of the biases of queries and of the MLP's first projection",
                    "Ben Zaken et al. 2022, BitFit, arXiv:2106.10199", "only=attn.q mlp.up,others=no",
                    "The two kinds of bias that the paper finds to change the most: 0.04 % of BERT.  In a network with "
                    "queries, keys and values in one projection (GPT-2) those of mlp.up train only."}),
    .hooks = {.select = trains},
};
