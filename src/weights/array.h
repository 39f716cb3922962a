/* array: a named array of a checkpoint, and the conversion of its elements. */
#ifndef PB_ARRAY_H
#define PB_ARRAY_H

#include "base/base.h"
#include "weights/dtype.h"

typedef struct pb_array {
    const char *name;
    pb_dtype dtype;
    int dims; /* 0 for a scalar */
    int64_t shape[8];
    size_t count;     /* the product of the shape, 1 for a scalar             */
    const void *data; /* inside the mapped file, with any alignment           */
    size_t bytes;
    int heads;    /* if > 0, the rows belong to this many attention heads, each stored with its rotary pairs side by
                   * side (llama.cpp's order); pb_array_reals restores Hugging Face's order                        */
    bool upright; /* the weight is stored as [out,in], where Hugging Face's checkpoint has [in,out]                */
} pb_array;

/* Converts n elements from index `from` on into `out`.  Returns -1 with an error if the dtype is neither F64, F32, F16,
 * BF16 nor a block format.  If `heads` is set, `from` and n must be multiples of the row length. */
int pb_array_reals(const pb_array *a, size_t from, size_t n, pb_real *out);

/* Frees the names and the data of n arrays, if the caller owns them. */
void pb_array_free(pb_array *arrays, size_t n);

#endif
