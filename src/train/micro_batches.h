/* micro_batches: a training step in parts, whose gradients add up to those of the whole batch (gradient accumulation).
 *
 * The examples of a step are divided into `accumulate` micro-batches, as equal as they can be, which run one after
 * the other.  The loss of a batch is a mean over its labels, tags or target tokens (pb_model_loss_terms), so each
 * micro-batch counts by its share of them, and the sum of the losses and of the gradients is that of one batch, up to
 * rounding.  What methods add to the loss counts by the same share: a penalty of parameters alone counts once, as in
 * one batch.  A micro-batch without a target is left out. */
#ifndef PB_MICRO_BATCHES_H
#define PB_MICRO_BATCHES_H

#include "train/costs.h"
#include "train/runner.h"
#include "train/train_options.h"

/* Returns the most examples of a micro-batch, o->batch / o->accumulate rounded up: so many run together, in the steps
 * and wherever a run computes something of many examples. */
int pb_micro_batch_size(const pb_train_options *o);

/* One step of training. */
typedef struct pb_step_parts {
    pb_runner_batch batch; /* the examples of the step */
    int accumulate;        /* number of micro-batches; if it is more than the examples, one for each */
    const int *touched;    /* [parameters] the rows for which a table with sparse gradients has memory */
} pb_step_parts;

/* Plans the micro-batches of a step one after the other, without running them, and adds the step to the effort.
 * Returns -1 with an error as pb_runner_plan does. */
int pb_step_plan(pb_runner *r, const pb_step_parts *s, pb_effort *effort);

/* Runs the micro-batches of a step forward and backward, adds the step to the effort, and sets the loss of the whole
 * batch.  The gradients and the marks of the parameters that are reached are then those of the step.  Returns -1 with
 * an error as pb_runner_plan does. */
int pb_step_run(pb_runner *r, const pb_step_parts *s, pb_effort *effort, double *loss);

#endif
