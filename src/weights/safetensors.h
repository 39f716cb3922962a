/* safetensors: reads and writes files of named arrays, memory-mapped when reading. */
#ifndef PB_SAFETENSORS_H
#define PB_SAFETENSORS_H

#include "weights/array.h"

typedef struct pb_safetensors pb_safetensors;

/* Maps a file and checks all that the format requires: the header lies within the file and is UTF-8 JSON, each shape
 * times the element size equals the array's bytes, and the arrays cover the data without overlap, gap or rest.
 * Returns NULL with "PATH: what is wrong; want what would be right".  The arrays are valid until the caller closes the
 * file; NULL is allowed in pb_safetensors_close. */
pb_safetensors *pb_safetensors_open(const char *path);
void pb_safetensors_close(pb_safetensors *f);

/* Return the number of arrays, array i in the order of the header, and the array of a name or NULL if there is none. */
size_t pb_safetensors_count(const pb_safetensors *f);
const pb_array *pb_safetensors_at(const pb_safetensors *f, size_t i);
const pb_array *pb_safetensors_find(const pb_safetensors *f, const char *name);

/* Returns the text under a key of the file's metadata, or NULL if there is none.  Owned by f. */
const char *pb_safetensors_metadata(const pb_safetensors *f, const char *key);

/* Writes a file of n arrays of dtype F32, BF16, I64, I32 or U8.  `metadata` is a NULL-terminated list of keys and
 * values in turn, or NULL.  The file is either complete or absent.  Returns -1 with an error on failure. */
int pb_safetensors_write(const char *path, const pb_array *arrays, size_t n, const char *const *metadata);

#endif
