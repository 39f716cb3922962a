/* mam: the mix-and-match adapter, a short prefix in attention and a wide scaled adapter beside the MLP. */
#include "peftbench.h"

const pb_preset pb_preset_mam = {
    .name = "mam",
    .title = "MAM: a short prefix and a scaled parallel adapter",
    .paper = "He et al. 2022, Towards a unified view of parameter-efficient transfer learning, arXiv:2110.04366",
    .spec = "prefix:length=30,mlp=yes,hidden=800+parallel",
    .notes = "The sizes are those of the paper's summarization: 30 prefix tokens that an MLP computes, and y + 4 U "
             "relu(D x) beside the MLP with a bottleneck of 512; on GLUE it uses 16 tokens, a bottleneck of 16 and a "
             "factor of 2.  The paper counts the prefix without its MLP.",
};
