/* train: one cell, from a base model to predictions. */
#ifndef PB_TRAIN_H
#define PB_TRAIN_H

#include "base/option.h"
#include "model/model.h"
#include "train/result.h"
#include "train/encoded.h"

typedef enum pb_rate_schedule { PB_LINEAR_RATE, PB_CONSTANT_RATE, PB_COSINE_RATE } pb_rate_schedule;

/* [train] of an experiment file. */
typedef struct pb_train_options {
    int epochs, batch, max_tokens;
    int patience;  /* see stopping.h */
    double target; /* the same       */
    double lr, warmup, decay, clip, dropout;
    double beta1, beta2, eps;
    int schedule; /* pb_rate_schedule */
    bool checkpoint;
} pb_train_options;
extern const pb_option pb_train_table[];

/* Training steps, and what they compute. */
typedef struct pb_effort {
    uint64_t forward_flops, backward_flops; /* features computed once included                                */
    uint64_t recompute_flops;               /* of what is forgotten and computed again, with checkpoint = yes */
    uint64_t tokens;                        /* of text                                                        */
    int steps;
} pb_effort;
uint64_t pb_effort_flops(const pb_effort *e); /* all three */

/* What a training run takes, known before it starts: the most of each class of memory that any
 * of its batches needs, and the work of all its epochs. */
typedef struct pb_footprint {
    size_t weights, gradients, optimizer, best, activations, workspace, features; /* bytes */
    pb_effort effort;
} pb_footprint;
size_t pb_footprint_total(const pb_footprint *f);

/* Plans every batch of the run.  Needs neither weights nor the memory that
 * it tells of.  -1 with an error. */
int pb_train_plan(pb_model *m, const pb_encoded *f, const pb_train_options *o, uint64_t seed, pb_footprint *out);

typedef struct pb_progress {
    void (*tell)(void *ctx, int step, int steps, double loss); /* after each step; may be NULL */
    void *ctx;
} pb_progress;

/* Trains the model (methods attached, see model.h) and puts into
 * `out`: the learning curve (train.loss by step, accuracy.validation.* by epoch), storage.*,
 * memory.train.*, compute.*, train.*, and the final predictions on validation.  With patience the model
 * is then that of the best epoch.  A diverged run is a result: status "diverged", no prediction.  -1 with
 * an error if it could not be run at all. */
int pb_train(pb_model *m, const pb_encoded *f, const pb_task *task, const pb_train_options *o, uint64_t seed,
             const pb_progress *progress, pb_result *out);

#endif
