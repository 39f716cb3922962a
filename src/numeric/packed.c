/* packed: see packed.h. */
#include "numeric/packed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "numeric/blas.h"
#include "numeric/internal.h"

enum { BLOCK = 64, GROUP = 32, SCALES = 256 };
enum { WIDE = 96, DEEP = 512, TILE = WIDE * DEEP }; /* a tile, 192 KB, stays in the L2 cache */

const char *const pb_precision_name[PB_PRECISIONS] = {"fp32", "bf16", "int8", "nf4"};

/* The quantiles of appendix E of Dettmers et al. 2023, arXiv:2305.14314. */
static const float nf4[16] = {-1.0f,
                              -0.6961928009986877f,
                              -0.5250730514526367f,
                              -0.39491748809814453f,
                              -0.28444138169288635f,
                              -0.18477343022823334f,
                              -0.09105003625154495f,
                              0.0f,
                              0.07958029955625534f,
                              0.16093020141124725f,
                              0.24611230194568634f,
                              0.33791524171829224f,
                              0.44070982933044434f,
                              0.5626170039176941f,
                              0.7229568362236023f,
                              1.0f};

static size_t ceil_div(int n, int to)
{
    return ((size_t)n + (size_t)to - 1) / (size_t)to;
}

static size_t round4(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

static size_t code_bytes(pb_precision precision, int rows, int cols)
{
    size_t row = precision == PB_IN_BF16   ? 2 * (size_t)cols
                 : precision == PB_IN_INT8 ? (size_t)cols
                                           : ceil_div(cols, GROUP) * (GROUP / 2);
    return round4((size_t)rows * row);
}

static size_t scales(pb_precision precision, int rows, int cols)
{
    return precision == PB_IN_INT8 ? (size_t)rows : precision == PB_IN_NF4 ? (size_t)rows * ceil_div(cols, BLOCK) : 0;
}

size_t pb_packed_bytes(pb_precision precision, bool double_quant, int rows, int cols)
{
    if (precision == PB_IN_FP32)
        return (size_t)rows * (size_t)cols * 4;
    size_t n = scales(precision, rows, cols);
    bool small = double_quant && precision == PB_IN_NF4;
    return code_bytes(precision, rows, cols) + (small ? round4(n) + 4 * ((n + SCALES - 1) / SCALES) : 4 * n);
}

/* ---- packing ------------------------------------------------------------------------------------------- */

uint16_t pb_to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static float largest(const pb_real *x, int n)
{
    float top = 0;
    for (int i = 0; i < n; i++)
        top = fmaxf(top, fabsf((float)x[i]));
    return top;
}

static void pack_int8(int cols, const pb_real *x, signed char *code, float *scale)
{
    *scale = largest(x, cols) / 127;
    for (int i = 0; i < cols; i++)
        code[i] = (signed char)(*scale > 0 ? lrintf((float)x[i] / *scale) : 0);
}

/* The index of the nearest of the 16 values; of two equally near ones, the lower. */
static unsigned nearest(float x)
{
    unsigned best = 0;
    for (unsigned k = 1; k < 16; k++)
        best = fabsf(x - nf4[k]) < fabsf(x - nf4[best]) ? k : best;
    return best;
}

/* `scale` has the scales of the row's blocks, as they are after dequantization. */
static void pack_nf4(int cols, const pb_real *x, const float *scale, unsigned char *code)
{
    for (int i = 0; i < cols; i++) {
        float s = scale[i / BLOCK];
        unsigned k = nearest(s > 0 ? (float)x[i] / s : 0);
        unsigned char *byte = code + i / GROUP * (GROUP / 2) + i % (GROUP / 2);
        *byte = (unsigned char)(i % GROUP < GROUP / 2 ? (*byte & 0xF0) | k : (*byte & 0x0F) | k << 4);
    }
}

/* Quantizes the scales to bytes around their mean, with a step for each 256. */
static void pack_scales(size_t n, const float *scale, signed char *code, float *step, float *mean)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)scale[i];
    *mean = n ? (float)(sum / (double)n) : 0;
    for (size_t from = 0; from < n; from += SCALES) {
        size_t to = from + SCALES < n ? from + SCALES : n;
        float top = 0;
        for (size_t i = from; i < to; i++)
            top = fmaxf(top, fabsf(scale[i] - *mean));
        step[from / SCALES] = top / 127;
        for (size_t i = from; i < to; i++)
            code[i] = (signed char)(top > 0 ? lrintf((scale[i] - *mean) * 127 / top) : 0);
    }
}

static float scale_at(const pb_packed *p, size_t i)
{
    return p->double_quant ? p->mean + p->step[i / SCALES] * (float)p->scale_code[i] : p->scale[i];
}

static void pack_all_nf4(pb_packed *p, const pb_real *x, unsigned char *code, float *scales)
{
    size_t blocks = ceil_div(p->cols, BLOCK), n = (size_t)p->rows * blocks,
           bytes = ceil_div(p->cols, GROUP) * (GROUP / 2);
    float *scale = p->double_quant ? pb_alloc((n + 1) * sizeof *scale) : scales;
    for (size_t i = 0; i < n; i++) {
        int r = (int)(i / blocks), c = (int)(i % blocks) * BLOCK;
        scale[i] = largest(x + (size_t)r * (size_t)p->cols + c, p->cols - c < BLOCK ? p->cols - c : BLOCK);
    }
    p->scale = scale;
    if (p->double_quant) {
        signed char *codes = (signed char *)scales;
        float *step = (float *)(void *)(codes + round4(n));
        pack_scales(n, scale, codes, step, &p->mean);
        p->scale_code = codes;
        p->step = step;
        for (size_t i = 0; i < n; i++)
            scale[i] = scale_at(p, i);
    }
    for (int r = 0; r < p->rows; r++)
        pack_nf4(p->cols, x + (size_t)r * (size_t)p->cols, scale + (size_t)r * blocks, code + (size_t)r * bytes);
    if (p->double_quant) {
        free(scale);
        p->scale = NULL;
    }
}

pb_packed pb_pack(pb_precision precision, bool double_quant, int rows, int cols, const pb_real *x, void *memory)
{
    pb_packed p = {.precision = precision,
                   .double_quant = double_quant && precision == PB_IN_NF4,
                   .rows = rows,
                   .cols = cols,
                   .code = memory};
    float *scales = (float *)(void *)((char *)memory + code_bytes(precision, rows, cols));
    size_t n = (size_t)rows * (size_t)cols;
    PB_CHECK(precision != PB_IN_FP32);
    if (precision == PB_IN_BF16)
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)memory)[i] = pb_to_bf16((float)x[i]);
    else if (precision == PB_IN_NF4)
        pack_all_nf4(&p, x, memory, scales);
    else {
        p.scale = scales;
        for (int r = 0; r < rows; r++)
            pack_int8(cols, x + (size_t)r * (size_t)cols, (signed char *)memory + (size_t)r * (size_t)cols, scales + r);
    }
    return p;
}

/* ---- unpacking: n numbers from column c of row r ------------------------------------------------------- */

static void unpack_bf16(const uint16_t *code, int n, pb_real *out)
{
    for (int i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)code[i] << 16;
        float x;
        memcpy(&x, &bits, sizeof x);
        out[i] = (pb_real)x;
    }
}

static void unpack_int8(const signed char *code, float scale, int n, pb_real *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (pb_real)((float)code[i] * scale);
}

/* Dequantizes one whole group of 32. */
static void unpack_group(const unsigned char *code, float scale, pb_real *out)
{
#if defined(__AVX512F__) && !defined(PB_REAL_DOUBLE)
    __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)code));
    __m512 table = _mm512_mul_ps(_mm512_loadu_ps(nf4), _mm512_set1_ps(scale));
    _mm512_storeu_ps(out, _mm512_permutexvar_ps(bytes, table)); /* uses only the lowest four bits */
    _mm512_storeu_ps(out + 16, _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 4), table));
#else
    for (int i = 0; i < 16; i++) {
        out[i] = (pb_real)(nf4[code[i] & 15] * scale);
        out[16 + i] = (pb_real)(nf4[code[i] >> 4] * scale);
    }
#endif
}

static void unpack_nf4(const pb_packed *p, int r, int c, int n, pb_real *out)
{
    const unsigned char *code = (const unsigned char *)p->code + (size_t)r * ceil_div(p->cols, GROUP) * (GROUP / 2);
    size_t blocks = ceil_div(p->cols, BLOCK);
    for (int i = 0; i < n; i += GROUP) {
        float scale = scale_at(p, (size_t)r * blocks + (size_t)((c + i) / BLOCK));
        const unsigned char *group = code + (c + i) / GROUP * (GROUP / 2);
        if (n - i >= GROUP) {
            unpack_group(group, scale, out + i);
            continue;
        }
        pb_real rest[GROUP];
        unpack_group(group, scale, rest);
        memcpy(out + i, rest, (size_t)(n - i) * sizeof *out);
    }
}

void pb_unpack(const pb_packed *p, int r0, int r1, int c0, int c1, pb_real *out, int ld)
{
    PB_CHECK(c0 % GROUP == 0);
    for (int r = r0; r < r1; r++, out += ld) {
        size_t at = (size_t)r * (size_t)p->cols + (size_t)c0;
        switch (p->precision) {
        case PB_IN_BF16: unpack_bf16((const uint16_t *)p->code + at, c1 - c0, out); break;
        case PB_IN_INT8: unpack_int8((const signed char *)p->code + at, p->scale[r], c1 - c0, out); break;
        case PB_IN_NF4: unpack_nf4(p, r, c0, c1 - c0, out); break;
        default: PB_BUG("precision %d is not packed", (int)p->precision);
        }
    }
}

/* ---- products -------------------------------------------------------------------------------------------- */

static void set_rows(int m, int j0, int j1, const pb_real *b, pb_real *y, int ldy)
{
    for (int i = 0; i < m; i++)
        memcpy(y + (size_t)i * (size_t)ldy + j0, b + j0, (size_t)(j1 - j0) * sizeof *y);
}

/* Divides the inner dimension k into equal pieces of whole blocks, as long as a tile allows, and returns their
 * length. */
static int piece_length(int k)
{
    int pieces = (k + DEEP - 1) / DEEP;
    return pieces ? (int)ceil_div((k + pieces - 1) / pieces, BLOCK) * BLOCK : BLOCK;
}

void pb_packed_linear(const pb_packed *p, int m, int j0, int j1, const pb_real *x, int ldx, const pb_real *b,
                      pb_real *y, int ldy)
{
    static _Thread_local _Alignas(64) pb_real tile[TILE];
    int deep = piece_length(p->cols);
    if (b)
        set_rows(m, j0, j1, b, y, ldy);
    if (p->precision == PB_IN_BF16 && m <= PB_SKINNY_ROWS &&
        pb_bf16_skinny((const uint16_t *)p->code + (size_t)j0 * (size_t)p->cols, m, j1 - j0, p->cols, x, ldx, b != NULL,
                       y + j0, ldy)) {
        pb_flops_add(2 * (uint64_t)m * (uint64_t)(j1 - j0) * (uint64_t)p->cols);
        return;
    }
    for (int c = 0; c < p->cols; c += deep)
        for (int j = j0; j < j1; j += WIDE) {
            int rows = pb_min(WIDE, j1 - j), cols = pb_min(deep, p->cols - c);
            pb_unpack(p, j, j + rows, c, c + cols, tile, cols);
            pb_gemm(m, rows, cols, 1, pb_as_stored(x + c, ldx), pb_transposed(tile, cols), b || c > 0, y + j, ldy);
        }
}

void pb_packed_backward(const pb_packed *p, int m, int c0, int c1, const pb_real *dy, int ldy, pb_real *dx, int ldx,
                        bool add)
{
    static _Thread_local _Alignas(64) pb_real tile[TILE];
    int deep = piece_length(p->rows);
    for (int r = 0; r < p->rows; r += deep)
        for (int c = c0; c < c1; c += WIDE) {
            int rows = pb_min(deep, p->rows - r), cols = pb_min(WIDE, c1 - c);
            pb_unpack(p, r, r + rows, c, c + cols, tile, cols);
            pb_gemm(m, cols, rows, 1, pb_as_stored(dy + r, ldy), pb_as_stored(tile, cols), add || r > 0, dx + c, ldx);
        }
}
