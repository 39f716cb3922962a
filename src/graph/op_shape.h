/* op_shape: what many ops declare and compute with. */
#ifndef PB_OP_SHAPE_H
#define PB_OP_SHAPE_H

#include "graph/graph.h"

/* Gives a node the shape and the set of its first input.  Returns 0, as a shape function does. */
static inline int pb_shape_of_first(pb_node *n)
{
    n->rows = n->in[0]->rows;
    n->cols = n->in[0]->cols;
    n->set = n->in[0]->set;
    return 0;
}

/* Returns the index of the first element of a row of the node's value or gradient. */
static inline size_t pb_row_start(const pb_node *n, int row)
{
    return (size_t)row * (size_t)n->cols;
}

#endif
