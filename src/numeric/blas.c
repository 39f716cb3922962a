/* blas: OpenBLAS on one thread, the choice of kernels, and the count of FLOPs. */
#include "numeric/blas.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/threads.h"
#include "numeric/internal.h"

static _Thread_local uint64_t flops;

uint64_t pb_flops_done(void)
{
    return flops;
}

void pb_flops_add(uint64_t more)
{
    flops += more;
}

static void multiply(const pb_gemm_args *g)
{
    const CBLAS_TRANSPOSE ta = g->a.transposed ? CblasTrans : CblasNoTrans;
    const CBLAS_TRANSPOSE tb = g->b.transposed ? CblasTrans : CblasNoTrans;
    if (g->k > 0 && (pb_gemm_rounded(g) || pb_gemm_skinny(g) || pb_gemm_avx512(g)))
        return;
#ifdef PB_REAL_DOUBLE
    cblas_dgemm(CblasRowMajor, ta, tb, g->m, g->n, g->k, g->alpha, g->a.x, g->a.ld, g->b.x, g->b.ld, g->add, g->c,
                g->ldc);
#else
    cblas_sgemm(CblasRowMajor, ta, tb, g->m, g->n, g->k, g->alpha, g->a.x, g->a.ld, g->b.x, g->b.ld, g->add, g->c,
                g->ldc);
#endif
}

void pb_gemm_plain(int m, int n, int k, pb_real alpha, pb_operand a, pb_operand b, bool add, pb_real *c, int ldc)
{
    if (m > 0 && n > 0)
        multiply(&(pb_gemm_args){m, n, k, alpha, a, b, add, c, ldc});
}

void pb_gemm(int m, int n, int k, pb_real alpha, pb_operand a, pb_operand b, bool add, pb_real *c, int ldc)
{
    flops += 2 * (uint64_t)m * (uint64_t)n * (uint64_t)k;
    pb_gemm_plain(m, n, k, alpha, a, b, add, c, ldc);
}

bool pb_gemm_bf16(bool on)
{
    return on ? pb_bf16_choose(PB_BF16_AMX) || pb_bf16_choose(PB_BF16_AVX512) : pb_bf16_choose(PB_BF16_NONE);
}

const char *pb_blas_name(void)
{
    static char name[160];
    snprintf(name, sizeof name, "%.100s, %.40s kernels", openblas_get_config(), openblas_get_corename());
    return name;
}

/* ---- the right kernels ------------------------------------------------------------------- */

static bool has_avx512(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

/* Cores whose OpenBLAS kernels use 512-bit vectors. */
static bool core_uses_avx512(const char *core)
{
    static const char *const wide[] = {"SkylakeX", "Cooperlake", "SapphireRapids", "Zen4", "Zen5"};
    for (size_t i = 0; i < PB_COUNT(wide); i++)
        if (!strcasecmp(core, wide[i]))
            return true;
    return false;
}

#define CORE_VARIABLE "PEFTBENCH_CORETYPE" /* chosen by the user; overrides detection     */
#define DONE_VARIABLE "PEFTBENCH_EXECUTED" /* executes again at most once                 */

void pb_blas_one_thread(void)
{
    openblas_set_num_threads(1);
}

/* Runs before any fork or thread, so that only the threads of the pool exist later. */
void pb_blas_fix_core(char **argv)
{
    const char *chosen = getenv(CORE_VARIABLE);
    pb_blas_one_thread();
    if (chosen ? !strcasecmp(chosen, openblas_get_corename()) || getenv(DONE_VARIABLE)
               : !has_avx512() || core_uses_avx512(openblas_get_corename()))
        return;
    setenv("OPENBLAS_CORETYPE", chosen ? chosen : "SkylakeX", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv(CORE_VARIABLE, chosen ? chosen : "SkylakeX", 1);
    setenv(DONE_VARIABLE, "1", 1);
    execv("/proc/self/exe", argv); /* returns only on failure, with slower but correct kernels */
}

/* ---- the rate of products ------------------------------------------------------------------- */

enum { RATE_M = 1024, RATE_N = 384, RATE_K = 384 };

typedef struct rate {
    double until;
    uint64_t *done; /* [threads] products done by each thread */
} rate;

static void multiply_for_a_while(void *ctx, int thread)
{
    rate *r = ctx;
    pb_real *a = pb_alloc((RATE_M * RATE_K + RATE_N * RATE_K + RATE_M * RATE_N) * sizeof(pb_real));
    pb_real *b = a + RATE_M * RATE_K, *c = b + RATE_N * RATE_K;
    do {
        pb_gemm_plain(RATE_M, RATE_N, RATE_K, 1, pb_as_stored(a, RATE_K), pb_transposed(b, RATE_K), false, c, RATE_N);
        r->done[thread]++;
    } while (pb_clock() < r->until);
    free(a);
}

double pb_blas_rate(double seconds)
{
    int threads = pb_threads_count();
    double start = pb_clock(), products = 0;
    rate r = {.until = start + seconds, .done = pb_alloc((size_t)threads * sizeof *r.done)};
    pb_threads_run(multiply_for_a_while, &r);
    double took = pb_clock() - start;
    for (int t = 0; t < threads; t++)
        products += (double)r.done[t];
    free(r.done);
    return products * 2.0 * RATE_M * RATE_N * RATE_K / took * 1e-9;
}
