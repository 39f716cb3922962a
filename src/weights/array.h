/* array: one named array of a checkpoint, and its numbers. */
#ifndef PB_ARRAY_H
#define PB_ARRAY_H

#include "base/base.h"
#include "weights/dtype.h"

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

/* Converts `n` elements from index `from` into out (from F64/F32/F16/BF16; -1 otherwise). */
int pb_array_reals(const pb_array *a, size_t from, size_t n, pb_real *out);

#endif
