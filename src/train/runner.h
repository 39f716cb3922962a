/* runner: ragged batches of a task's examples through a model.
 *
 * One place that makes a batch's graph, for planning, training and scoring alike.  Where nothing
 * under some point of the network trains, the values there are computed once for each example
 * and kept: its features. */
#ifndef PB_RUNNER_H
#define PB_RUNNER_H

#include "base/arena.h"
#include "model/model.h"
#include "train/encoded.h"

typedef struct pb_runner {
    pb_model *model;
    const pb_encoded *form;
    pb_arena *arena; /* of one batch's graph                                   */
    pb_executor *executor;
    pb_graph *graph; /* the batch at hand                                      */
    pb_outputs outputs;
    pb_plan plan;                  /* of the batch at hand                                   */
    size_t activations, workspace; /* the most that any planned batch needed, bytes        */
    int feature_size;              /* elements of an example's feature; 0: no features       */
    pb_real *feature[PB_SPLITS];   /* [items, feature_size], NULL: not computed              */
} pb_runner;

/* `features`: keep them if there is something to keep. */
pb_runner pb_runner_start(pb_model *m, const pb_encoded *f, bool features);
void pb_runner_stop(pb_runner *r);

/* Plans the graph of `n` items of a split (pb_encoded_batch).  dropout and key as pb_model_build; `kept`: its
 * features are taken as given.  -1 with an error (a text that is too long). */
int pb_runner_plan(pb_runner *r, pb_split split, const int *item, int n, bool training, double dropout, uint64_t key,
                   bool kept);

/* The same, and runs it forward, and backward where training. */
int pb_runner_run(pb_runner *r, pb_split split, const int *item, int n, bool training, double dropout, uint64_t key);

/* In words: runs the texts without content. */
int pb_runner_content_free(pb_runner *r);

/* Computes the features of a whole split into memory of `arena` (class PB_ACTIVATIONS), in
 * batches, and adds the FLOPs to *flops (may be NULL).  arena NULL: only plans. */
int pb_runner_features(pb_runner *r, pb_split split, int batch, pb_arena *arena, uint64_t *flops);

#endif
