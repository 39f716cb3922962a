/* stopping: which epoch was the best, and when training need not go on.
 *
 * One rule for every method.  An epoch counts by its validation score (pb_score_deciding); the best is the first of
 * those that nothing beats, and a score that is no number beats nothing. */
#ifndef PB_STOPPING_H
#define PB_STOPPING_H

#include "base/arena.h"
#include "train/train.h"

typedef struct pb_stopping {
    pb_model *model;
    const pb_train_options *options;
    bool higher;      /* is better                                                            */
    pb_real *copy;    /* of all that trains, one after the other; NULL: patience = 0          */
    int epochs, best; /* that were noted, and the best of them from 1 on; 0: none             */
    double score;     /* of the best                                                          */
    bool reached;     /* the target                                                           */
} pb_stopping;

/* With patience, takes memory for a copy of all that trains from `arena` (class PB_BEST). */
pb_stopping pb_stopping_start(pb_model *m, const pb_train_options *o, bool higher, pb_arena *arena);
/* Bytes that pb_stopping_start takes for it. */
size_t pb_stopping_bytes(const pb_model *m, const pb_train_options *o);

/* An epoch has ended with that score.  true: it is the first that reached the target. */
bool pb_stopping_note(pb_stopping *s, double score);

/* Have as many epochs as the patience is gone by without a better score? */
bool pb_stopping_due(const pb_stopping *s);

/* With patience, sets all that trains to what it was at the end of the best epoch, if there is one. */
void pb_stopping_restore(const pb_stopping *s);

#endif
