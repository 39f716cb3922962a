/* measure: the timing pass, alone on the machine. */
#ifndef PB_MEASURE_H
#define PB_MEASURE_H

#include "train/encoded.h"
#include "train/result.h"

/* Names of what is timed side by side, the base model first. */
enum { PB_BASE, PB_UNMERGED, PB_MERGED, PB_VARIANTS };
extern const char *const pb_variant_name[PB_VARIANTS];
extern const int pb_measured_batch[2]; /* 1 and 32 examples */

/* A process's share of the rounds of a timing pass: `count` of them, from the `from`-th. */
typedef struct pb_rounds {
    int process, from, count;
} pb_rounds;

/* How measured batches are generated: 16 tokens each, the likeliest. */
extern const pb_decoding pb_measured_decoding;

/* Times whole forward passes (graph, plan and arithmetic) of the base model, the tuned one and
 * the merged one (NULL: cannot be merged) on real validation examples, interleaved round by round
 * in a rotating order.  Puts samples prefill.b1.base, .unmerged, .merged and prefill.b32.*, where answers
 * are texts also decode.b1.* and decode.b32.* (16 tokens behind each text, the reading of it included), and of
 * process 0 also what is exact: overhead.merge_error (largest difference of a logit, relative to the largest logit),
 * overhead.flops (.base, .merged: exact forward FLOPs of an example, mean over the first 32) and
 * overhead.kv_bytes (what the method adds to each sequence's keys and values).  -1 with an error. */
int pb_measure_inference(pb_model *const model[PB_VARIANTS], const pb_encoded *const form[PB_VARIANTS],
                         const pb_rounds *rounds, pb_result *out);

/* Puts overhead.precision_error: the largest difference of a logit between `packed` and `full` over 32
 * validation examples, relative to the largest logit.  -1 with an error. */
int pb_measure_difference(pb_model *packed, pb_model *full, const pb_encoded *f, pb_result *out);

#endif
