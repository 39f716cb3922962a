/* safetensors: named arrays in a file, memory-mapped. */
#ifndef PB_SAFETENSORS_H
#define PB_SAFETENSORS_H

#include "base/base.h"

typedef enum pb_dtype {
    PB_F64,
    PB_F32,
    PB_F16,
    PB_BF16,
    PB_I64,
    PB_I32,
    PB_U8,
    PB_F8, /* floats of 8 bits, of any layout: never converted */
    PB_OTHER,
    PB_Q4_0,
    PB_Q4_1,
    PB_Q5_0,
    PB_Q5_1,
    PB_Q8_0,
    PB_Q2_K,
    PB_Q3_K,
    PB_Q4_K,
    PB_Q5_K,
    PB_Q6_K /* of ggml, see blocks.h */
} pb_dtype;

typedef struct pb_array {
    const char *name;
    pb_dtype dtype;
    int dims; /* 0 = scalar                          */
    int64_t shape[8];
    size_t count;     /* product of the shape; 1 for a scalar */
    const void *data; /* inside the map; possibly unaligned   */
    size_t bytes;
    int heads;    /* > 0: rows of so many heads, each as pairs (0,half) (1,half+1) ..; read in order */
    bool upright; /* a weight [out,in] that Hugging Face would keep as [in,out]                    */
} pb_array;

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

/* Converts `n` elements from index `from` into out (from F64/F32/F16/BF16; -1 otherwise). */
int pb_array_reals(const pb_array *a, size_t from, size_t n, pb_real *out);

/* Writes a file: arrays of dtype F32/BF16/I64/I32 with their data, metadata as key,value pairs
 * (NULL-ended, may be NULL).  Complete or absent; -1 with an error. */
int pb_safetensors_write(const char *path, const pb_array *arrays, size_t n, const char *const *metadata);

#endif
