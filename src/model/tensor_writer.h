/* tensor_writer: collects tensors in the layout of transformers and writes them to a safetensors file.  Not for other
 * rooms. */
#ifndef PB_TENSOR_WRITER_H
#define PB_TENSOR_WRITER_H

#include "model/internal.h"
#include "weights/array.h"

/* Begins as {.arena = pb_arena_new(..)}. */
typedef struct pb_tensor_writer {
    pb_arena *arena; /* owns the names and the values */
    pb_array *array;
    size_t count, capacity;
} pb_tensor_writer;

/* Adds a tensor of 32-bit floats, of shape [rows,cols] or, if dims is 1, [cols].  Returns its values, which the caller
 * fills.  `name` must outlive the writer. */
float *pb_tensor_writer_tensor(pb_tensor_writer *w, const char *name, int64_t rows, int64_t cols, int dims);

/* The same for a shape [dims] of any length, as `dtype`: 32-bit floats or integers (PB_F32, PB_I32). */
void *pb_tensor_writer_array(pb_tensor_writer *w, const char *name, pb_dtype dtype, const int64_t *shape, int dims);

/* Adds a parameter of the model with the values x [rows,cols].  A vector gets one dimension, and the weight of a Conv1D
 * (GPT-2) is transposed. */
void pb_tensor_writer_param(const pb_model *m, pb_tensor_writer *w, const char *name, const pb_param *p,
                            const pb_real *x);

/* Rounds all tensors added so far to bf16. */
void pb_tensor_writer_to_bf16(pb_tensor_writer *w);

/* Writes DIR/FILE with the metadata key, value, .., NULL.  Returns -1 with an error if the file cannot be written. */
int pb_tensor_writer_write(const pb_tensor_writer *w, const char *dir, const char *file, const char *const *metadata);

/* Frees the tensors and the arena, but not the struct. */
void pb_tensor_writer_free(pb_tensor_writer *w);

/* Converts n elements to 32-bit floats. */
void pb_to_floats(const pb_real *x, size_t n, float *out);

#endif
