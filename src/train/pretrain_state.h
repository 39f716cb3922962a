/* pretrain_state: the checkpoint of a pretraining run.  Not for other rooms. */
#ifndef PB_PRETRAIN_STATE_H
#define PB_PRETRAIN_STATE_H

#include "train/optim.h"

/* One point of the learning curve, at a checkpoint. */
typedef struct pb_pretrain_point {
    double tokens, seconds; /* of training so far, all stretches together                                */
    double loss;            /* mean of the training loss since the point before, teacher's part included */
    double heldout;         /* nats for each token asked for, on a fixed part of the held-out text       */
    double rate;            /* tokens a second since the point before                                    */
} pb_pretrain_point;

/* A learning curve.  The owner frees `point`. */
typedef struct pb_pretrain_curve {
    pb_pretrain_point *point; /* [points] */
    size_t points, capacity;
} pb_pretrain_curve;

typedef struct pb_progress_state {
    int epoch, cursor; /* the next piece of the epoch's order */
    double tokens, seconds;
} pb_progress_state;

/* Writes weights, moments, place and learning curve; complete or as it was before.  -1 with an error. */
int pb_pretrain_save(const char *path, pb_model *m, pb_optim *opt, const pb_progress_state *at,
                     const pb_pretrain_curve *curve);

/* Reads them back, if the file exists.  -1 with an error: it is of another network or tokenizer. */
int pb_pretrain_resume(const char *path, pb_model *m, pb_optim *opt, pb_progress_state *at, pb_pretrain_curve *curve);

#endif
