/* array: see array.h. */
#include "weights/array.h"

#include <stdlib.h>
#include <string.h>

#include "weights/blocks.h"

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Decodes block by block.  Of the first and the last block, only a part may be needed. */
static int decode_blocks(const pb_array *a, size_t from, size_t n, pb_real *out)
{
    float x[256];
    size_t size = (size_t)pb_block_size(a->dtype), bytes = (size_t)pb_block_bytes(a->dtype);
    for (size_t i = from; i < from + n;) {
        size_t block = i / size, k = i % size;
        pb_block_decode(a->dtype, (const unsigned char *)a->data + block * bytes, x);
        for (; k < size && i < from + n; k++, i++)
            out[i - from] = (pb_real)x[k];
    }
    return 0;
}

static int in_order(const pb_array *a, size_t from, size_t n, pb_real *out);

/* Row i of a head in Hugging Face's order is row 2 (i mod half) + i / half of that head in the file. */
static int in_halves(const pb_array *a, size_t from, size_t n, pb_real *out)
{
    size_t cols = a->dims > 1 ? (size_t)a->shape[1] : 1, size = (size_t)(a->shape[0] / a->heads), half = size / 2;
    PB_CHECK(!cols || (from % cols == 0 && n % cols == 0));
    for (size_t r = cols ? from / cols : 0; cols && r < (from + n) / cols; r++) {
        size_t i = r % size, row = r - i + 2 * (i % half) + i / half;
        if (in_order(a, row * cols, cols, out + r * cols - from))
            return -1;
    }
    return 0;
}

int pb_array_reals(const pb_array *a, size_t from, size_t n, pb_real *out)
{
    PB_CHECK(from <= a->count && n <= a->count - from);
    return (a->heads ? in_halves : in_order)(a, from, n, out);
}

static int in_order(const pb_array *a, size_t from, size_t n, pb_real *out)
{
    const unsigned char *data = a->data;
    /* memcpy, because the data need not be aligned; compilers make plain loads of it. */
#define CONVERT(type, expression)                                                                                      \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        type x;                                                                                                        \
        memcpy(&x, data + (from + i) * sizeof x, sizeof x);                                                            \
        out[i] = (pb_real)(expression);                                                                                \
    }                                                                                                                  \
    return 0
    if (pb_block_size(a->dtype))
        return decode_blocks(a, from, n, out);
    switch (a->dtype) {
    case PB_F64: CONVERT(double, x);
    case PB_F32: CONVERT(float, x);
    case PB_F16: CONVERT(uint16_t, pb_half_to_float(x));
    case PB_BF16: CONVERT(uint16_t, from_bits((uint32_t)x << 16));
    default: return pb_error("'%s': want an array of F64, F32, F16 or BF16", a->name);
    }
#undef CONVERT
}

void pb_array_free(pb_array *arrays, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((void *)(uintptr_t)arrays[i].name);
        free((void *)(uintptr_t)arrays[i].data);
    }
}
