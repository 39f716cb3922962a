/* loha: y = W x + alpha/r * ((B1 A1) * (B2 A2)) x, the elementwise product of two matrices of rank r.  It is applied as
 * one of rank r^2 by the Khatri-Rao products of the factors: row i*r + j of A is A1[i] * A2[j], and column i*r + j of B
 * is B1[:,i] * B2[:,j]. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK_AS(256, "r, the rank of each of the two products", "8", "8",
                        "of the update's input, while training", "attn.q attn.v attn.qkv"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_low_rank u = pb_low_rank_at(pb_conf(b), site);
    pb_node *A1 = pb_added(b, site, "A1", u.rank, site->in, pb_init_kaiming(site->in));
    pb_node *B1 = pb_added(b, site, "B1", site->out, u.rank, pb_init_kaiming(u.rank));
    pb_node *A2 = pb_added(b, site, "A2", u.rank, site->in, pb_init_constant(0));
    pb_node *B2 = pb_added(b, site, "B2", site->out, u.rank, pb_init_kaiming(u.rank));
    pb_node *A = pb_op_khatri_rao(b->graph, A1, A2, false), *B = pb_op_khatri_rao(b->graph, B1, B2, true);
    return pb_low_rank_add(b, site, x, A, B, u.scale);
}

const pb_method pb_method_loha = {
    .name = "loha",
    .title = "LoHa: the elementwise product of two low-rank matrices",
    .paper = "Hyeon-Woo et al. 2021, FedPara, arXiv:2108.06098",
    .help = "Adds the Hadamard product of two products of thin matrices to chosen projections.",
    .equation = "y = W x + alpha/rank * ((B1 A1) * (B2 A2)) x, * elementwise",
    .notes = "FedPara trains from scratch; as an update of a pretrained weight the method comes from LyCORIS and PEFT, "
             "whose start this is: A2 is zero and the other factors are uniform with bound 1/sqrt(columns). The update "
             "has rank r^2 and is applied as such, for 2 r^2 (in + out) FLOPs a token and without a matrix of the "
             "weight's size; PEFT forms that matrix. PEFT's rank_dropout and module_dropout do not exist here.",
    .count = "2*rank*(in+out)",
    .deviation = "A1: 1/sqrt(3*in); B1: 1/sqrt(3*rank); A2: 0; B2: 1/sqrt(3*rank)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT("LOHA",
                    PB_PEFT_TENSORS({"A1", "hada_w1_b"}, {"B1", "hada_w1_a"}, {"A2", "hada_w2_b"}, {"B2", "hada_w2_a"}),
                    PB_PEFT_KEYS({"r", "rank", "rank_pattern", "rank_pattern", .rows = true},
                                 {"alpha", "alpha", "alpha_pattern", "alpha_pattern"})),
};
