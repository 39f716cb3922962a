/* trace: a record of a training run, with which a later run can be compared step by step.
 *
 * The regression gate (report/identity.h) compares these records.  Recording happens between the steps and changes
 * no number of the training.  The record holds the loss and the gradient norm of the first steps, a fingerprint of
 * every trainable tensor and its gradient at a few points, and the scores of the first validation items at the same
 * points and, with the methods merged, at the end.
 *
 * It is put into the result as the series "loss" and "gradient_norm" (step -1), "logits" (after a number of steps,
 * or -1 at the end) and "logits.merged" (step -1), and as the fingerprints. */
#ifndef PB_TRACE_H
#define PB_TRACE_H

#include "train/result.h"
#include "train/runner.h"

enum {
    PB_TRACE_STEPS = 100, /* first steps whose loss and gradient norm are recorded */
    PB_TRACE_ITEMS = 8,   /* validation items whose scores are recorded            */
};

typedef struct pb_trace {
    pb_runner *runner;
    int batch;   /* items that are scored together */
    int planned; /* steps of the run if it does not end early */
    pb_result *out;
    int steps; /* recorded so far */
    double loss[PB_TRACE_STEPS], norm[PB_TRACE_STEPS];
} pb_trace;

/* Starts the trace and records the model before the first of `planned` steps.  The runner and the result must outlive
 * the trace.  Returns -1 with an error if scoring fails. */
int pb_trace_start(pb_trace *t, pb_runner *r, int batch, int planned, pb_result *out);

/* Records the step with the number `step`, from 1 on, which has just been taken: the gradients are still those of its
 * batch.  Returns -1 with an error if scoring fails. */
int pb_trace_step(pb_trace *t, int step, double loss, double norm);

/* Records the trained model.  A model that can be merged is merged and unmerged again, which needs memory for the
 * merged weights, unless it has diverged.  Returns -1 with an error if scoring fails. */
int pb_trace_end(pb_trace *t, bool diverged);

#endif
