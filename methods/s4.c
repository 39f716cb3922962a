/* s4: four groups of layers, each with its own parts: adapters, a prefix, biases, LoRA. */
#include "peftbench.h"

const pb_preset pb_preset_s4 = {
    .name = "s4",
    .title = "S4: methods by groups of layers",
    .paper = "Chen et al. 2023, Parameter-efficient fine-tuning design spaces, arXiv:2301.01821",
    .spec = "adapter:bottleneck=15,act=relu,targets=0/6-5/6.mlp,norms=no+prefix:length=15,targets=1/6-6/"
            "6.attn+lora:targets=0/6-1/6.attn.[qv]* 5/6-6/6.attn.[qv]*+bitfit:only=3/6-6/6.*,others=no",
    .notes = "Adapters and LoRA in the first group of layers, adapters and a prefix in the second, both and biases in "
             "the third, a prefix, biases and LoRA in the last: the assignment that the paper's search on T5-base "
             "finds.  The paper makes the groups in the middle larger; the shares 1/6, 1/3, 1/3 and 1/6 are chosen "
             "here, and so are the sizes, with which a layer of BERT-base trains 30 to 36 times 2d elements, where the "
             "paper gives all layers as many.  A layer that a boundary cuts is in both groups.",
};
