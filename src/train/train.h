/* train: the training loop, which turns a base model with methods into predictions. */
#ifndef PB_TRAIN_H
#define PB_TRAIN_H

#include "model/start.h"
#include "train/encoded.h"
#include "train/result.h"
#include "train/train_options.h"

/* What a number of training steps computes. */
typedef struct pb_effort {
    uint64_t forward_flops, backward_flops; /* with the features, which are computed once              */
    uint64_t recompute_flops;               /* of what backward computes again, see pb_plan                */
    uint64_t prepare_flops;                 /* of the preparation before the first step (model/start.h) */
    uint64_t tokens;                        /* of the inputs                                           */
    int steps;
} pb_effort;

/* Returns the sum of the four kinds of FLOPs. */
uint64_t pb_effort_flops(const pb_effort *e);

/* What a training run needs, known before it starts: for each class of memory the most bytes that any of its batches
 * needs, and the effort of all epochs. */
typedef struct pb_footprint {
    size_t weights, gradients, optimizer, best, activations, workspace, features; /* bytes */
    pb_preparation prepare;                                                       /* in front of the steps */
    pb_effort effort;
} pb_footprint;

/* Returns the most memory that is in use at once, in bytes: the sum over the classes, or that of the preparation if it
 * is larger. */
size_t pb_footprint_total(const pb_footprint *f);

/* Returns the memory of the preparation with the weights, in bytes; 0 if there is none. */
size_t pb_footprint_prepare(const pb_footprint *f);

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
