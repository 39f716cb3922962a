/* timing: what is made of the samples of a timing pass: ratios, by process and over all of them. */
#ifndef PB_TIMING_H
#define PB_TIMING_H

#include "results/store.h"

/* If threads waited for a processor for more than this share of the time, other programs were using the machine, and
 * the times count as those of a busy machine. */
#define PB_CONTENDED 0.05

/* Key of a run's provenance: why it could not be timed. */
#define PB_TIMING_FAILED "timing.failed"

/* Puts under `key`, with the process as its step, the median over the rounds of sample `over` / sample `under`; nothing
 * where there are none.  Round by round: what disturbs a round disturbs both. */
void pb_timing_ratio(pb_result *r, int process, const char *over, const char *under, const char *key);

/* All ratios of pb_measure_inference's samples: overhead.prefill_ratio.b1, .b32, their .merged, and of decoding. */
void pb_timing_ratios(pb_result *r, int process);

/* Has process `process` (-1: all together) measured the run?  -1 with an error. */
int pb_timing_has(pb_store *s, long long run, int process, bool *has);

/* Where `processes` of them have measured the run: appends the mean over the processes of everything timed (geometric,
 * of ratios) with its 95 % interval as .low and .high, if that is not done yet.  -1 with an error. */
int pb_timing_pool(pb_store *s, long long run, int processes);

#endif
