/* train: one cell, from a base model to predictions.  Floor 5. */
#ifndef PB_TRAIN_H
#define PB_TRAIN_H

#include "base/option.h"
#include "model/model.h"
#include "train/result.h"
#include "train/task.h"

/* [train] of an experiment file. */
typedef struct pb_train_options {
    int epochs, batch, max_tokens;
    double lr, warmup, decay, clip, dropout;
    double beta1, beta2, eps;
    int schedule; /* 0 linear, 1 constant */
} pb_train_options;
extern const pb_option pb_train_table[];

typedef struct pb_progress {
    void (*tell)(void *ctx, int step, int steps, double loss); /* called now and then; may be NULL */
    void *ctx;
} pb_progress;

/* Trains the model (methods attached, see model.h) and puts into `out`: the learning curve
 * (train.loss by step, accuracy.validation.* by epoch), storage.*, memory.train.*,
 * compute.*, and the final predictions on validation.  A diverged run is a result: status
 * "diverged", no prediction.  -1 with an error if it could not be run at all. */
int pb_train(pb_model *m, pb_data *d, const pb_task *task, const pb_train_options *o, uint64_t seed,
             const pb_progress *progress, pb_result *out);

/* Predicts one split with the model as it is: predictions and accuracy.<split>.* */
int pb_score(pb_model *m, pb_data *d, const pb_task *task, pb_split split, int batch, pb_result *out);

#endif
