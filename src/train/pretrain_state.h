/* pretrain_state: the checkpoint of a pretraining run.  Not for other rooms. */
#ifndef PB_PRETRAIN_STATE_H
#define PB_PRETRAIN_STATE_H

#include "train/optim.h"
#include "train/pretrain.h"

typedef struct pb_progress_state {
    int epoch, cursor; /* the next piece of the epoch's order */
    double tokens, seconds;
} pb_progress_state;

/* Writes weights, moments, place and learning curve; complete or as it was before.  -1 with an error. */
int pb_pretrain_save(const char *path, pb_model *m, pb_optim *opt, const pb_progress_state *at,
                     const pb_pretrained *curve);

/* Reads them back, if the file exists.  -1 with an error: it is of another network or tokenizer. */
int pb_pretrain_resume(const char *path, pb_model *m, pb_optim *opt, pb_progress_state *at, pb_pretrained *curve);

#endif
