/* low_rank: the update s B A of LoRA (Hu et al. 2021, arXiv:2106.09685), A [r,in] and B [out,r], for methods that use
 * it: settings that theirs begin with, its names in PEFT, and its computation. */
#ifndef PB_LOW_RANK_H
#define PB_LOW_RANK_H

#include "model/method.h"

/* The settings, with which the settings struct of a method begins. */
typedef struct pb_low_rank_settings {
    int rank;
    double alpha, dropout;
    const char *rank_pattern, *alpha_pattern, *targets;
} pb_low_rank_settings;

/* LOW_RANK(..) as the first of PB_SETTINGS, whose struct begins with them as `update`: with the default values of
 * targets, of r and alpha too (LOW_RANK_OF), and with other texts for r, which is at most `most`, and for dropout. */
#define PB_FIELD_LOW_RANK(...) pb_low_rank_settings update
#define PB_FIELD_LOW_RANK_OF(...) pb_low_rank_settings update
#define PB_FIELD_LOW_RANK_AS(...) pb_low_rank_settings update
#define PB_SETTING_LOW_RANK(projections) PB_SETTING_LOW_RANK_OF("8", "16", projections)
#define PB_SETTING_LOW_RANK_OF(r, a, projections)                                                                      \
    PB_SETTING_LOW_RANK_AS(4096, "r, the rank of B A", r, a, "of the input of A, while training", projections)
#define PB_SETTING_LOW_RANK_AS(most, what, r, a, dropped, projections)                                                 \
    PB_OPTION(pb_low_rank_settings, rank, INT, r, 1, most, what),                                                      \
        PB_OPTION(pb_low_rank_settings, alpha, REAL, a, 1e-9, 1e6, "the update is scaled by alpha / r"),               \
        PB_OPTION(pb_low_rank_settings, dropout, REAL, "0", 0, 0.99, dropped),                                         \
        PB_OPTION(pb_low_rank_settings, rank_pattern, TEXT, "",                                                        \
                  "ranks of single projections: \"mlp.*=4 0.attn.q=16\""),                                             \
        PB_OPTION(pb_low_rank_settings, alpha_pattern, TEXT, "", "alphas of single projections"),                      \
        PB_OPTION(pb_low_rank_settings, targets, TEXT, projections, "projections to adapt")

/* Rows for pb_peft.keys and pb_peft.tensors. */
#define PB_LOW_RANK_PEFT_KEYS                                                                                          \
    {"r", "rank", "rank_pattern", "rank_pattern", .rows = true},                                                       \
        {"lora_alpha", "alpha", "alpha_pattern", .pattern_option = "alpha_pattern"},                                   \
    {                                                                                                                  \
        .key = "lora_dropout", .option = "dropout"                                                                     \
    }
#define PB_LOW_RANK_PEFT_TENSORS                                                                                       \
    {"A", "lora_A.weight", .embedding = "lora_embedding_A"},                                                           \
    {                                                                                                                  \
        "B", "lora_B.weight", .embedding = "lora_embedding_B"                                                          \
    }

/* How PEFT has an update that is a LoRA in the end, however it has started: as a plain LORA, which `lora` reads.  An
 * update of pb_low_rank_add_change is written as [s B, -s B0] [A; A0], of twice the rank. */
extern const pb_peft pb_low_rank_peft;

/* Returns the update of a site: the matrices "A" and "B", the rank, and the scale alpha / r.  It is additive. */
pb_low_rank pb_low_rank_at(const void *settings, const pb_site *site);

/* Returns the largest rank of the running method's targets. */
int pb_low_rank_largest(pb_build *b);

/* Gives a site the random matrices A [rows,in] and B [out,rank] of VeRA (Kopiczko et al. 2023, arXiv:2310.11454), which
 * are the same for all targets and drawn from the run's seed.  Their elements are Kaiming's: uniform with the bound
 * sqrt(6 / columns).  A has the columns of the widest input and B the rows of the widest output of all targets; a
 * smaller projection has the first of them. */
void pb_shared_factors(pb_build *b, const pb_site *site, int rows, int rank, pb_node **A, pb_node **B);

/* Returns the first rows and columns of a matrix that projections of several shapes share. */
pb_node *pb_shared_part(pb_build *b, pb_node *whole, int rows, int cols);

/* Returns the trained matrices of the running method at a site, as the paper starts them: A is random, as
 * kaiming_uniform_ draws it, and B is zero. */
pb_node *pb_low_rank_down(pb_build *b, const pb_site *site, int rank);
pb_node *pb_low_rank_up(pb_build *b, const pb_site *site, int rank);

/* Returns W x + bias + scale * B A x: the projection without the running method, x [T,in] to [T,out], and the update,
 * whose x passes through the dropout of the settings. */
pb_node *pb_low_rank_add(pb_build *b, const pb_site *site, pb_node *x, pb_node *A, pb_node *B, double scale);

/* For methods whose A and B start away from zero.  Returns W x + bias + scale * (B A x - B0 A0 x), where B0 and A0 are
 * tensors that do not train: the values with which B and A start, so that the first outputs are those of the projection
 * without the running method, bit by bit.  Until pb_low_rank_keep_start, A and B start as above, and A0 and B0 are
 * zero. */
pb_node *pb_low_rank_add_change(pb_build *b, const pb_site *site, pb_node *x, pb_low_rank update);

/* For `start`: copies A and B, which the caller has set, to A0 and B0. */
void pb_low_rank_keep_start(pb_build *b, const pb_site *site);

#endif
