/* packed: quantized frozen matrices.
 *
 * A product dequantizes one tile at a time, which stays in the cache, so a full copy of the matrix never exists. */
#ifndef PB_PACKED_H
#define PB_PACKED_H

#include "base/base.h"

typedef enum pb_precision {
    PB_IN_FP32, /* not quantized                                                                    */
    PB_IN_BF16, /* the upper half of a 32-bit float                                                 */
    PB_IN_INT8, /* a scale for each row, whose largest magnitude becomes 127                        */
    PB_IN_NF4,  /* quantiles of a normal distribution in 4 bits, a scale for each 64 elements of a row
              * (QLoRA: Dettmers et al. 2023, arXiv:2305.14314)                                   */
    PB_PRECISIONS
} pb_precision;

/* The names of the precisions: "fp32", "bf16", "int8", "nf4". */
extern const char *const pb_precision_name[PB_PRECISIONS];

/* A quantized matrix W [rows,cols].  bf16: code [rows,cols] of 16 bits.  int8: code [rows,cols], scale [rows].  nf4:
 * each 32 elements of a row take 16 bytes of code (element i in the lower half of byte i, element i + 16 in the
 * upper; the last group of a row is padded), scale [rows, ceil(cols/64)].  With double_quant the scales are
 * quantized too: scale = mean + step[i/256] * scale_code[i]. */
typedef struct pb_packed {
    pb_precision precision;
    bool double_quant;
    int rows, cols;
    const void *code; /* NULL: only the size is known */
    const float *scale;
    const signed char *scale_code;
    const float *step;
    float mean;
} pb_packed;

/* Rounds to the nearest bf16, ties to even; NaN stays NaN. */
uint16_t pb_to_bf16(float x);

/* The exact bytes of a quantized matrix. */
size_t pb_packed_bytes(pb_precision precision, bool double_quant, int rows, int cols);

/* Quantizes x [rows,cols] into `memory` of pb_packed_bytes() bytes, aligned to 4.  The result refers to `memory`, which
 * the caller owns. */
pb_packed pb_pack(pb_precision precision, bool double_quant, int rows, int cols, const pb_real *x, void *memory);

/* Dequantizes rows r0..r1-1, columns c0..c1-1 to out with rows at ld; c0 is a multiple of 32. */
void pb_unpack(const pb_packed *p, int r0, int r1, int c0, int c1, pb_real *out, int ld);

/* y[m, j0..j1) = x[m,cols] W[j0..j1)^T + b.  y points at column 0; b [rows] may be NULL. */
void pb_packed_linear(const pb_packed *p, int m, int j0, int j1, const pb_real *x, int ldx, const pb_real *b,
                      pb_real *y, int ldy);

/* dx[m, c0..c1) (+)= dy[m,rows] W[:, c0..c1).  c0 is a multiple of 32; dx points at column 0. */
void pb_packed_backward(const pb_packed *p, int m, int c0, int c1, const pb_real *dy, int ldy, pb_real *dx, int ldx,
                        bool add);

#endif
