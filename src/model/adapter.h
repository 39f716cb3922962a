/* adapter: folders of Hugging Face PEFT, read and written; whole models written.
 *
 * What a method is called there, and how its tensors are laid out, is the method's own business
 * (method.h: pb_peft).  Reading is stricter than PEFT's: every tensor of the file must find its place,
 * and every place its tensor. */
#ifndef PB_ADAPTER_H
#define PB_ADAPTER_H

#include "model/model.h"

typedef struct pb_adapter pb_adapter;

/* Reads DIR/adapter_config.json and maps DIR/adapter_model.safetensors.  NULL with an error. */
pb_adapter *pb_adapter_open(const char *dir);
void pb_adapter_close(pb_adapter *a); /* NULL is fine; not before the model that it is on */

/* Classes of the head in it; 0: it has none. */
int pb_adapter_classes(const pb_adapter *a);

/* The method whose parameters the adapter holds. */
const pb_method *pb_adapter_method(const pb_adapter *a);

/* Attaches the adapter's method to a model that has none, and takes its values.  `force`: even if it
 * was made for other weights.  -1 with an error. */
int pb_adapter_attach(pb_model *m, const pb_adapter *a, bool force);

/* Writes what the model's one method trained as a PEFT adapter into DIR (made if absent).  -1 with an
 * error: a composition, a method or a setting that PEFT does not know. */
int pb_adapter_save(pb_model *m, const char *dir);

/* Writes the whole model, its methods folded in, as a folder that transformers loads: config.json,
 * model.safetensors (in 32 bits or bf16) and the tokenizer's files.  -1 with an error: a method that
 * cannot be folded. */
int pb_model_export(pb_model *m, const char *dir, pb_precision precision);

#endif
