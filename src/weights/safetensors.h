/* safetensors: named arrays in a file, memory-mapped. */
#ifndef PB_SAFETENSORS_H
#define PB_SAFETENSORS_H

#include "weights/array.h"

typedef struct pb_safetensors pb_safetensors;

/* Maps a file and checks everything the format demands (header within the file, UTF-8 JSON,
 * shapes times size = bytes, no overlap, no gap, nothing trailing).  NULL with
 * "PATH: what is wrong, what would be right".  The map lives until close. */
pb_safetensors *pb_safetensors_open(const char *path);
void pb_safetensors_close(pb_safetensors *f);
size_t pb_safetensors_count(const pb_safetensors *f);
const pb_array *pb_safetensors_at(const pb_safetensors *f, size_t i);           /* in the header's order */
const pb_array *pb_safetensors_find(const pb_safetensors *f, const char *name); /* NULL: absent */

/* The text under this key of the file's metadata, NULL if there is none; owned by f. */
const char *pb_safetensors_metadata(const pb_safetensors *f, const char *key);

/* Writes a file: arrays of dtype F32/BF16/I64/I32 with their data, metadata as key,value pairs
 * (NULL-ended, may be NULL).  Complete or absent; -1 with an error. */
int pb_safetensors_write(const char *path, const pb_array *arrays, size_t n, const char *const *metadata);

#endif
