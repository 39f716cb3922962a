/* start: the preparation of methods before the first training step: what they ask to know of the training data
 * (pb_hooks.asks) is computed, and their `start` hooks are called.
 *
 * One example counts once, whatever the batches.  Nothing is dropped out or drawn, a batch runs once, and the loss has
 * no penalties: the statistics are those of the model as it is scored.  The weights that a gradient is asked of
 * train for the time of the pass only and are not written. */
#ifndef PB_START_H
#define PB_START_H

#include "model/model.h"

/* The training split, as the preparation reads it. */
typedef struct pb_samples {
    int classes;            /* as in pb_training_stats, as is class_count */
    const int *class_count; /* [classes] */
    bool label_sets;        /* as in pb_training_stats */
    bool numbers;           /* as in pb_training_stats, as is mean_number */
    double mean_number;
    int count; /* examples that there are; a method's setting `samples` says how many are drawn */
    int batch; /* examples that are computed at once */
    /* Returns the batch of n examples, with all that training predicts, allocated in `arena`. */
    pb_batch (*make)(const void *ctx, pb_arena *arena, const int *example, int n);
    const void *ctx;
} pb_samples;

/* What the preparation takes, besides the weights; all 0 if no method asks for anything. */
typedef struct pb_preparation {
    size_t gradients;              /* bytes of the gradients of one batch                                     */
    size_t statistics;             /* bytes of the matrices of pb_training_stats                              */
    size_t activations, workspace; /* bytes, as in training                                                   */
    uint64_t flops;
} pb_preparation;

/* Plans the preparation.  The model may have shapes only.  Returns -1 with an error if two methods want different
 * `samples`, or if a batch cannot be planned. */
int pb_model_plan_start(pb_model *m, const pb_samples *s, pb_preparation *out);

/* Computes what the methods ask for and calls their `start` hooks.  The examples are drawn by a random stream of the
 * model's seed.  Stops the program if anything else is needed than planned.  Returns -1 with an error as
 * pb_model_plan_start does, if a statistic is not finite, or with the error that a hook has reported. */
int pb_model_start(pb_model *m, const pb_samples *s, const pb_preparation *planned);

#endif
