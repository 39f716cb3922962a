/* subset: chosen weights and biases of the base train. */
#include "peftbench.h"

PB_SETTINGS(TEXT(only, "attn.*", "projections that train, such as attn.q or 3.mlp.*"),
            BOOL(weights, "yes", "their weights train"), BOOL(biases, "yes", "their biases train"));

static bool trains(const void *settings, const pb_param *p, int layers)
{
    const conf *c = settings;
    bool kind = (p->kind == PB_MATRIX && c->weights) || (p->kind == PB_BIAS && c->biases);
    return p->kind == PB_HEAD || (kind && pb_param_in(c->only, p, layers));
}

const pb_method pb_method_subset = {
    .name = "subset",
    .title = "Subset: chosen projections of the base train",
    .paper = "Touvron et al. 2022, Three things everyone should know about vision transformers, arXiv:2203.09795",
    .help = "Trains the weights and biases of chosen projections, and the head.",
    .equation = "W x + b, where W and b of the chosen projections train",
    .notes = "The norms stay frozen.",
    .traits = {PB_SELECTIVE, .identity = true},
    .settings = {options, sizeof(conf)},
    .presets = PB_PRESETS(
        {"attention-only", "Fine-tuning of the attention layers",
         "Touvron et al. 2022, Three things everyone should know about vision transformers, arXiv:2203.09795",
         "only=attn.*,weights=yes,biases=yes",
         "The paper's networks are vision transformers, whose attention is that of an encoder of texts."}),
    .hooks = {.select = trains},
};
