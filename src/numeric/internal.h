/* internal: shared by the kernels.  Not for others. */
#ifndef PB_NUMERIC_INTERNAL_H
#define PB_NUMERIC_INTERNAL_H

#include "base/base.h"

/* pb_gemm without the tally: for kernels that count their own FLOPs. */
void pb_gemm_plain(bool ta, bool tb, int m, int n, int k, pb_real alpha, const pb_real *a, int lda, const pb_real *b,
                   int ldb, pb_real beta, pb_real *c, int ldc);

/* skinny.c: the same with at most PB_FEW rows on the left, none of them transposed, C added to or overwritten.
 * Returns false, and does nothing, for any other product. */
enum { PB_FEW = 8 };
bool pb_gemm_skinny(bool ta, bool tb, int m, int n, int k, pb_real alpha, const pb_real *a, int lda, const pb_real *b,
                    int ldb, bool add, pb_real *c, int ldc);

/* y[m,n] = x[m,k] W^T, and y if `add`; W [n,k] in bf16, m at most PB_FEW.  false: as above, or this CPU or build has no
 * such kernel. */
bool pb_bf16_skinny(const uint16_t *code, int m, int n, int k, const pb_real *x, int ldx, bool add, pb_real *y,
                    int ldy);

/* gemm.c: the same in float, C added to or overwritten.  false: this CPU or build has no such
 * kernel, and nothing was done. */
bool pb_gemm_own(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 bool add, float *c, int ldc);

/* gemm_bf16.c: the same with operands rounded to bf16.  false: that is switched off. */
bool pb_gemm_rounded(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                     int ldb, bool add, float *c, int ldc);

/* What multiplies there; NONE switches it off.  false: this CPU or build lacks it, and nothing has changed. */
typedef enum pb_bf16_unit { PB_BF16_NONE, PB_BF16_AVX512, PB_BF16_AMX } pb_bf16_unit;
bool pb_bf16_choose(pb_bf16_unit which);

#endif
