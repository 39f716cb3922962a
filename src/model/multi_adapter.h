/* multi_adapter: many low-rank adapters on one resident base.
 *
 * A model with a bank runs batches in which every sequence has an adapter of its own (pb_batch.adapter):
 * the base's products are done once for all rows, what an adapter adds only for its sequences.  The
 * weights of the base are never touched, so switching is choosing another number. */
#ifndef PB_MULTI_ADAPTER_H
#define PB_MULTI_ADAPTER_H

#include "model/adapter.h"

typedef struct pb_multi_adapter pb_multi_adapter;

/* Is what was attached to the model, when saved, an adapter that a bank can hold: one of PEFT's type LORA that adds
 * nothing but its two matrices at each site, and trains nothing of the base but a head of classes? */
bool pb_multi_adapter_serves(const pb_model *m);

/* An empty bank on a model that has no method attached. */
pb_multi_adapter *pb_multi_adapter_new(pb_model *m);
void pb_multi_adapter_free(pb_multi_adapter *b); /* before the model; NULL is fine */

/* Loads the adapter in DIR (of type LORA, with a head for classifiers) into the bank's memory.
 * Returns its number, -1 with an error. */
int pb_multi_adapter_add(pb_multi_adapter *b, const char *dir, bool force);

size_t pb_multi_adapter_bytes(const pb_multi_adapter *b); /* of all adapters' numbers */

#endif
