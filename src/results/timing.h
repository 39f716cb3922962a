/* timing: ratios of the times that the timing pass measured, for one process and over all processes. */
#ifndef PB_TIMING_H
#define PB_TIMING_H

#include "results/store.h"

/* If threads waited for a processor for more than this share of the time, other programs were using the machine, and
 * the times count as those of a busy machine. */
#define PB_CONTENDED 0.05

/* The key of the provenance entry that says why a run could not be timed. */
#define PB_TIMING_FAILED "timing.failed"

/* Puts the median over the rounds of (sample `over` / sample `under`) under `key`, with the process as its step.  Puts
 * nothing if there are no samples.  The ratio is taken within each round, because a disturbance affects both samples of
 * a round. */
void pb_timing_ratio(pb_result *r, int process, const char *over, const char *under, const char *key);

/* Puts all ratios of the samples of pb_measure_inference: overhead.prefill_ratio.b1 and .b32, the same for decoding,
 * and each merged. */
void pb_timing_ratios(pb_result *r, int process);

/* Sets *has to whether process `process` has measured the run; -1 asks for the pooled values of all processes.  Returns
 * -1 with an error. */
int pb_timing_has(pb_store *s, long long run, int process, bool *has);

/* Appends the means over the processes of all timings of a run, with their 95 % intervals as .low and .high, if
 * `processes` processes have measured it and the means are not there yet.  The mean of ratios is geometric.  Returns -1
 * with an error. */
int pb_timing_pool(pb_store *s, long long run, int processes);

/* Reads what each process measured under `key`, for the first of n runs that was timed, into *x; run 0 stands for none.
 * The caller frees *x.  Returns the number of processes, 0 if no run was timed, and -1 with an error. */
int pb_timing_processes(pb_store *s, const long long *run, int n, const char *key, double **x);

#endif
