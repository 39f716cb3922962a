/* internal: the representation of a graph, for the files of this folder. */
#ifndef PB_GRAPH_INTERNAL_H
#define PB_GRAPH_INTERNAL_H

#include "graph/graph.h"

/* One node executed in one direction.  The schedule is all steps in order: the forward pass, then the backward pass
 * with what it computes again (recompute.c). */
typedef struct pb_schedule_step {
    pb_node *node;
    bool backward;
} pb_schedule_step;

/* The memory of one tensor, alive from step `from` to step `to` of the schedule. */
typedef struct pb_allocation {
    int from, to;
    size_t bytes, offset;
    struct pb_allocation *host; /* the allocation whose memory this one shares, or NULL */
} pb_allocation;

/* The planner's notes on a node. */
struct pb_node_plan {
    pb_allocation value, gradient, aux;
    const pb_rows *demand; /* the rows that are read: the node's set, or a selection of it   */
    pb_node *instead;      /* dead-row elimination replaced the node by this one; else NULL  */
    int forward, backward; /* the node's steps                                               */
    bool live;             /* a live node reads it                                           */
    bool mark;             /* a checkpoint (pb_graph_checkpoint)                             */
    bool remake;           /* forgotten after its use (pb_graph_remake)                      */
    bool written;          /* an earlier backward step has written its gradient              */
};

struct pb_graph {
    pb_arena *arena;
    bool training, failed;
    bool accumulates; /* backward adds to the gradients of parameters (pb_graph_accumulate) */
    double weight;    /* d loss of the backward pass */
    pb_node **node;   /* in order of building; after planning, of execution */
    size_t nodes, capacity;
    pb_node *output, *loss;
    size_t scratch;         /* elements that a thread needs */
    size_t element;         /* bytes of an element of all tensors but the output and the loss: sizeof(pb_real), unless
                             * the graph is only planned (pb_graph_plan_as) */
    pb_schedule_step *step; /* the schedule                 */
    int steps;
    int boundary; /* the first step of the backward pass     */
};

/* Returns a new node that has no place in the order of execution yet. */
pb_node *pb_graph_node(pb_graph *g, const pb_op *op);

/* Puts a node at the end of the order of execution. */
void pb_graph_append(pb_graph *g, pb_node *n);

/* Keeps the nodes that output and loss depend on, restricted to the rows that are read (dead_rows.c). */
void pb_graph_eliminate_dead_rows(pb_graph *g);

/* Decides the order of execution and what is computed twice (recompute.c). */
void pb_graph_schedule(pb_graph *g);

/* The union of the op's `reads` over the inputs of n whose gradients are wanted. */
unsigned pb_reads_in_backward(const pb_node *n);

/* The allocation whose offset holds for s: the outermost host, or s itself. */
const pb_allocation *pb_allocation_root(const pb_allocation *s);

#endif
