/* trace: what a training run leaves behind so that a later run can be held against it step by step.
 *
 * The regression gate (study/identity.h) compares these records.  They are made between the steps and change no
 * number of the training: the loss and the gradient's norm of the first steps, a fingerprint of every trainable tensor
 * and of its gradient at a few points, and the scores of a fixed probe, the first validation items, at the same points
 * and, of the model with its methods folded in, at the end.
 *
 * Put into the result: the series "loss" and "gradient_norm" (step -1), "logits" (after a number of steps, -1 at the
 * end) and "logits.merged" (-1), and the fingerprints. */
#ifndef PB_TRACE_H
#define PB_TRACE_H

#include "train/result.h"
#include "train/runner.h"

enum {
    PB_TRACE_STEPS = 100, /* first steps whose loss is kept one by one */
    PB_TRACE_PROBE = 8,   /* items of the probe                        */
};

typedef struct pb_trace {
    pb_runner *runner;
    int batch;   /* items that are scored at once */
    int planned; /* steps in all, if nothing ends the training early */
    pb_result *out;
    int steps; /* kept so far */
    double loss[PB_TRACE_STEPS], norm[PB_TRACE_STEPS];
} pb_trace;

/* Records the model before its first of `planned` steps.  The runner and the result outlive the trace.  -1 with an
 * error. */
int pb_trace_start(pb_trace *t, pb_runner *r, int batch, int planned, pb_result *out);

/* Step number `step`, from 1 on, has been taken; gradients are still those of its batch.  -1 with an error. */
int pb_trace_step(pb_trace *t, int step, double loss, double norm);

/* Records the model that training has led to.  It is folded and unfolded again where that can be done, which takes
 * memory for the folded weights.  -1 with an error. */
int pb_trace_end(pb_trace *t);

#endif
