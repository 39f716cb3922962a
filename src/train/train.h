/* train: the training loop, which turns a base model with methods into predictions. */
#ifndef PB_TRAIN_H
#define PB_TRAIN_H

#include "train/costs.h"
#include "train/encoded.h"
#include "train/result.h"
#include "train/train_options.h"

/* Plans every batch of the run.  The model may have shapes only, without weights.  Returns -1 with an error if a
 * batch cannot be planned. */
int pb_train_plan(pb_model *m, const pb_encoded *set, const pb_train_options *o, uint64_t seed, pb_footprint *out);

/* A function that is called after each step; NULL for none. */
typedef struct pb_progress {
    void (*step)(void *ctx, int number, int steps, double loss);
    void *ctx;
} pb_progress;

/* Trains the model, to which the methods are attached.  With patience, the model then has the parameters of the best
 * epoch.
 *
 * Puts into `out` the learning curve (train.loss by step, accuracy.validation.* by epoch), storage.*,
 * memory.train.*, compute.*, train.* and the final predictions on validation.  A run that diverges is a result: its
 * status is "diverged" and it has no predictions.  `progress` may be NULL.  Returns -1 with an error if the run
 * could not take place. */
int pb_train(pb_model *m, const pb_encoded *set, const pb_task *task, const pb_train_options *o, uint64_t seed,
             const pb_progress *progress, pb_result *out);

#endif
