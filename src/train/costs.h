/* costs: what a training run needs, and puts it into its result: storage, memory by class and FLOPs. */
#ifndef PB_COSTS_H
#define PB_COSTS_H

#include "model/start.h"
#include "train/result.h"

/* What a number of training steps computes. */
typedef struct pb_effort {
    uint64_t forward_flops, backward_flops; /* with the features, which are computed once              */
    uint64_t recompute_flops;               /* of what backward computes again, see pb_plan                */
    uint64_t prepare_flops;                 /* of the preparation before the first step (model/start.h) */
    uint64_t tokens;                        /* of the inputs                                           */
    int steps;
} pb_effort;

/* Returns the sum of the four kinds of FLOPs. */
uint64_t pb_effort_flops(const pb_effort *e);

/* What a training run needs, known before it starts: for each class of memory the most bytes that any of its batches
 * needs, and the effort of all epochs. */
typedef struct pb_footprint {
    size_t weights, gradients, optimizer, best, activations, workspace, features; /* bytes */
    pb_preparation prepare;                                                       /* in front of the steps */
    pb_effort effort;
} pb_footprint;

/* Returns the most memory that is in use at once, in bytes: the sum over the classes, or that of the preparation if it
 * is larger. */
size_t pb_footprint_total(const pb_footprint *f);

/* Returns the memory of the preparation with the weights, in bytes; 0 if there is none. */
size_t pb_footprint_prepare(const pb_footprint *f);

/* Puts storage.changed and storage.rank, the change of the base: what trains in place and, of a model that can be
 * merged, what merging changes.  With a cached prefix nothing trains.  Returns -1 with an error. */
int pb_costs_change(pb_model *m, bool prefix_cached, pb_result *out);

/* Puts storage.trainable, .added and .stored. */
void pb_costs_storage(const pb_model *m, pb_result *out);

/* Puts memory.train.*; and memory.prepare.* with compute.prepare_flops, if the methods have a preparation. */
void pb_costs_footprint(const pb_footprint *f, pb_result *out);
void pb_costs_preparation(const pb_footprint *f, pb_result *out);

/* Puts the FLOPs of the steps that were taken: compute.train_flops, .forward_flops, .backward_flops,
 * .recompute_flops. */
void pb_costs_effort(const pb_effort *e, pb_result *out);

#endif
