/* internal: what the kernels share, for the files of this folder. */
#ifndef PB_NUMERIC_INTERNAL_H
#define PB_NUMERIC_INTERNAL_H

#include "numeric/blas.h"

/* pb_gemm() without counting, for kernels that count their FLOPs themselves. */
void pb_gemm_plain(int m, int n, int k, pb_real alpha, pb_operand a, pb_operand b, bool add, pb_real *c, int ldc);

/* From this call on, OpenBLAS computes on the calling thread. */
void pb_blas_one_thread(void);

/* The arguments of pb_gemm(), for the kernels that it chooses from. */
typedef struct pb_gemm_args {
    int m, n, k;
    pb_real alpha;
    pb_operand a, b;
    bool add;
    pb_real *c;
    int ldc;
} pb_gemm_args;

/* The most rows of a skinny product. */
enum { PB_SKINNY_ROWS = 8 };

/* skinny.c: products with at most PB_SKINNY_ROWS rows of A, which is not transposed.  Returns false and does nothing
 * for any other product. */
bool pb_gemm_skinny(const pb_gemm_args *g);

/* skinny.c: y[m,n] = x[m,k] W^T, added to y if `add`, with W [n,k] in bf16 and m at most PB_SKINNY_ROWS.  Returns false
 * and does nothing if m is larger or this CPU or build has no such kernel. */
bool pb_bf16_skinny(const uint16_t *code, int m, int n, int k, const pb_real *x, int ldx, bool add, pb_real *y,
                    int ldy);

/* gemm.c: any product in fp32.  Returns false and does nothing if this CPU or build has no such kernel. */
bool pb_gemm_avx512(const pb_gemm_args *g);

/* gemm_bf16.c: any product with operands rounded to bf16.  Returns false and does nothing if that is switched off. */
bool pb_gemm_rounded(const pb_gemm_args *g);

/* The instructions that pb_gemm_rounded() multiplies with; PB_BF16_NONE switches it off. */
typedef enum pb_bf16_unit { PB_BF16_NONE, PB_BF16_AVX512, PB_BF16_AMX } pb_bf16_unit;

/* Chooses them.  Returns false and changes nothing if this CPU or build lacks them. */
bool pb_bf16_choose(pb_bf16_unit which);

#endif
