/* layernorm: gains and biases of the norms train. */
#include "peftbench.h"

/* gamma and beta of y = (x - mean) / deviation * gamma + beta. */
static bool trains(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)layers;
    return p->kind == PB_NORM_GAIN || p->kind == PB_NORM_BIAS || p->kind == PB_HEAD;
}

const pb_method pb_method_layernorm = {
    .name = "layernorm",
    .title = "LayerNorm tuning",
    .paper = "Qi et al. 2022, Parameter-efficient tuning on layer normalization, arXiv:2211.08682",
    .help = "Trains the gain and bias of every layer norm and the head.",
    .equation = "y = (x - mean) / deviation * gamma + beta; gamma and beta train",
    .notes = "The paper trains the norms of an encoder; PEFT's LN_TUNING cites Zhao et al. 2023, arXiv:2312.11420, "
             "which does the same in multimodal models. A norm without a bias (LLaMA) has its gain only.",
    .traits = {PB_SELECTIVE, .identity = true},
    .hooks = {.select = trains},
    .peft = PB_PEFT("LN_TUNING", .layout = PB_PEFT_NORMS, .tensors = PB_PEFT_TENSORS({"", "ln_tuning_layers"}),
                    .keys = (const pb_peft_key[]){{0}}),
};
