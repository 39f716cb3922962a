/* apply: inference on batches. */
#ifndef PB_APPLY_H
#define PB_APPLY_H

#include "model/model.h"

typedef struct pb_apply pb_apply;

/* The model must outlive it, and its methods must be attached. */
pb_apply *pb_apply_new(pb_model *m);
void pb_apply_free(pb_apply *a); /* NULL is allowed */

/* Returns the batch's logits, as pb_head describes; they are valid until the next call.  Returns NULL with an error,
 * for example if a text is too long or an id is outside the vocabulary. */
const pb_node *pb_apply_run(pb_apply *a, const pb_batch *batch);

/* Returns -1 with an error if an output is NaN or infinite, so that no prediction is made of it; else 0. */
int pb_apply_check(const pb_node *outputs);

#endif
