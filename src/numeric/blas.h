/* blas: matrix products on one thread.
 *
 * All matrices are row-major; `ld` (leading dimension) is the number of elements from one row to the next.  Every
 * product adds 2*m*n*k to the calling thread's count of FLOPs, which tests compare with the planner's.
 */
#ifndef PB_BLAS_H
#define PB_BLAS_H

#include "base/base.h"

/* The left or right matrix of a product. */
typedef struct pb_operand {
    const pb_real *x;
    int ld;
    bool transposed; /* x holds the transpose of the operand */
} pb_operand;

/* The operand whose rows are the rows of x. */
static inline pb_operand pb_as_stored(const pb_real *x, int ld)
{
    return (pb_operand){x, ld, false};
}

/* The operand whose columns are the rows of x. */
static inline pb_operand pb_transposed(const pb_real *x, int ld)
{
    return (pb_operand){x, ld, true};
}

/* C [m,n] = alpha * A [m,k] B [k,n], added to C if `add`; otherwise C is not read and may hold NaN.  Runs on the
 * calling thread. */
void pb_gemm(int m, int n, int k, pb_real alpha, pb_operand a, pb_operand b, bool add, pb_real *c, int ldc);

/* Mixed precision of all products of the process, which is off at first.  If on, every product rounds its operands to
 * bf16 and sums in fp32, as PyTorch's bf16 autocast does; the results stay fp32.  Not to be called while another thread
 * multiplies.  Returns false and changes nothing if the CPU has neither AMX-BF16 nor AVX512-BF16 or the build is in
 * double; switching off always succeeds. */
bool pb_gemm_bf16(bool on);

/* The FLOPs (two for each multiply-add) that the calling thread has done since it began. */
uint64_t pb_flops_done(void);

/* Adds to that count, for kernels that multiply without pb_gemm(). */
void pb_flops_add(uint64_t more);

/* The BLAS library's version and the core that its kernels are for.  The text is static. */
const char *pb_blas_name(void);

/* OpenBLAS chooses its kernels when it is loaded, by the CPU or by OPENBLAS_CORETYPE, and old releases mistake new AMD
 * cores for Haswell.  If this CPU has AVX-512 and the chosen core does not use it, this function executes the program
 * again, once, with the variable set.  PEFTBENCH_CORETYPE names another core to use.  To be called first in main(). */
void pb_blas_fix_core(char **argv);

/* Measures the rate of matrix products in GFLOP/s: every thread of the pool multiplies 1024x384x384 matrices for about
 * `seconds`. */
double pb_blas_rate(double seconds);

#endif
