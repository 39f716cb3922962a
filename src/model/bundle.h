/* bundle: tensors on their way into a safetensors file, as transformers lays them out.  Not
 * for other rooms. */
#ifndef PB_BUNDLE_H
#define PB_BUNDLE_H

#include "model/internal.h"

typedef struct pb_bundle {
    pb_arena *arena; /* owns names and values */
    pb_array *array;
    size_t count, capacity;
} pb_bundle;

/* Room for a tensor of 32-bit floats, [rows,cols] or, with dims 1, [cols]. */
float *pb_bundle_tensor(pb_bundle *b, const char *name, int64_t rows, int64_t cols, int dims);

/* A parameter of the network with values x: vectors have one dimension, a Conv1D is transposed. */
void pb_bundle_param(const pb_model *m, pb_bundle *b, const char *name, const pb_param *p, const pb_real *x);

/* Rounds all tensors to bf16. */
void pb_bundle_narrow(pb_bundle *b);

/* Writes DIR/FILE with metadata (key, value, .., NULL); -1 with an error. */
int pb_bundle_write(const pb_bundle *b, const char *dir, const char *file, const char *const *metadata);
void pb_bundle_free(pb_bundle *b);

void pb_to_floats(const pb_real *x, size_t n, float *out);

#endif
