/* internal: what graph.c, dead_rows.c, plan.c and executor.c share about a graph.  Not for others. */
#ifndef PB_GRAPH_INTERNAL_H
#define PB_GRAPH_INTERNAL_H

#include "graph/graph.h"

/* One node run in one direction.  The schedule is all of them in order: the forward pass, then the
 * backward pass with what it computes again (recompute.c). */
typedef struct pb_step {
    pb_node *node;
    bool backward;
} pb_step;

/* One tensor's memory in the step arena, alive from step `from` to step `to` of the schedule. */
typedef struct pb_span {
    int from, to;
    size_t bytes, offset;
    struct pb_span *host; /* this tensor lives inside that one's memory; NULL: has its own */
} pb_span;

/* The planner's notes on a node. */
struct pb_slot {
    pb_span value, gradient, aux;
    const pb_rows *demand; /* the rows that somebody reads: its own set, or a selection of it */
    pb_node *instead;      /* narrowing replaced the node by this one                        */
    int forward, backward; /* the node's steps                                               */
    bool live;             /* somebody reads it                                              */
    bool mark;             /* pb_graph_checkpoint                                            */
    bool written;          /* backward has already put something into its gradient           */
};

struct pb_graph {
    pb_arena *arena;
    bool training, failed;
    pb_node **node; /* in order of building, then of execution */
    size_t nodes, capacity;
    pb_node *output, *loss;
    size_t scratch; /* elements a thread needs                 */
    pb_step *step;  /* the schedule                            */
    int steps;
    int boundary; /* the first step of the backward pass     */
};

/* A new node that is not yet in any order. */
pb_node *pb_graph_node(pb_graph *g, const pb_op *op);
void pb_graph_append(pb_graph *g, pb_node *n);

/* Keeps what output and loss read, computed on the rows that are read (dead_rows.c). */
void pb_graph_eliminate_dead_rows(pb_graph *g);

/* Decides the order of execution, and what is computed twice (recompute.c). */
void pb_graph_schedule(pb_graph *g);

/* All `reads` bits of the wanted inputs of n. */
unsigned pb_reads_in_backward(const pb_node *n);

/* Where a tensor begins in the arena: its own place or its host's. */
const pb_span *pb_span_root(const pb_span *s);

#endif
