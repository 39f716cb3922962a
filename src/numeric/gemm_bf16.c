/* gemm_bf16: matrix products whose operands are rounded to bf16.
 *
 * Both operands are rounded (to nearest even) while they are packed; their products are summed in fp32, and the
 * result is fp32.  Two extensions of x86-64 are used, chosen at run time: AMX multiplies tiles of 16 rows x 32 by 32
 * x 16 columns, and AVX512-BF16 adds pairs of products to the lanes of a vector.  Both read the same packed tiles of
 * 16 lines of 16 pairs, 1 KB each:
 *
 *     of A [m,k]   line i: row i,                pair p: its elements 2p and 2p+1 of dimension k
 *     of B [k,n]   line p: rows 2p and 2p+1,     pair j: the two elements of column j
 *
 * Missing elements at the edges are packed as zeros. */
#include "numeric/internal.h"

#if defined(__x86_64__) && !defined(PB_REAL_DOUBLE)

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The build may target another CPU: callers of these functions have tested the CPU. */
#define VECTORS __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define TILES __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,amx-tile,amx-bf16")))

enum { LINES = 16, INNER = 32, PAIRS = LINES * 16 }; /* of a tile: lines, inner elements, pairs in all */
enum { SIDE = 2 * LINES };                           /* of a block of C                               */
enum { DEPTH = 512 };                                /* inner elements packed at once                 */
enum { A_ROWS = 128 };                               /* packed at once: 128 KB                        */
enum { B_PAIRS = 256 * 1024 };                       /* of the packed part of B: 1 MB, half of an L2  */

static pb_bf16_unit unit;

static int tiles_of(int n, int size)
{
    return (n + size - 1) / size;
}

/* ---- packing --------------------------------------------------------------------------------------------- */

static inline __mmask16 first(int n)
{
    return n >= 16 ? 0xffff : n > 0 ? (__mmask16)((1u << n) - 1) : 0;
}

/* 32 elements of each row in order: pairs are neighbours.  x [rows,depth]. */
VECTORS static inline void read_along(const float *x, size_t ld, int rows, int depth, __m512i line[LINES])
{
#pragma GCC unroll 16
    for (int i = 0; i < LINES; i++) {
        const __mmask16 some = i < rows ? 0xffff : 0;
        const float *row = x + (i < rows ? (size_t)i * ld : 0);
        __m512 low = _mm512_maskz_loadu_ps(some & first(depth), row);
        __m512 high = _mm512_maskz_loadu_ps(some & first(depth - 16), row + 16);
        line[i] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    }
}

/* 16 elements of two rows, interleaved: pairs are below each other.  x [depth,columns]. */
VECTORS static inline void read_across(const float *x, size_t ld, int columns, int depth, __m512i line[LINES])
{
    const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
                                                6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __mmask16 some = first(columns);
#pragma GCC unroll 16
    for (int p = 0; p < LINES; p++) {
        const bool one = 2 * p < depth, two = 2 * p + 1 < depth;
        __m512 even = _mm512_maskz_loadu_ps(one ? some : 0, x + (one ? (size_t)(2 * p) * ld : 0));
        __m512 odd = _mm512_maskz_loadu_ps(two ? some : 0, x + (two ? (size_t)(2 * p + 1) * ld : 0));
        line[p] = _mm512_permutexvar_epi16(interleave, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
    }
}

/* Pair j of line i becomes pair i of line j: four rounds of a perfect shuffle. */
VECTORS static inline void transpose(__m512i line[LINES])
{
    const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i high = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
        __m512i next[LINES];
#pragma GCC unroll 8
        for (int i = 0; i < LINES / 2; i++) {
            next[2 * i] = _mm512_permutex2var_epi32(line[i], low, line[i + 8]);
            next[2 * i + 1] = _mm512_permutex2var_epi32(line[i], high, line[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LINES; i++)
            line[i] = next[i];
    }
}

/* One operand, [count,k] if the inner dimension lies along its rows, else [k,count]. */
typedef struct operand {
    const float *x;
    size_t ld;
    bool along, paired; /* paired: the lines of its tiles are pairs, as of B */
} operand;

VECTORS static inline void pack_tile(const operand *o, int at, int count, int p, int depth, uint32_t *tile)
{
    __m512i line[LINES];
    const float *x = o->x + (size_t)(o->along ? at : p) * o->ld + (size_t)(o->along ? p : at);
    if (o->along)
        read_along(x, o->ld, count, depth, line);
    else
        read_across(x, o->ld, count, depth, line);
    if (o->along == o->paired)
        transpose(line);
#pragma GCC unroll 16
    for (int l = 0; l < LINES; l++)
        _mm512_store_si512(tile + l * 16, line[l]);
}

/* Tiles of `count` rows of A or columns of B from `at`, `depth` inner elements from p: [count/16][depth/32].
 * Packed in the order in which memory is read. */
VECTORS static void pack(const operand *o, int at, int count, int p, int depth, uint32_t *tile)
{
    const int tiles = tiles_of(depth, INNER);
    if (o->along)
        for (int i = 0; i < count; i += LINES)
            for (int q = 0; q < depth; q += INNER, tile += PAIRS)
                pack_tile(o, at + i, count - i, p + q, depth - q, tile);
    else
        for (int q = 0; q < depth; q += INNER, tile += PAIRS)
            for (int i = 0; i < count; i += LINES)
                pack_tile(o, at + i, count - i, p + q, depth - q, tile + (size_t)(i / LINES * tiles) * PAIRS);
}

/* ---- blocks of C ------------------------------------------------------------------------------------------- */

/* At most 32 x 32 of C; packed A [2][tiles], B [2][tiles]. */
typedef struct block {
    const uint32_t *a, *b;
    int tiles; /* along the inner dimension */
    int rows, cols;
    float *c;
    size_t ldc;
    float alpha;
    bool add;
} block;

/* Writes those sums whose rows and columns exist. */
VECTORS static void put_block(const block *t, const float sum[SIDE * SIDE])
{
    for (int i = 0; i < t->rows; i++)
        for (int j = 0; j < t->cols; j += 16) {
            const __mmask16 some = first(t->cols - j);
            float *c = t->c + (size_t)i * t->ldc + j;
            __m512 old = t->add ? _mm512_maskz_loadu_ps(some, c) : _mm512_setzero_ps();
            __m512 more = _mm512_load_ps(sum + i * SIDE + j);
            _mm512_mask_storeu_ps(c, some, _mm512_fmadd_ps(more, _mm512_set1_ps(t->alpha), old));
        }
}

/* 8 rows by 32 columns in registers; a: 8 lines of the tiles of A. */
VECTORS static inline void add_pairs(const block *t, const uint32_t *a, float *sum)
{
    const uint32_t *b = t->b, *b2 = t->b + (size_t)t->tiles * PAIRS;
    __m512 part[8][2];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        part[i][0] = part[i][1] = _mm512_setzero_ps();
    for (int k = 0; k < t->tiles; k++, a += PAIRS, b += PAIRS, b2 += PAIRS)
        for (int p = 0; p < LINES; p++) {
            const __m512bh left = (__m512bh)_mm512_load_si512(b + p * 16);
            const __m512bh right = (__m512bh)_mm512_load_si512(b2 + p * 16);
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                const __m512bh pair = (__m512bh)_mm512_set1_epi32((int)a[i * 16 + p]);
                part[i][0] = _mm512_dpbf16_ps(part[i][0], pair, left);
                part[i][1] = _mm512_dpbf16_ps(part[i][1], pair, right);
            }
        }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        _mm512_store_ps(sum + i * SIDE, part[i][0]);
        _mm512_store_ps(sum + i * SIDE + 16, part[i][1]);
    }
}

VECTORS static void multiply_vectors(const block *t)
{
    _Alignas(64) float sum[SIDE * SIDE];
    for (int i = 0; i < t->rows; i += 8) {
        const uint32_t *a = t->a + (size_t)(i / LINES * t->tiles) * PAIRS + i % LINES * 16;
        add_pairs(t, a, sum + i * SIDE);
    }
    put_block(t, sum);
}

/* A barrier, as compilers do not know that the tile instructions read and write memory. */
#define BARRIER() __asm__ volatile("" ::: "memory")

/* Tiles 0..3: C in two rows of two; 4, 5: A; 6, 7: B. */
TILES static void multiply_tiles(const block *t)
{
    _Alignas(64) float sum[SIDE * SIDE];
    const bool direct = t->rows == SIDE && t->cols == SIDE && t->alpha == 1;
    float *c = direct ? t->c : sum, *c2 = c + 16 * (direct ? t->ldc : SIDE);
    const size_t line = 64, row = (direct ? t->ldc : SIDE) * sizeof *c;
    const uint32_t *a = t->a, *b = t->b, *a2 = a + (size_t)t->tiles * PAIRS, *b2 = b + (size_t)t->tiles * PAIRS;
    BARRIER();
    if (direct && t->add) {
        _tile_loadd(0, c, row);
        _tile_loadd(1, c + 16, row);
        _tile_loadd(2, c2, row);
        _tile_loadd(3, c2 + 16, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int k = 0; k < t->tiles; k++, a += PAIRS, a2 += PAIRS, b += PAIRS, b2 += PAIRS) {
        _tile_loadd(4, a, line);
        _tile_loadd(6, b, line);
        _tile_loadd(7, b2, line);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, a2, line);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, row);
    _tile_stored(1, c + 16, row);
    _tile_stored(2, c2, row);
    _tile_stored(3, c2 + 16, row);
    BARRIER();
    if (!direct)
        put_block(t, sum);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

/* The part of C that B's packed columns j .. j+width-1 and inner elements p .. p+depth-1 give. */
typedef struct part {
    int m, j, width, p, depth;
    float alpha, *c;
    size_t ldc;
    bool add;
} part;

static void multiply_part(const operand *a, const uint32_t *packed_b, const part *t)
{
    static _Thread_local _Alignas(64) uint32_t packed_a[A_ROWS / LINES * (DEPTH / INNER) * PAIRS];
    void (*const multiply)(const block *) = unit == PB_BF16_AMX ? multiply_tiles : multiply_vectors;
    const size_t line = (size_t)tiles_of(t->depth, INNER) * PAIRS; /* of tiles along the inner dimension */
    for (int i = 0; i < t->m; i += SIDE) {
        if (i % A_ROWS == 0)
            pack(a, i, pb_min(A_ROWS, t->m - i), t->p, t->depth, packed_a);
        for (int j = 0; j < t->width; j += SIDE)
            multiply(&(block){.a = packed_a + (size_t)(i % A_ROWS / LINES) * line,
                              .b = packed_b + (size_t)(j / LINES) * line,
                              .tiles = tiles_of(t->depth, INNER),
                              .rows = pb_min(SIDE, t->m - i),
                              .cols = pb_min(SIDE, t->width - j),
                              .c = t->c + (size_t)i * t->ldc + t->j + j,
                              .ldc = t->ldc,
                              .alpha = t->alpha,
                              .add = t->add || t->p > 0});
    }
}

/* Configures all eight tiles as 16 lines of 64 bytes, in every call as the state belongs to a thread. */
TILES static void configure_tiles(void)
{
    static const struct {
        uint8_t palette, start, none[14];
        uint16_t bytes[16];
        uint8_t lines[16];
    } shape = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&shape);
}

bool pb_gemm_rounded(const pb_gemm_args *g)
{
    static _Thread_local _Alignas(64) uint32_t packed[B_PAIRS];
    if (unit == PB_BF16_NONE)
        return false;
    if (unit == PB_BF16_AMX)
        configure_tiles();
    const operand left = {.x = g->a.x, .ld = (size_t)g->a.ld, .along = !g->a.transposed};
    const operand right = {.x = g->b.x, .ld = (size_t)g->b.ld, .along = g->b.transposed, .paired = true};
    for (int p = 0; p < g->k; p += DEPTH) {
        int depth = pb_min(DEPTH, g->k - p), most = B_PAIRS / PAIRS / tiles_of(depth, INNER) / 2 * SIDE;
        for (int j = 0; j < g->n; j += most) {
            int width = pb_min(most, g->n - j);
            pack(&right, j, width, p, depth, packed);
            multiply_part(&left, packed,
                          &(part){.m = g->m,
                                  .j = j,
                                  .width = width,
                                  .p = p,
                                  .depth = depth,
                                  .alpha = g->alpha,
                                  .c = g->c,
                                  .ldc = (size_t)g->ldc,
                                  .add = g->add});
        }
    }
    return true;
}

/* ---- the choice ------------------------------------------------------------------------------------------ */

static bool has_vectors(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

/* The operating system permits the tile registers on request. */
static bool has_tiles(void)
{
    enum { REQUEST = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    unsigned a, b, c, d;
    return has_vectors() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1) &&
           syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

bool pb_bf16_choose(pb_bf16_unit which)
{
    if ((which == PB_BF16_AVX512 && !has_vectors()) || (which == PB_BF16_AMX && !has_tiles()))
        return false;
    unit = which;
    return true;
}

#else

bool pb_gemm_rounded(const pb_gemm_args *g)
{
    (void)g;
    return false;
}

bool pb_bf16_choose(pb_bf16_unit which)
{
    return which == PB_BF16_NONE;
}

#endif
