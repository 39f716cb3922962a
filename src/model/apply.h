/* apply: batches through a model that is not being trained. */
#ifndef PB_APPLY_H
#define PB_APPLY_H

#include "model/model.h"

typedef struct pb_apply pb_apply;

/* The model must outlive it, with its methods attached. */
pb_apply *pb_apply_new(pb_model *m);
void pb_apply_free(pb_apply *a); /* NULL is fine */

/* The batch's logits [rows, cols], valid until the next call; NULL with an error (a text that is too
 * long, an id that the model does not have). */
const pb_node *pb_apply_run(pb_apply *a, const pb_batch *batch);

/* Are all outputs finite: -1 with an error where one is NaN or infinite, which no answer may be made of. */
int pb_apply_check(const pb_node *outputs);

#endif
