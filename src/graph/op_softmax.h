/* op_softmax: what a check of gradients has to know of pb_op_softmax. */
#ifndef PB_OP_SOFTMAX_H
#define PB_OP_SOFTMAX_H

#include "graph/graph.h"

/* Returns true if a trainable parameter decides which elements a softmax over the k largest ones has.  The loss then
 * jumps where two elements change places, and finite differences over a jump are no slopes. */
bool pb_graph_chooses_largest(const pb_graph *g);

#endif
