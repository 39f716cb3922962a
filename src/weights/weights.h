/* weights: the named arrays of a checkpoint, wherever they lie.
 *
 * A folder with model.safetensors or pytorch_model.bin, a folder with shards of either and their index, one file of
 * either format under any name, a GGUF file or a llama2.c file all look the same: arrays under Hugging Face's names,
 * and for the last two the config.json and tokenizer.json that a folder would have, as text.
 */
#ifndef PB_WEIGHTS_H
#define PB_WEIGHTS_H

#include "weights/array.h"

typedef struct pb_weights pb_weights;

/* Maps the checkpoint at `path` and checks its structure.  NULL with "PATH: what is wrong, what
 * would be right".  The maps live until close. */
pb_weights *pb_weights_open(const char *path);
void pb_weights_close(pb_weights *w); /* NULL is fine */

/* Is there a file of weights, or an index of several, in this folder. */
bool pb_weights_exist(const char *folder);

/* How many arrays there are, and array i of them, in no particular order. */
size_t pb_weights_count(const pb_weights *w);
const pb_array *pb_weights_at(const pb_weights *w, size_t i);

const pb_array *pb_weights_find(const pb_weights *w, const char *name); /* NULL: absent */

/* config.json and tokenizer.json as text, made from what the file itself says; NULL for
 * safetensors, whose folder has them as files.  Owned by w. */
const char *pb_weights_config(const pb_weights *w);
const char *pb_weights_tokenizer(const pb_weights *w);

/* A GGUF's text field ("tokenizer.chat_template"); NULL if absent or no GGUF.  Owned by w. */
const char *pb_weights_text(const pb_weights *w, const char *key);

/* The text under this key of a safetensors file's metadata (of the first of several); NULL if there is none, or for
 * another format.  Owned by w. */
const char *pb_weights_metadata(const pb_weights *w, const char *key);

/* SHA-256 of the file; of several shards: of their digests, in the order of their names. */
int pb_weights_digest(const pb_weights *w, pb_digest *out);

#endif
