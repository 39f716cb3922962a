/* tensor_writer: see tensor_writer.h. */
#include "model/tensor_writer.h"

#include <stdlib.h>

#include "weights/safetensors.h"

void *pb_tensor_writer_array(pb_tensor_writer *w, const char *name, pb_dtype dtype, const int64_t *shape, int dims)
{
    pb_array a = {.name = name, .dtype = dtype, .dims = dims, .count = 1};
    for (int d = 0; d < dims; d++) {
        a.shape[d] = shape[d];
        a.count *= (size_t)shape[d];
    }
    a.bytes = 4 * a.count;
    a.data = pb_arena_alloc(w->arena, PB_META, a.bytes);
    pb_grow(&w->array, w->count, &w->capacity, sizeof *w->array);
    w->array[w->count++] = a;
    return (void *)(uintptr_t)a.data;
}

float *pb_tensor_writer_tensor(pb_tensor_writer *w, const char *name, int64_t rows, int64_t cols, int dims)
{
    PB_CHECK(dims == 2 || rows == 1);
    return pb_tensor_writer_array(w, name, PB_F32, dims == 1 ? &cols : (int64_t[]){rows, cols}, dims);
}

void pb_to_floats(const pb_real *x, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)x[i];
}

static bool is_vector(const pb_param *p)
{
    return p->kind == PB_BIAS || p->kind == PB_NORM_GAIN || p->kind == PB_NORM_BIAS ||
           (p->kind == PB_HEAD && p->vector);
}

void pb_tensor_writer_param(const pb_model *m, pb_tensor_writer *w, const char *name, const pb_param *p,
                            const pb_real *x)
{
    bool transposed = m->config.family->conv1d && p->kind == PB_MATRIX && p->layer >= 0;
    float *out = transposed ? pb_tensor_writer_tensor(w, name, p->cols, p->rows, 2)
                            : pb_tensor_writer_tensor(w, name, p->rows, p->cols, is_vector(p) ? 1 : 2);
    size_t rows = (size_t)p->rows, cols = (size_t)p->cols;
    if (!transposed)
        pb_to_floats(x, rows * cols, out);
    for (size_t i = 0; transposed && i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[j * rows + i] = (float)x[i * cols + j];
}

void pb_tensor_writer_to_bf16(pb_tensor_writer *w)
{
    for (size_t i = 0; i < w->count; i++) {
        pb_array *a = &w->array[i];
        const float *x = a->data;
        uint16_t *half = pb_arena_alloc(w->arena, PB_META, a->count * sizeof *half);
        for (size_t k = 0; k < a->count; k++)
            half[k] = pb_to_bf16(x[k]);
        a->dtype = PB_BF16;
        a->data = half;
        a->bytes = a->count * sizeof *half;
    }
}

int pb_tensor_writer_write(const pb_tensor_writer *w, const char *dir, const char *file, const char *const *metadata)
{
    char *path = pb_format("%s/%s", dir, file);
    int rc = pb_safetensors_write(path, w->array, w->count, metadata);
    free(path);
    return rc;
}

void pb_tensor_writer_free(pb_tensor_writer *w)
{
    free(w->array);
    pb_arena_free(w->arena);
}
