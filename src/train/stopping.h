/* stopping: selects the best epoch and stops training early.
 *
 * One rule serves every method.  An epoch is as good as its validation score (pb_score_selector).  The best epoch is
 * the first that no other beats; a score of NaN beats no other. */
#ifndef PB_STOPPING_H
#define PB_STOPPING_H

#include "base/arena.h"
#include "model/model.h"
#include "train/train_options.h"

typedef struct pb_stopping {
    pb_model *model;
    const pb_train_options *options;
    bool higher;   /* A higher score is better.                                                   */
    pb_real *copy; /* what training may change, at the best epoch, one after the other; NULL with patience 0 */
    int epochs;    /* epochs noted so far                                                         */
    int skipped;   /* number of the last epoch that ended in a phase without a result (pb_unfinished); 0: none */
    int best;      /* number of the best epoch, from 1 on; 0: none                                */
    double score;  /* of the best epoch                                                           */
    bool reached;  /* The target has been reached.                                                */
} pb_stopping;

/* Returns the state before the first epoch.  With patience, its copy of what training may change is allocated in
 * `arena` (class PB_BEST). */
pb_stopping pb_stopping_start(pb_model *m, const pb_train_options *o, bool higher, pb_arena *arena);

/* Returns the bytes that pb_stopping_start allocates. */
size_t pb_stopping_bytes(const pb_model *m, const pb_train_options *o);

/* Notes the score of the epoch that has ended, and copies the parameters if it is the best.  Returns true if it is
 * the first epoch that reaches the target. */
bool pb_stopping_note(pb_stopping *s, double score);

/* Returns true if as many epochs as the patience have passed without a better score. */
bool pb_stopping_due(const pb_stopping *s);

/* Restores the trainable parameters of the best epoch.  Does nothing without patience or a best epoch. */
void pb_stopping_restore(const pb_stopping *s);

#endif
