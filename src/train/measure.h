/* measure: inference time and FLOPs of a method, measured beside the base model. */
#ifndef PB_MEASURE_H
#define PB_MEASURE_H

#include "train/encoded.h"
#include "train/result.h"

/* The models that are timed side by side: the base model, the tuned model, and the tuned model merged into its base. */
enum { PB_BASE, PB_UNMERGED, PB_MERGED, PB_VARIANTS };
extern const char *const pb_variant_name[PB_VARIANTS]; /* "base", "unmerged", "merged" */

/* The batch sizes that are timed: 1 and 32 examples. */
extern const int pb_measured_batch[2];

/* The rounds of a timing pass that one process runs: `count` rounds, the first of which has the number `from`. */
typedef struct pb_rounds {
    int process, from, count;
} pb_rounds;

/* The generation settings of timed batches: greedy decoding of 16 tokens. */
extern const pb_decoding pb_measured_decoding;

/* Times whole forward passes, with the construction of the graph and its plan, on validation examples.  The variants
 * take turns in each round, in a rotating order.  model[PB_MERGED] is NULL if the method cannot be merged.
 *
 * Puts into `out` the samples prefill.b1.base, .unmerged, .merged and prefill.b32.*, in seconds per batch, and by
 * generation decode.b1.* and decode.b32.*, which include the prefill.  Process 0 also puts the exact values
 * overhead.merge_error (largest difference between a logit of the merged and the unmerged model, relative to the
 * largest logit), overhead.flops, .base and .merged (forward FLOPs of an example, mean over the first 32), and
 * overhead.kv_bytes (bytes that the method adds to the keys and values of each sequence, see model/kv_cache.h).
 * Returns -1 with an error if a pass fails. */
int pb_measure_inference(pb_model *const model[PB_VARIANTS], const pb_encoded *const encoded[PB_VARIANTS],
                         const pb_rounds *rounds, pb_result *out);

/* Puts overhead.precision_error: the largest difference between a logit of `packed`, a base model held in fewer
 * bits, and of `full`, over the first 32 validation items, relative to the largest logit.  Returns -1 with an error
 * if a pass fails. */
int pb_measure_difference(pb_model *packed, pb_model *full, const pb_encoded *set, pb_result *out);

#endif
