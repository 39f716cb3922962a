/* rosa: a sparse and a low-rank update of the same projections. */
#include "peftbench.h"

const pb_preset pb_preset_rosa = {
    .name = "rosa",
    .title = "RoSA: a sparse and a low-rank update",
    .paper =
        "Nikdan et al. 2024, RoSA: Accurate parameter-efficient fine-tuning via robust adaptation, arXiv:2401.04679",
    .spec = "sparse:choose=squares,within=matrix,share=0.006,samples=32,targets=*+lora:rank=16,alpha=16,targets=*",
    .notes =
        "y = W x + S x + alpha/rank * B A x, where S has the places of the largest squared gradients in each matrix. "
        "Density, rank and alpha are those of the authors' script for ViGGO. Their scripts train the LoRA alone for 64 "
        "steps, choose the places from the squared gradient of the next batch, and start again with both parts; here "
        "the places are chosen before the first step, from the squared gradients of single examples.",
};
