/* measure: the timing pass, alone on the machine.  Floor 5. */
#ifndef PB_MEASURE_H
#define PB_MEASURE_H

#include "model/model.h"
#include "train/result.h"

/* Times forward passes of `base` and of `tuned` (unmerged, and merged where it can) on
 * batches of 1 and 32 real examples, interleaved round by round; puts raw samples
 * (prefill.b1.base, prefill.b1.unmerged, prefill.b1.merged, prefill.b32.*), the median
 * ratios overhead.prefill_ratio.b1[.merged] with 95 % intervals (.low, .high),
 * overhead.merge_error, overhead.kv_bytes, memory.infer.* */
int pb_measure_inference(pb_model *base, pb_model *tuned, const pb_data *d, int rounds, pb_result *out);

#endif
