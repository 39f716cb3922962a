/* gemm: a matrix product for CPUs with 512-bit vectors.
 *
 * C = alpha * A B + C in tiles of 8 rows x 48 columns, whose 24 vectors stay in registers during the loop over the
 * inner dimension.  B is packed in panels of 48 columns, so that every load is contiguous; A is read in place, with
 * two strides.  It is faster than OpenBLAS for the inner dimensions of fine-tuning, 32 .. 1536. */
#include "numeric/internal.h"

#if defined(__AVX512F__) && !defined(PB_REAL_DOUBLE)

#include <string.h>

#define LANES 16
#define ROWS 8    /* of a tile                                        */
#define WIDE 3    /* vectors across a tile                            */
#define PANEL 48  /* WIDE * LANES                                     */
#define DEPTH 512 /* of a packed panel: 96 KB, it stays in the L2     */
#define AHEAD 12  /* rows of B that are prefetched                    */
#define TALL 512  /* rows of A, 1 MB at that depth: they stay in the L2 while panels pass */

typedef float vec __attribute__((vector_size(64), aligned(4)));
typedef int mask __attribute__((vector_size(64)));

static inline vec load(const float *p)
{
    return *(const vec *)p;
}

static inline vec spread(float x)
{
    return x - (vec){0};
}

/* ---- packing: panel[k][48] ---------------------------------------------------------------------------- */

/* dst[k][0..15] = src[0..15][k] for 16 k: four rounds of a perfect shuffle. */
static void transpose(const float *src, size_t ld, float *dst)
{
    const mask low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
    const mask high = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    vec a[LANES], b[LANES];
    for (int i = 0; i < LANES; i++)
        a[i] = load(src + (size_t)i * ld);
#define ROUND(from, to)                                                                                                \
    for (int i = 0; i < LANES / 2; i++) {                                                                              \
        to[2 * i] = SHUFFLE(from[i], from[i + 8], low);                                                                \
        to[2 * i + 1] = SHUFFLE(from[i], from[i + 8], high);                                                           \
    }
#ifdef __clang__ /* gcc and clang have different builtins */
#define SHUFFLE(x, y, m)                                                                                               \
    ((m)[0] == 0 ? __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)               \
                 : __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))
#else
#define SHUFFLE(x, y, m) __builtin_shuffle(x, y, m)
#endif
    ROUND(a, b)
    ROUND(b, a)
    ROUND(a, b)
    ROUND(b, a)
    for (int i = 0; i < LANES; i++)
        *(vec *)(dst + (size_t)i * PANEL) = a[i];
#undef ROUND
#undef SHUFFLE
}

/* B as it is stored for B^T, [n,k]: columns of the panel are rows of b. */
static void pack_transposed(int n, int k, const float *b, size_t ldb, float *panel)
{
    for (int j = 0; j < n; j += LANES)
        for (int p = 0; p < k; p += LANES) {
            if (j + LANES <= n && p + LANES <= k) {
                transpose(b + (size_t)j * ldb + p, ldb, panel + (size_t)p * PANEL + j);
                continue;
            }
            for (int q = p; q < k && q < p + LANES; q++)
                for (int i = j; i < j + LANES; i++)
                    panel[(size_t)q * PANEL + (size_t)i] = i < n ? b[(size_t)i * ldb + (size_t)q] : 0;
        }
}

/* A panel takes three cache lines of each row of b, too few for the hardware prefetcher. */
static void pack_straight(int n, int k, const float *b, size_t ldb, float *panel)
{
    for (int p = 0; p < k; p++) {
        for (int v = 0; v < WIDE; v++)
            __builtin_prefetch(b + (size_t)(p + AHEAD) * ldb + v * LANES);
        if (n == PANEL) {
            for (int v = 0; v < WIDE; v++)
                *(vec *)(panel + (size_t)p * PANEL + v * LANES) = load(b + (size_t)p * ldb + v * LANES);
            continue;
        }
        memcpy(panel + (size_t)p * PANEL, b + (size_t)p * ldb, (size_t)n * sizeof *b);
        memset(panel + (size_t)p * PANEL + n, 0, (size_t)(PANEL - n) * sizeof *b);
    }
}

/* ---- tiles -------------------------------------------------------------------------------------------- */

typedef struct tile {
    int k, cols;    /* inner dimension; columns that exist, 1..48 */
    const float *a; /* element (row, p) at a[row*row_step + p*step] */
    size_t row_step, step;
    const float *b; /* packed panel                                */
    float *c;
    size_t ldc;
    float alpha;
    bool add; /* to C; else C is overwritten                 */
} tile;

/* Writes those columns of one row of a tile that exist. */
static inline void put_row(const tile *t, float *c, const vec *sum, int wide)
{
    float part[PANEL] = {0};
    if (t->cols == wide * LANES) {
        for (int v = 0; v < wide; v++) {
            vec *to = (vec *)(c + v * LANES);
            *to = t->add ? *to + sum[v] * spread(t->alpha) : sum[v] * spread(t->alpha);
        }
        return;
    }
    for (int v = 0; v < wide; v++)
        *(vec *)(part + v * LANES) = sum[v] * spread(t->alpha);
    for (int j = 0; j < t->cols; j++)
        c[j] = t->add ? c[j] + part[j] : part[j];
}

/* `rows` and `wide` are constants after inlining, so that the sums stay in registers. */
__attribute__((always_inline)) static inline void multiply(const tile *t, const int rows, const int wide)
{
    vec sum[ROWS][WIDE];
    const float *a = t->a, *b = t->b;
    const size_t row_step = t->row_step, step = t->step;
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (int v = 0; v < wide; v++)
            sum[r][v] = (vec){0};
    for (int p = 0; p < t->k; p++, a += step, b += PANEL) {
        vec column[WIDE];
#pragma GCC unroll 3
        for (int v = 0; v < wide; v++)
            column[v] = load(b + v * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const vec x = spread(a[(size_t)r * row_step]);
#pragma GCC unroll 3
            for (int v = 0; v < wide; v++)
                sum[r][v] += x * column[v];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        put_row(t, t->c + (size_t)r * t->ldc, sum[r], wide);
}

#define BY_ROWS(wide)                                                                                                  \
    switch (rows) {                                                                                                    \
    case 1: multiply(t, 1, wide); break;                                                                               \
    case 2: multiply(t, 2, wide); break;                                                                               \
    case 3: multiply(t, 3, wide); break;                                                                               \
    case 4: multiply(t, 4, wide); break;                                                                               \
    case 5: multiply(t, 5, wide); break;                                                                               \
    case 6: multiply(t, 6, wide); break;                                                                               \
    case 7: multiply(t, 7, wide); break;                                                                               \
    default: multiply(t, 8, wide); break;                                                                              \
    }

static void multiply_one(const tile *t, int rows)
{
    BY_ROWS(1)
}

static void multiply_two(const tile *t, int rows)
{
    BY_ROWS(2)
}

static void multiply_three(const tile *t, int rows)
{
    BY_ROWS(3)
}

static void multiply_panel(tile t, int m)
{
    void (*const work)(const tile *, int) = t.cols <= LANES       ? multiply_one
                                            : t.cols <= 2 * LANES ? multiply_two
                                                                  : multiply_three;
    for (int i = 0; i < m; i += ROWS) {
        work(&t, m - i < ROWS ? m - i : ROWS);
        t.a += ROWS * t.row_step;
        t.c += ROWS * t.ldc;
    }
}

static void by_panels(const pb_gemm_args *g)
{
    static _Thread_local _Alignas(64) float panel[DEPTH * PANEL];
    const size_t lda = (size_t)g->a.ld, ldb = (size_t)g->b.ld;
    const size_t row_step = g->a.transposed ? 1 : lda, step = g->a.transposed ? lda : 1;
    for (int p = 0; p < g->k; p += DEPTH)
        for (int j = 0; j < g->n; j += PANEL) {
            int depth = g->k - p < DEPTH ? g->k - p : DEPTH, cols = g->n - j < PANEL ? g->n - j : PANEL;
            if (g->b.transposed)
                pack_transposed(cols, depth, g->b.x + (size_t)j * ldb + p, ldb, panel);
            else
                pack_straight(cols, depth, g->b.x + (size_t)p * ldb + j, ldb, panel);
            multiply_panel((tile){.k = depth,
                                  .cols = cols,
                                  .a = g->a.x + (size_t)p * step,
                                  .row_step = row_step,
                                  .step = step,
                                  .b = panel,
                                  .c = g->c + j,
                                  .ldc = (size_t)g->ldc,
                                  .alpha = g->alpha,
                                  .add = g->add || p > 0},
                           g->m);
        }
}

/* Prefetches rows of B that are read next: they are too short for the hardware prefetcher. */
static void prefetch_rows(int rows, int k, const float *b, size_t ldb)
{
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < k; p += LANES)
            __builtin_prefetch(b + (size_t)r * ldb + p, 0, 2);
}

/* For few rows and a transposed B (a weight), where packing B would cost as much as the product.  Computes C^T = B^T
 * A^T: A is packed, and B is read once, in place. */
static void by_rows_of_b(const pb_gemm_args *g)
{
    static _Thread_local _Alignas(64) float panel[DEPTH * PANEL];
    const size_t ldb = (size_t)g->b.ld, ldc = (size_t)g->ldc;
    float part[ROWS * PANEL];
    for (int p = 0; p < g->k; p += DEPTH) {
        int depth = g->k - p < DEPTH ? g->k - p : DEPTH;
        pack_transposed(g->m, depth, g->a.x + p, (size_t)g->a.ld, panel);
        for (int j = 0; j < g->n; j += ROWS) {
            int left = g->n - j, rows = left < ROWS ? left : ROWS;
            prefetch_rows(left - rows < ROWS ? left - rows : ROWS, depth, g->b.x + (size_t)(j + rows) * ldb + p, ldb);
            multiply_panel((tile){.k = depth,
                                  .cols = g->m,
                                  .a = g->b.x + (size_t)j * ldb + p,
                                  .row_step = ldb,
                                  .step = 1,
                                  .b = panel,
                                  .c = part,
                                  .ldc = PANEL,
                                  .alpha = g->alpha},
                           rows);
            for (int i = 0; i < g->m; i++)
                for (int r = 0; r < rows; r++) {
                    float *to = g->c + (size_t)i * ldc + j + r;
                    *to = part[r * PANEL + i] + (g->add || p ? *to : 0);
                }
        }
    }
}

bool pb_gemm_avx512(const pb_gemm_args *g)
{
    if (g->b.transposed && !g->a.transposed && g->m <= PANEL) {
        by_rows_of_b(g);
        return true;
    }
    for (int i = 0; i < g->m; i += TALL) {
        pb_gemm_args part = *g;
        part.m = g->m - i < TALL ? g->m - i : TALL;
        part.a.x += (size_t)i * (g->a.transposed ? 1 : (size_t)g->a.ld);
        part.c += (size_t)i * (size_t)g->ldc;
        by_panels(&part);
    }
    return true;
}

#else

bool pb_gemm_avx512(const pb_gemm_args *g)
{
    (void)g;
    return false;
}

#endif
