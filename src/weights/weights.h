/* weights: the named arrays of a checkpoint, whatever its format.
 *
 * A checkpoint is a folder with model.safetensors or pytorch_model.bin, a folder with shards of either and their
 * index, a single file of either format, a GGUF file or a llama2.c file.  The arrays have Hugging Face's names in each
 * case.  For the last two formats, config.json and tokenizer.json are made from the file. */
#ifndef PB_WEIGHTS_H
#define PB_WEIGHTS_H

#include "weights/array.h"

typedef struct pb_weights pb_weights;

/* Maps the checkpoint at `path` and checks its structure.  Returns NULL with "PATH: what is wrong; want what would be
 * right". All that the functions below return belongs to the checkpoint and is valid until the caller closes it; NULL
 * is allowed in pb_weights_close. */
pb_weights *pb_weights_open(const char *path);
void pb_weights_close(pb_weights *w);

/* Returns whether a folder contains a file of weights or an index of several. */
bool pb_weights_exist(const char *folder);

/* Return the number of arrays, array i in an unspecified order, and the array of a name or NULL if there is none. */
size_t pb_weights_count(const pb_weights *w);
const pb_array *pb_weights_at(const pb_weights *w, size_t i);
const pb_array *pb_weights_find(const pb_weights *w, const char *name);

/* Return config.json and tokenizer.json as text, made from a GGUF or llama2.c file, or NULL for other formats, whose
 * folder contains them as files. */
const char *pb_weights_config(const pb_weights *w);
const char *pb_weights_tokenizer(const pb_weights *w);

/* Returns a text of a GGUF's metadata (such as "tokenizer.chat_template"), or NULL if it is absent or the format is
 * another. */
const char *pb_weights_text(const pb_weights *w, const char *key);

/* Returns the text under a key of the metadata of a safetensors file (of the first shard), or NULL if it is absent or
 * the format is another. */
const char *pb_weights_metadata(const pb_weights *w, const char *key);

/* Computes the SHA-256 digest of the file or, for several shards, of their digests in the order of their names.
 * Returns -1 with an error if a file cannot be read. */
int pb_weights_digest(const pb_weights *w, pb_digest *out);

#endif
