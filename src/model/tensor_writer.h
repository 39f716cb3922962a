/* tensor_writer: tensors on their way into a safetensors file, as transformers lays them out.  Not
 * for other rooms. */
#ifndef PB_TENSOR_WRITER_H
#define PB_TENSOR_WRITER_H

#include "model/internal.h"

typedef struct pb_tensor_writer {
    pb_arena *arena; /* owns names and values */
    pb_array *array;
    size_t count, capacity;
} pb_tensor_writer;

/* Room for a tensor of 32-bit floats, [rows,cols] or, with dims 1, [cols]. */
float *pb_tensor_writer_tensor(pb_tensor_writer *b, const char *name, int64_t rows, int64_t cols, int dims);

/* A parameter of the network with values x: vectors have one dimension, a Conv1D is transposed. */
void pb_tensor_writer_param(const pb_model *m, pb_tensor_writer *b, const char *name, const pb_param *p,
                            const pb_real *x);

/* Rounds all tensors to bf16. */
void pb_tensor_writer_to_bf16(pb_tensor_writer *b);

/* Writes DIR/FILE with metadata (key, value, .., NULL); -1 with an error. */
int pb_tensor_writer_write(const pb_tensor_writer *b, const char *dir, const char *file, const char *const *metadata);
void pb_tensor_writer_free(pb_tensor_writer *b);

void pb_to_floats(const pb_real *x, size_t n, float *out);

#endif
