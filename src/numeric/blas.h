/* blas: matrix products of one thread.  blas.c is the only includer of cblas.h.
 *
 * All matrices are row-major with a leading dimension (elements from one row to the next).
 * Every product adds 2*m*n*k to the calling thread's tally, so that a test can hold the
 * planner's FLOPs against what the kernels did.
 */
#ifndef PB_BLAS_H
#define PB_BLAS_H

#include "base/base.h"

/* C[m,n] = beta*C + alpha * op(A)[m,k] * op(B)[k,n], with beta 0 or 1 (0 never reads C: it
 * may hold NaN).  ta/tb: A is stored [k,m] / B is stored [n,k].  Runs on the calling thread
 * alone. */
void pb_gemm(bool ta, bool tb, int m, int n, int k, pb_real alpha, const pb_real *a, int lda, const pb_real *b, int ldb,
             pb_real beta, pb_real *c, int ldc);

/* Mixed precision, for the whole process; off at first.  On: every product rounds its operands to bf16 and
 * sums in fp32 (as PyTorch's bf16 autocast; results stay fp32).  Call it while no other thread multiplies.
 * false: this CPU can do neither AMX-BF16 nor AVX512-BF16 (or the build is in double), and nothing has
 * changed; switching off always works. */
bool pb_gemm_bf16(bool on);

/* Multiply-adds * 2 done by the calling thread since it began; see also pb_flops_add. */
uint64_t pb_flops_done(void);
void pb_flops_add(uint64_t more); /* for kernels that multiply without pb_gemm */

/* What runs here: the library's version and the core it has kernels for. */
const char *pb_blas_name(void);

/* OpenBLAS chooses its kernels when it is loaded, by the CPU or by OPENBLAS_CORETYPE, and old
 * releases take new AMD cores for Haswell.  If this CPU has AVX-512 and the chosen core lacks it,
 * executes the program again, once, with the variable set; PEFTBENCH_CORETYPE names another core
 * to take.  Call it first in main(). */
void pb_blas_fix_core(char **argv);

/* Measured GEMM rate of this machine now, in GFLOP/s: every pool thread does
 * 1024x384x384 products for about `seconds`. */
double pb_blas_rate(double seconds);

#endif
