/* packed: frozen matrices in fewer bits, unpacked tile by tile inside products.
 *
 * No full-size copy of a packed matrix ever exists: a product unpacks a tile that stays in the cache,
 * multiplies by it and forgets it. */
#ifndef PB_PACKED_H
#define PB_PACKED_H

#include "base/base.h"

typedef enum pb_precision {
    PB_IN_FP32, /* not packed                                                                       */
    PB_IN_BF16, /* the upper half of a 32-bit float                                                 */
    PB_IN_INT8, /* a scale for each row, the largest being 127                                      */
    PB_IN_NF4,  /* 16 values of equal share under a normal distribution, a scale for each 64 in a row
              * (QLoRA: Dettmers et al. 2023, arXiv:2305.14314)                                   */
    PB_PRECISIONS
} pb_precision;

extern const char *const pb_precision_name[PB_PRECISIONS];

/* W [rows,cols].  bf16: code [rows,cols] of 16 bits.  int8: code [rows,cols], scale [rows].  nf4: code
 * of each 32 in a row in 16 bytes (element i in the lower half of byte i, i + 16 in the upper; the
 * last group of a row is filled up), scale [rows, ceil(cols/64)]; with `twice` the scales are bytes
 * themselves: scale = mean + step[i/256] * scale_code[i]. */
typedef struct pb_packed {
    pb_precision precision;
    bool twice;
    int rows, cols;
    const void *code; /* NULL: only the sizes are known */
    const float *scale;
    const signed char *scale_code;
    const float *step;
    float mean;
} pb_packed;

uint16_t pb_to_bf16(float x); /* to the nearest, halves to even; NaN stays NaN */

/* Bytes of the packed matrix, exactly. */
size_t pb_packed_bytes(pb_precision precision, bool twice, int rows, int cols);

/* Packs x [rows,cols] into `memory` of that many bytes (aligned to 4), which the result refers to. */
pb_packed pb_pack(pb_precision precision, bool twice, int rows, int cols, const pb_real *x, void *memory);

/* Rows r0..r1-1, columns c0..c1-1, into out with rows at ld; c0 is a multiple of 32. */
void pb_unpack(const pb_packed *p, int r0, int r1, int c0, int c1, pb_real *out, int ld);

/* y[m, j0..j1) = x[m,cols] W[j0..j1)^T + b;  y points at column 0; b may be NULL. */
void pb_packed_linear(const pb_packed *p, int m, int j0, int j1, const pb_real *x, int ldx, const pb_real *b,
                      pb_real *y, int ldy);

/* dx[m, c0..c1) (+)= dy[m,rows] W[:, c0..c1);  c0 is a multiple of 32, dx points at column 0. */
void pb_packed_backward(const pb_packed *p, int m, int c0, int c1, const pb_real *dy, int ldy, pb_real *dx, int ldx,
                        bool add);

#endif
