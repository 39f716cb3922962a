/* pretrain_state: the checkpoint of a pretraining run. */
#ifndef PB_PRETRAIN_STATE_H
#define PB_PRETRAIN_STATE_H

#include "train/optim.h"

/* One point of the learning curve, at a checkpoint. */
typedef struct pb_pretrain_point {
    double tokens, seconds; /* of training so far, without the time between interruptions                    */
    double loss;            /* mean training loss since the point before, with the distillation loss         */
    double heldout;         /* nats per target on a fixed part of the held-out text                          */
    double rate;            /* tokens per second since the point before                                      */
} pb_pretrain_point;

/* A learning curve.  The owner frees `point`. */
typedef struct pb_pretrain_curve {
    pb_pretrain_point *point; /* [points] */
    size_t points, capacity;
} pb_pretrain_curve;

/* The position of a run in its data. */
typedef struct pb_progress_state {
    int epoch, cursor;      /* `cursor` is the number of the next segment in the epoch's order */
    double tokens, seconds; /* of training so far */
} pb_progress_state;

/* Writes weights, moments, position and learning curve to a file.  The file is replaced as a whole or stays as it
 * was.  Returns -1 with an error if it cannot be written. */
int pb_pretrain_save(const char *path, pb_model *m, pb_optim *opt, const pb_progress_state *at,
                     const pb_pretrain_curve *curve);

/* Reads a checkpoint back.  Does nothing if the file does not exist.  Returns -1 with an error if the file is of
 * another network or tokenizer. */
int pb_pretrain_resume(const char *path, pb_model *m, pb_optim *opt, pb_progress_state *at, pb_pretrain_curve *curve);

#endif
