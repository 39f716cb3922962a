/* supra: super-tuning and LoRA at the same projections. */
#include "peftbench.h"

const pb_preset pb_preset_supra = {
    .name = "supra",
    .title = "Supra: the weights of the largest magnitude and a LoRA",
    .paper = "Ilin et al. 2026, Super-tuning: from activation-aware pruning to sparse fine-tuning, arXiv:2607.09287",
    .spec = "supertuning+lora:targets=*",
    .notes = "The sum of both: y = W x + S x + alpha/rank * B A x.  PEFT's rank has no default; here it is that of "
             "lora, and alpha is 2 * rank, as PEFT sets it.  The places are those of the largest |w| as in PEFT; the "
             "paper also tries scores that read activations.",
};
