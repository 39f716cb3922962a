/* runner: runs batches of an encoded data set through a model.
 *
 * Planning, training and scoring build the graph of a batch here.  If nothing below some node of the network is
 * trainable, the values of that node, the features, are computed once for each item and cached. */
#ifndef PB_RUNNER_H
#define PB_RUNNER_H

#include "base/arena.h"
#include "model/model.h"
#include "train/encoded.h"

typedef struct pb_runner {
    pb_model *model;
    const pb_encoded *encoded;
    pb_arena *arena; /* holds the graph of the current batch */
    pb_executor *executor;
    pb_graph *graph; /* of the current batch, as are outputs and plan */
    pb_outputs outputs;
    pb_plan plan;
    size_t activations, workspace;  /* bytes: the most that any batch planned so far needs      */
    int feature_size;               /* elements of a row of features; 0: none are cached         */
    size_t *feature_row[PB_SPLITS]; /* [items + 1] the first row of each item's features; NULL: none are cached */
    pb_real *feature[PB_SPLITS];    /* [feature_row[items], feature_size]; NULL: not computed   */
} pb_runner;

/* Items of one split that are run together. */
typedef struct pb_runner_batch {
    pb_split split;
    const int *item; /* [count] */
    int count;
    bool training;  /* The batch has targets, and its graph a loss and a backward pass. */
    double dropout; /* as in pb_model_build, as is the key */
    uint64_t key;
    int micro_batch; /* as in pb_batch */
    double share;    /* > 0: of a micro-batch, the weight of its gradients, which are added to those there are */
} pb_runner_batch;

/* Returns a runner of the model and the data, which must outlive it.  With `features`, features are cached if the
 * network has any.  The caller ends it with pb_runner_stop. */
pb_runner pb_runner_start(pb_model *m, const pb_encoded *set, bool features);
void pb_runner_stop(pb_runner *r); /* frees what the runner owns */

/* Builds and plans the graph of a batch.  With from_features, it begins at the batch's cached features.  Returns -1
 * with an error if an input is longer than the model's context. */
int pb_runner_plan(pb_runner *r, const pb_runner_batch *b, bool from_features);

/* Plans the batch, from its features if they are computed, and runs the forward pass, and in training the backward
 * pass.  Returns -1 with an error as pb_runner_plan does. */
int pb_runner_run(pb_runner *r, const pb_runner_batch *b);

/* By verbalizer: plans the batch of the content-free inputs.  Returns -1 with an error as pb_runner_plan does. */
int pb_runner_plan_content_free(pb_runner *r);

/* By verbalizer: runs the content-free inputs forward.  Returns -1 with an error as pb_runner_plan does. */
int pb_runner_content_free(pb_runner *r);

/* Returns the bytes of the features of a whole split. */
size_t pb_runner_feature_bytes(const pb_runner *r, pb_split split);

/* Computes the features of a whole split in batches of `batch` items, into memory of `arena` (class PB_ACTIVATIONS),
 * and adds the FLOPs to *flops, which may be NULL.  If `arena` is NULL it only plans.  Returns -1 with an error as
 * pb_runner_plan does. */
int pb_runner_features(pb_runner *r, pb_split split, int batch, pb_arena *arena, uint64_t *flops);

#endif
