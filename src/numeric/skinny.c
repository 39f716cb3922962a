/* skinny: products with few rows of A, whose speed is limited by reading B.
 *
 * C[m,n] = alpha * A[m,k] B + C with m up to 8, as in decoding one token of a few sequences.  B is read once, in
 * place and in order; A and the sums stay in the L1 cache and in registers. */
#include "numeric/internal.h"

#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

enum { BYTES = 64, LANES = BYTES / (int)sizeof(pb_real) };
enum { MOST = PB_SKINNY_ROWS }; /* rows of A                                     */
enum { DEEP = 4096 };           /* inner elements of split rows                  */
enum { ACROSS = 4 };            /* vectors of C's columns at a time, B straight  */

typedef pb_real vec __attribute__((vector_size(BYTES), aligned(sizeof(pb_real))));

static inline vec load(const pb_real *p)
{
    return *(const vec *)p;
}

/* The first n < LANES elements, then zeros. */
static inline vec load_some(const pb_real *p, int n)
{
#if defined(__AVX512F__) && !defined(PB_REAL_DOUBLE)
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
#endif
}

static inline pb_real total(vec v)
{
#if defined(__AVX512F__) && !defined(PB_REAL_DOUBLE)
    return _mm512_reduce_add_ps((__m512)v);
#else
    pb_real sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += v[l];
    return sum;
#endif
}

/* A product: A [m,k], C [m,n]. */
typedef struct job {
    int m, n, k;
    pb_real alpha;
    const pb_real *a;
    size_t lda;
    const pb_real *b;
    size_t ldb;
    bool add;
    pb_real *c;
    size_t ldc;
} job;

static inline void put_sum(const job *t, int i, int j, pb_real sum)
{
    pb_real *to = t->c + (size_t)i * t->ldc + (size_t)j;
    *to = t->alpha * sum + (t->add ? *to : 0);
}

/* ---- B stored [n,k]: rows of B against rows of A ----------------------------------------------------------- */

/* `m` and `rows` (of B, from j) are constants after inlining, so that the sums stay in registers.  The next rows are
 * prefetched, as each is too short for the hardware prefetcher. */
__attribute__((always_inline)) static inline void dots(const job *t, int j, const int m, const int rows)
{
    const pb_real *b = t->b + (size_t)j * t->ldb;
    vec sum[MOST][8];
    for (int i = 0; i < m; i++)
        for (int r = 0; r < rows; r++)
            sum[i][r] = (vec){0};
    int p = 0;
    for (; p + LANES <= t->k; p += LANES) {
        vec w[8];
        for (int r = 0; r < rows; r++) {
            w[r] = load(b + (size_t)r * t->ldb + p);
            __builtin_prefetch(b + (size_t)(r + rows) * t->ldb + p, 0, 2);
        }
        for (int i = 0; i < m; i++) {
            vec x = load(t->a + (size_t)i * t->lda + p);
            for (int r = 0; r < rows; r++)
                sum[i][r] += x * w[r];
        }
    }
    for (int i = 0; i < m && p < t->k; i++) {
        vec x = load_some(t->a + (size_t)i * t->lda + p, t->k - p);
        for (int r = 0; r < rows; r++)
            sum[i][r] += x * load_some(b + (size_t)r * t->ldb + p, t->k - p);
    }
    for (int i = 0; i < m; i++)
        for (int r = 0; r < rows; r++)
            put_sum(t, i, j + r, total(sum[i][r]));
}

/* All rows of B, `rows` at a time. */
#define DOTS(m, rows)                                                                                                  \
    static void dots_##m(const job *t)                                                                                 \
    {                                                                                                                  \
        int j = 0;                                                                                                     \
        for (; j + (rows) <= t->n; j += (rows))                                                                        \
            dots(t, j, m, rows);                                                                                       \
        for (; j < t->n; j++)                                                                                          \
            dots(t, j, m, 1);                                                                                          \
    }
DOTS(1, 8)
DOTS(2, 8)
DOTS(3, 6)
DOTS(4, 6)
DOTS(5, 4)
DOTS(6, 4)
DOTS(7, 3)
DOTS(8, 3)

static void multiply_transposed(const job *t)
{
    static void (*const of[MOST])(const job *) = {dots_1, dots_2, dots_3, dots_4, dots_5, dots_6, dots_7, dots_8};
    of[t->m - 1](t);
}

/* ---- B stored [k,n]: columns of C ------------------------------------------------------------------------ */

__attribute__((always_inline)) static inline void combine(const job *t, int j, int i0, const int m, const int wide)
{
    vec sum[4][ACROSS];
    for (int i = 0; i < m; i++)
        for (int v = 0; v < wide; v++)
            sum[i][v] = (vec){0};
    for (int p = 0; p < t->k; p++) {
        const pb_real *b = t->b + (size_t)p * t->ldb + j;
        for (int i = 0; i < m; i++) {
            pb_real x = t->a[(size_t)(i0 + i) * t->lda + (size_t)p];
            for (int v = 0; v < wide; v++)
                sum[i][v] += load(b + v * LANES) * x;
        }
    }
    for (int i = 0; i < m; i++)
        for (int v = 0; v < wide; v++) {
            vec *to = (vec *)(t->c + (size_t)(i0 + i) * t->ldc + j + v * LANES);
            *to = sum[i][v] * t->alpha + (t->add ? *to : (vec){0});
        }
}

/* The remaining columns, from j. */
static void combine_rest(const job *t, int j)
{
    for (int i = 0; i < t->m; i++)
        for (int q = j; q < t->n; q++) {
            pb_real sum = 0;
            for (int p = 0; p < t->k; p++)
                sum += t->a[(size_t)i * t->lda + (size_t)p] * t->b[(size_t)p * t->ldb + (size_t)q];
            put_sum(t, i, q, sum);
        }
}

static void multiply_straight(const job *t)
{
    int j = 0;
    for (; j + ACROSS * LANES <= t->n; j += ACROSS * LANES) {
        int i = 0;
        for (; i + 4 <= t->m; i += 4)
            combine(t, j, i, 4, ACROSS);
        for (; i < t->m; i++)
            combine(t, j, i, 1, ACROSS);
    }
    for (; j + LANES <= t->n; j += LANES)
        for (int i = 0; i < t->m; i++)
            combine(t, j, i, 1, 1);
    combine_rest(t, j);
}

bool pb_gemm_skinny(const pb_gemm_args *g)
{
    if (g->a.transposed || g->m > MOST)
        return false;
    const job t = {g->m,   g->n, g->k,          g->alpha, g->a.x, (size_t)g->a.ld, g->b.x, (size_t)g->b.ld,
                   g->add, g->c, (size_t)g->ldc};
    if (g->b.transposed)
        multiply_transposed(&t);
    else
        multiply_straight(&t);
    return true;
}

/* ---- B in bf16, [n,k] -------------------------------------------------------------------------------------- */

#if defined(__AVX512F__) && !defined(PB_REAL_DOUBLE)

/* 32 numbers of a row of B become two vectors: those at even indices, which are shifted up, and those at odd ones,
 * whose lower half is cleared.  Rows of A are therefore split in the same way: even [16], odd [16], .. */
static void split_row(const float *x, int k, float *even_odd)
{
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    for (int p = 0; p < k; p += 32) {
        const bool whole = p + 32 <= k;
        float some[32] = {0};
        if (!whole)
            memcpy(some, x + p, (size_t)(k - p) * sizeof *x);
        __m512 low = _mm512_loadu_ps(whole ? x + p : some), high = _mm512_loadu_ps((whole ? x + p : some) + 16);
        _mm512_storeu_ps(even_odd + p, _mm512_permutex2var_ps(low, even, high));
        _mm512_storeu_ps(even_odd + p + 16, _mm512_permutex2var_ps(low, odd, high));
    }
}

static inline __m512i codes(const uint16_t *p, int n)
{
    if (n >= 32)
        return _mm512_loadu_si512(p);
    uint16_t some[32] = {0};
    memcpy(some, p, (size_t)n * sizeof *p);
    return _mm512_loadu_si512(some);
}

/* a: split rows, lda apart. */
__attribute__((always_inline)) static inline void dots_bf16(const job *t, const uint16_t *b, size_t ldb, int j,
                                                            const int m, const int rows)
{
    __m512 sum[MOST][8];
    b += (size_t)j * ldb;
    for (int i = 0; i < m; i++)
        for (int r = 0; r < rows; r++)
            sum[i][r] = _mm512_setzero_ps();
    for (int p = 0; p < t->k; p += 32)
        for (int r = 0; r < rows; r++) {
            __m512i both = codes(b + (size_t)r * ldb + p, t->k - p);
            __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
            __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32((int)0xFFFF0000u)));
            __builtin_prefetch(b + (size_t)(r + rows) * ldb + p, 0, 2);
            for (int i = 0; i < m; i++) {
                const float *x = t->a + (size_t)i * t->lda + p;
                sum[i][r] = _mm512_fmadd_ps(even, _mm512_loadu_ps(x), sum[i][r]);
                sum[i][r] = _mm512_fmadd_ps(odd, _mm512_loadu_ps(x + 16), sum[i][r]);
            }
        }
    for (int i = 0; i < m; i++)
        for (int r = 0; r < rows; r++)
            put_sum(t, i, j + r, _mm512_reduce_add_ps(sum[i][r]));
}

#define DOTS_BF16(m, rows)                                                                                             \
    static void dots_bf16_##m(const job *t, const uint16_t *b, size_t ldb)                                             \
    {                                                                                                                  \
        int j = 0;                                                                                                     \
        for (; j + (rows) <= t->n; j += (rows))                                                                        \
            dots_bf16(t, b, ldb, j, m, rows);                                                                          \
        for (; j < t->n; j++)                                                                                          \
            dots_bf16(t, b, ldb, j, m, 1);                                                                             \
    }
DOTS_BF16(1, 8)
DOTS_BF16(2, 8)
DOTS_BF16(3, 6)
DOTS_BF16(4, 6)
DOTS_BF16(5, 4)
DOTS_BF16(6, 4)
DOTS_BF16(7, 3)
DOTS_BF16(8, 3)

bool pb_bf16_skinny(const uint16_t *code, int m, int n, int k, const pb_real *x, int ldx, bool add, pb_real *y, int ldy)
{
    static _Thread_local _Alignas(64) float split[MOST * DEEP];
    static void (*const of[MOST])(const job *, const uint16_t *, size_t) = {
        dots_bf16_1, dots_bf16_2, dots_bf16_3, dots_bf16_4, dots_bf16_5, dots_bf16_6, dots_bf16_7, dots_bf16_8};
    if (m < 1 || m > MOST)
        return false;
    for (int p = 0; p < k; p += DEEP) {
        int depth = k - p < DEEP ? k - p : DEEP;
        for (int i = 0; i < m; i++)
            split_row(x + (size_t)i * (size_t)ldx + p, depth, split + (size_t)i * DEEP);
        const job t = {m, n, depth, 1, split, DEEP, NULL, 0, add || p > 0, y, (size_t)ldy};
        of[m - 1](&t, code + p, (size_t)k);
    }
    return true;
}

#else

bool pb_bf16_skinny(const uint16_t *code, int m, int n, int k, const pb_real *x, int ldx, bool add, pb_real *y, int ldy)
{
    (void)code, (void)m, (void)n, (void)k, (void)x, (void)ldx, (void)add, (void)y, (void)ldy;
    return false;
}

#endif
