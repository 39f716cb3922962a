/* Products with operands rounded to bf16, of every unit that this CPU has, against a naive product in
 * double of operands that were rounded one by one; and the switch. */
#include "util.h"

#include "base/threads.h"
#include "numeric/blas.h"
#include "numeric/internal.h"

#define PADDING ((pb_real)777)

static double nearest_bf16(pb_real x)
{
    union {
        float real;
        uint32_t bits;
    } f = {.real = (float)x};
    uint32_t rest = f.bits & 0xffff;
    f.bits >>= 16;
    f.bits += rest > 0x8000 || (rest == 0x8000 && (f.bits & 1));
    f.bits <<= 16;
    return (double)f.real;
}

typedef struct product {
    bool ta, tb, add;
    int m, n, k, lda, ldb, ldc;
    pb_real alpha, *a, *b, *c;
} product;

static product random_product(pb_rng *r, int m, int n, int k)
{
    int kind = (int)pb_rng_below(r, 16);
    product p = {.ta = kind & 1, .tb = kind & 2, .add = kind & 4, .m = m, .n = n, .k = k};
    p.alpha = kind & 8 ? (pb_real)0.7 : 1;
    p.lda = (p.ta ? m : k) + (int)pb_rng_below(r, 3);
    p.ldb = (p.tb ? k : n) + (int)pb_rng_below(r, 3);
    p.ldc = n + (int)pb_rng_below(r, 3);
    /* not an element behind the last one: a sanitizer sees a vector that reads too far */
    p.a = random_reals(r, (size_t)((p.ta ? k : m) - 1) * (size_t)p.lda + (size_t)(p.ta ? m : k));
    p.b = random_reals(r, (size_t)((p.tb ? n : k) - 1) * (size_t)p.ldb + (size_t)(p.tb ? k : n));
    p.c = pb_alloc((size_t)m * (size_t)p.ldc * sizeof *p.c);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < p.ldc; j++)
            p.c[i * p.ldc + j] = j >= n ? PADDING : p.add ? (pb_real)(i - j) / 16 : (pb_real)NAN;
    return p;
}

static void multiply(const product *p, pb_real *c)
{
    pb_gemm(p->m, p->n, p->k, p->alpha, (pb_operand){p->a, p->lda, p->ta}, (pb_operand){p->b, p->ldb, p->tb}, p->add, c,
            p->ldc);
}

static void free_product(product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
}

/* [lines,k], whatever way it is stored. */
static double *rounded(const pb_real *x, int ld, bool across, int lines, int k)
{
    double *y = pb_alloc((size_t)lines * (size_t)k * sizeof *y);
    for (int i = 0; i < lines; i++)
        for (int q = 0; q < k; q++)
            y[i * k + q] = nearest_bf16(x[across ? q * ld + i : i * ld + q]);
    return y;
}

static double *naive(const product *p)
{
    double *a = rounded(p->a, p->lda, p->ta, p->m, p->k), *b = rounded(p->b, p->ldb, !p->tb, p->n, p->k);
    double *want = pb_alloc((size_t)p->m * (size_t)p->n * sizeof *want);
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            double sum = 0;
            for (int q = 0; q < p->k; q++)
                sum += a[i * p->k + q] * b[j * p->k + q];
            want[i * p->n + j] = (p->add ? (double)p->c[i * p->ldc + j] : 0) + (double)p->alpha * sum;
        }
    free(a);
    free(b);
    return want;
}

static bool as_naive(const product *p)
{
    double *want = naive(p), largest = 1, difference = 0;
    bool kept = true;
    uint64_t before = pb_flops_done();
    multiply(p, p->c);
    CHECK_INT((long long)(pb_flops_done() - before), 2LL * p->m * p->n * p->k);
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->ldc; j++) {
            double got = (double)p->c[i * p->ldc + j];
            kept = kept && (j < p->n || got == (double)PADDING);
            if (j >= p->n)
                continue;
            double d = fabs(got - want[i * p->n + j]);
            difference = d <= INFINITY ? fmax(difference, d) : INFINITY;
            largest = fmax(largest, fabs(want[i * p->n + j]));
        }
    free(want);
    return kept && difference <= 1e-5 * largest;
}

static void check_product(pb_rng *r, int m, int n, int k)
{
    product p = random_product(r, m, n, k);
    if (!CHECK(as_naive(&p)))
        printf("  %s %s m %d n %d k %d alpha %g%s\n", p.ta ? "A^T" : "A", p.tb ? "B^T" : "B", m, n, k, (double)p.alpha,
               p.add ? " added" : "");
    free_product(&p);
}

/* Shapes around the tiles, and around what is packed at once. */
static void check_unit(const char *name)
{
    static const int edge[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100};
    pb_rng r = pb_rng_named(1, name);
    for (size_t i = 0; i < PB_COUNT(edge); i++)
        for (size_t j = 0; j < PB_COUNT(edge); j++)
            for (size_t k = 0; k < PB_COUNT(edge); k++)
                check_product(&r, edge[i], edge[j], edge[k]);
    for (int i = 0; i < 200; i++)
        check_product(&r, 1 + (int)pb_rng_below(&r, 150), 1 + (int)pb_rng_below(&r, 150),
                      1 + (int)pb_rng_below(&r, 150));
    for (int i = 0; i < 4; i++) {
        check_product(&r, 40, 1055, 1111);
        check_product(&r, 33, 70, 1025);
        check_product(&r, 7, 2100, 260);
    }
}

TEST(avx512)
{
    if (!pb_bf16_choose(PB_BF16_AVX512))
        SKIP("no AVX512-BF16 here");
    check_unit("avx512");
    pb_gemm_bf16(false);
}

TEST(amx)
{
    if (!pb_bf16_choose(PB_BF16_AMX))
        SKIP("no AMX-BF16 here");
    check_unit("amx");
    pb_gemm_bf16(false);
}

/* Ties go to the even neighbour; what is no number stays none. */
TEST(rounding)
{
    if (!pb_gemm_bf16(true))
        SKIP("neither AMX-BF16 nor AVX512-BF16 here");
    const pb_real one = 1, step = (pb_real)0x1p-7;
    const pb_real x[] = {1 + step / 2, 1 + 3 * step / 2, 1 + step / 4, -1 - step / 2, INFINITY, NAN};
    const pb_real want[] = {1, 1 + 2 * step, 1, -1, INFINITY};
    pb_real y[PB_COUNT(x)];
    pb_gemm(PB_COUNT(x), 1, 1, 1, pb_as_stored(x, 1), pb_transposed(&one, 1), false, y, 1);
    for (size_t i = 0; i < PB_COUNT(want); i++)
        CHECK(y[i] == want[i]);
    CHECK(isnan(y[5]));
    pb_gemm_bf16(false);
}

/* ---- the switch ---------------------------------------------------------------------------------------------- */

enum { THREADS = 4, OUTPUTS = 33 * 40 };

typedef struct rounds {
    product p;
    pb_real c[THREADS][OUTPUTS];
} rounds;

static void multiply_own(void *ctx, int thread)
{
    rounds *r = ctx;
    multiply(&r->p, r->c[thread]);
}

static bool all_threads_give(rounds *r, const pb_real *want)
{
    bool same = true;
    memset(r->c, 0, sizeof r->c);
    pb_threads_run(multiply_own, r);
    for (int t = 0; t < THREADS; t++)
        same = same && same_bits(OUTPUTS, r->c[t], want);
    return same;
}

/* On is on for every thread, and off leaves the bits of fp32. */
TEST(switched_for_all_threads)
{
    pb_rng rng = pb_rng_named(2, "switch");
    rounds r = {.p = {.tb = true, .m = 33, .n = 40, .k = 50, .lda = 50, .ldb = 50, .ldc = 40, .alpha = 1}};
    pb_real plain[OUTPUTS] = {0}, rounded[OUTPUTS] = {0};
    r.p.a = random_reals(&rng, 33 * 50);
    r.p.b = random_reals(&rng, 40 * 50);
    multiply(&r.p, plain);
    pb_threads_start(THREADS);
    for (int round = 0; round < 3; round++) {
        CHECK(all_threads_give(&r, plain));
        if (!pb_gemm_bf16(true))
            break;
        multiply(&r.p, rounded);
        CHECK(!same_bits(OUTPUTS, plain, rounded));
        CHECK(all_threads_give(&r, rounded));
        CHECK(pb_gemm_bf16(false));
    }
    CHECK(all_threads_give(&r, plain));
    pb_threads_stop();
    free_product(&r.p);
    if (!pb_gemm_bf16(true))
        SKIP("neither AMX-BF16 nor AVX512-BF16 here: off was tested only");
    pb_gemm_bf16(false);
}
