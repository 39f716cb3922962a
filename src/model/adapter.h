/* adapter: reads and writes adapter folders of Hugging Face PEFT, and writes whole models.
 *
 * Each method declares its PEFT type and the layout of its tensors (method.h: pb_peft).  Reading is stricter than in
 * PEFT: every tensor of the file must belong to a module, and every targeted module must have its tensors. */
#ifndef PB_ADAPTER_H
#define PB_ADAPTER_H

#include "model/model.h"

typedef struct pb_adapter pb_adapter;

/* Returns why no adapter of this type can be read; NULL if a method reads it, or if PEFT 0.21 has no such type. */
const char *pb_adapter_unread(const char *type);

/* Reads DIR/adapter_config.json and maps DIR/adapter_model.safetensors (or adapter_model.bin).  Returns NULL with an
 * error if one of them cannot be read, or if the config has a value that is not supported. */
pb_adapter *pb_adapter_open(const char *dir);

/* Frees the adapter; NULL is allowed.  A model that it is attached to must be freed first. */
void pb_adapter_close(pb_adapter *a);

/* The number of classes of the adapter's classification head; 0 if it has none. */
int pb_adapter_classes(const pb_adapter *a);

/* Whether the adapter was trained on a model for multiple choice (PB_PROBLEM_CHOICES). */
bool pb_adapter_choices(const pb_adapter *a);

/* Whether the adapter was trained with a head that gives a class to each token (PB_HEAD_TOKENS). */
bool pb_adapter_tokens(const pb_adapter *a);

/* The method whose parameters the adapter holds. */
const pb_method *pb_adapter_method(const pb_adapter *a);

/* Attaches the adapter's method to a model that has none, and copies the adapter's values into the model.  `force`
 * accepts an adapter that was made for other base weights.  Returns -1 with an error; then the model can only be
 * freed. */
int pb_adapter_attach(pb_model *m, const pb_adapter *a, bool force);

/* Writes what the model's one method trained as a PEFT adapter into DIR, which is made if it does not
 * exist.  Returns -1 with an error for a composition, for a method or a setting that PEFT does not have, or if a
 * file cannot be written. */
int pb_adapter_save(pb_model *m, const char *dir);

/* Is called with the module of a projection and the part of its change that was lost: |D - B A| / |D| in Frobenius
 * norms. */
typedef void pb_each_conversion(void *ctx, const char *module, double error);

/* Writes what the model's methods change in its weights as a PEFT adapter of type LORA into DIR, which is made if it
 * does not exist: of each projection the best approximation of the given rank, which is at least 1.  Changed biases are
 * exact, as PEFT's lora_bias.  Returns -1 with an error if the methods cannot be merged, change no projection, or
 * train tensors of the base in place, or if a file cannot be written. */
int pb_adapter_convert(pb_model *m, int rank, const char *dir, pb_each_conversion *each, void *ctx);

/* Merges the methods and writes the whole model as a folder that transformers loads: config.json, model.safetensors
 * (in fp32 or bf16) and the tokenizer's files.  Returns -1 with an error if a method cannot be merged, if it adds a
 * bias to a projection that has none in the checkpoint, or if a file cannot be written. */
int pb_model_export(pb_model *m, const char *dir, pb_precision precision);

#endif
