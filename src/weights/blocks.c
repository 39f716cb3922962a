/* blocks: see blocks.h. */
#include "weights/blocks.h"

#include <string.h>

static const struct {
    pb_dtype type;
    int size, bytes;
} kinds[] = {{PB_Q4_0, 32, 18},  {PB_Q4_1, 32, 20},   {PB_Q5_0, 32, 22},   {PB_Q5_1, 32, 24},   {PB_Q8_0, 32, 34},
             {PB_Q2_K, 256, 84}, {PB_Q3_K, 256, 110}, {PB_Q4_K, 256, 144}, {PB_Q5_K, 256, 176}, {PB_Q6_K, 256, 210}};

int pb_block_size(pb_dtype type)
{
    for (size_t i = 0; i < PB_COUNT(kinds); i++)
        if (kinds[i].type == type)
            return kinds[i].size;
    return 0;
}

int pb_block_bytes(pb_dtype type)
{
    for (size_t i = 0; i < PB_COUNT(kinds); i++)
        if (kinds[i].type == type)
            return kinds[i].bytes;
    return 0;
}

/* Subnormals are multiples of 2^-24. */
float pb_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half >> 15) << 31, exponent = half >> 10 & 31, fraction = half & 1023;
    float value;
    if (!exponent) {
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float half_at(const unsigned char *p)
{
    return pb_half_to_float((uint16_t)(p[0] | p[1] << 8));
}

/* d, then 32 nibbles: x = (q - 8) d. */
static void decode_q4_0(const unsigned char *b, float *x)
{
    float d = half_at(b);
    for (int i = 0; i < 16; i++) {
        x[i] = (float)((b[2 + i] & 15) - 8) * d;
        x[16 + i] = (float)((b[2 + i] >> 4) - 8) * d;
    }
}

/* d, m, then 32 nibbles: x = q d + m. */
static void decode_q4_1(const unsigned char *b, float *x)
{
    float d = half_at(b), m = half_at(b + 2);
    for (int i = 0; i < 16; i++) {
        x[i] = (float)(b[4 + i] & 15) * d + m;
        x[16 + i] = (float)(b[4 + i] >> 4) * d + m;
    }
}

/* Bit 4 of number i, out of four bytes of such bits. */
static int fifth_bit(const unsigned char *bits, int i)
{
    return (bits[i / 8] >> (i % 8) & 1) << 4;
}

/* d, 32 fifth bits, then 32 nibbles: x = (q - 16) d. */
static void decode_q5_0(const unsigned char *b, float *x)
{
    float d = half_at(b);
    for (int i = 0; i < 16; i++) {
        x[i] = (float)(((b[6 + i] & 15) | fifth_bit(b + 2, i)) - 16) * d;
        x[16 + i] = (float)(((b[6 + i] >> 4) | fifth_bit(b + 2, 16 + i)) - 16) * d;
    }
}

/* d, m, 32 fifth bits, then 32 nibbles: x = q d + m. */
static void decode_q5_1(const unsigned char *b, float *x)
{
    float d = half_at(b), m = half_at(b + 2);
    for (int i = 0; i < 16; i++) {
        x[i] = (float)((b[8 + i] & 15) | fifth_bit(b + 4, i)) * d + m;
        x[16 + i] = (float)((b[8 + i] >> 4) | fifth_bit(b + 4, 16 + i)) * d + m;
    }
}

/* d, then 32 signed bytes: x = q d. */
static void decode_q8_0(const unsigned char *b, float *x)
{
    float d = half_at(b);
    for (int i = 0; i < 32; i++)
        x[i] = (float)(signed char)b[2 + i] * d;
}

/* Pair of bits of number i of 256: byte k of each half holds numbers k, k + 32, k + 64 and k + 96 of it. */
static int two_bits(const unsigned char *q, int i)
{
    return q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

/* 16 bytes of scale and minimum, 64 of pairs of bits, d, dmin: x = d scale q - dmin minimum. */
static void decode_q2_k(const unsigned char *b, float *x)
{
    float d = half_at(b + 80), dmin = half_at(b + 82);
    for (int i = 0; i < 256; i++) {
        int both = b[i / 16];
        x[i] = d * (float)(both & 15) * (float)two_bits(b + 16, i) - dmin * (float)(both >> 4);
    }
}

/* Scale k of 16, six bits each: the low four of k and k + 8 share a byte, the high two of k, k + 4, k + 8 and
 * k + 12 another. */
static int scale_of_q3_k(const unsigned char *p, int k)
{
    int low = p[k % 8] >> (k / 8 * 4) & 15, high = p[8 + k % 4] >> (k / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

/* 32 bytes of third bits, 64 of pairs of bits, 12 of scales, d: x = d scale (q - 4). */
static void decode_q3_k(const unsigned char *b, float *x)
{
    float d = half_at(b + 108);
    for (int i = 0; i < 256; i++) {
        int q = two_bits(b + 32, i) | (b[i % 32] >> (i / 32) & 1) << 2;
        x[i] = d * (float)scale_of_q3_k(b + 96, i / 16) * (float)(q - 4);
    }
}

/* Scale and minimum k of eight, six bits each, packed in twelve bytes. */
static void scale_and_minimum(int k, const unsigned char *p, int *scale, int *minimum)
{
    if (k < 4) {
        *scale = p[k] & 63;
        *minimum = p[k + 4] & 63;
    } else {
        *scale = (p[k + 4] & 15) | (p[k - 4] >> 6) << 4;
        *minimum = (p[k + 4] >> 4) | (p[k] >> 6) << 4;
    }
}

/* d, dmin, 12 bytes of scales, then 256 nibbles in eight groups: x = d scale q - dmin minimum. */
static void decode_q4_k(const unsigned char *b, float *x)
{
    float d = half_at(b), dmin = half_at(b + 2);
    for (int k = 0; k < 8; k++) {
        const unsigned char *q = b + 16 + k / 2 * 32;
        int scale, minimum;
        scale_and_minimum(k, b + 4, &scale, &minimum);
        float step = d * (float)scale, low = dmin * (float)minimum;
        for (int i = 0; i < 32; i++)
            x[k * 32 + i] = step * (float)(k % 2 ? q[i] >> 4 : q[i] & 15) - low;
    }
}

/* As Q4_K, with 32 bytes of fifth bits before the nibbles, bit k of each for group k. */
static void decode_q5_k(const unsigned char *b, float *x)
{
    float d = half_at(b), dmin = half_at(b + 2);
    for (int k = 0; k < 8; k++) {
        const unsigned char *q = b + 48 + k / 2 * 32;
        int scale, minimum;
        scale_and_minimum(k, b + 4, &scale, &minimum);
        float step = d * (float)scale, low = dmin * (float)minimum;
        for (int i = 0; i < 32; i++)
            x[k * 32 + i] = step * (float)((k % 2 ? q[i] >> 4 : q[i] & 15) | (b[16 + i] >> k & 1) << 4) - low;
    }
}

/* 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales, d: x = d scale (q - 32). */
static void decode_q6_k(const unsigned char *b, float *x)
{
    float d = half_at(b + 208);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, part = i % 128 / 32, k = i % 32;
        int low = b[half * 64 + part % 2 * 32 + k] >> (part / 2 * 4) & 15;
        int high = b[128 + half * 32 + k] >> (2 * part) & 3;
        float scale = (float)(signed char)b[192 + half * 8 + part * 2 + k / 16];
        x[i] = d * scale * (float)((low | high << 4) - 32);
    }
}

void pb_block_decode(pb_dtype type, const unsigned char *block, float *out)
{
    switch (type) {
    case PB_Q4_0: decode_q4_0(block, out); return;
    case PB_Q4_1: decode_q4_1(block, out); return;
    case PB_Q5_0: decode_q5_0(block, out); return;
    case PB_Q5_1: decode_q5_1(block, out); return;
    case PB_Q8_0: decode_q8_0(block, out); return;
    case PB_Q2_K: decode_q2_k(block, out); return;
    case PB_Q3_K: decode_q3_k(block, out); return;
    case PB_Q4_K: decode_q4_k(block, out); return;
    case PB_Q5_K: decode_q5_k(block, out); return;
    case PB_Q6_K: decode_q6_k(block, out); return;
    default: PB_BUG("type %d is not in blocks", (int)type);
    }
}
