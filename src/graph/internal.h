/* internal: what graph.c, narrow.c, plan.c and machine.c share about a graph.  Not for others. */
#ifndef PB_GRAPH_INTERNAL_H
#define PB_GRAPH_INTERNAL_H

#include "graph/graph.h"

/* One tensor's memory in the step arena, alive from step `from` to step `to` of the timeline:
 * node i runs forward at step i and backward at step 2*nodes-1-i. */
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
    bool live;             /* somebody reads it                                              */
    bool written;          /* backward has already put something into its gradient           */
};

struct pb_graph {
    pb_arena *arena;
    bool training, failed;
    pb_node **node; /* in order of building, then of execution */
    size_t nodes, capacity;
    pb_node *output, *loss;
    size_t scratch; /* elements a thread needs                 */
};

/* A new node that is not yet in any order. */
pb_node *pb_graph_node(pb_graph *g, const pb_op *op);
void pb_graph_append(pb_graph *g, pb_node *n);

/* Keeps what output and loss read, computed on the rows that are read (narrow.c). */
void pb_graph_narrow(pb_graph *g);

/* Where a tensor begins in the arena: its own place or its host's. */
const pb_span *pb_span_root(const pb_span *s);

#endif
