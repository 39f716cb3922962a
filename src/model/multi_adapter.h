/* multi_adapter: many low-rank adapters on one resident base model.
 *
 * A model with a multi-adapter runs batches in which each sequence names its own adapter (pb_batch.adapter).  The
 * products with the base's weights are computed once for all rows; the update of an adapter is added to its sequences
 * only (Chen et al. 2023, Punica: multi-tenant LoRA serving, arXiv:2310.18547).  The base's weights are never written,
 * so switching to another adapter costs nothing. */
#ifndef PB_MULTI_ADAPTER_H
#define PB_MULTI_ADAPTER_H

#include "model/model.h"

typedef struct pb_multi_adapter pb_multi_adapter;

/* Creates an empty multi-adapter on a model that has no method attached. */
pb_multi_adapter *pb_multi_adapter_new(pb_model *m);

/* Frees the multi-adapter and its adapters; NULL is allowed.  Call it before the model is freed. */
void pb_multi_adapter_free(pb_multi_adapter *b);

/* True if the methods attached to the model, once saved as an adapter, can be loaded by pb_multi_adapter_add: one
 * method, known to PEFT, whose update of every targeted projection is additive and of low rank (pb_low_rank), and which
 * trains nothing of the base but a classification head. */
bool pb_multi_adapter_supports(const pb_model *m);

/* Copies the values of the adapter in DIR into memory owned by the multi-adapter.  `force` accepts an adapter that was
 * made for other base weights.  Returns the adapter's number, from 0; -1 with an error if it cannot be read or is not
 * of the form described above. */
int pb_multi_adapter_add(pb_multi_adapter *b, const char *dir, bool force);

/* The bytes that the values of all adapters take. */
size_t pb_multi_adapter_bytes(const pb_multi_adapter *b);

#endif
