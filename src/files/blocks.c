/* blocks: see blocks.h. */
#include "files/blocks.h"

#include <string.h>

static const struct {
    pb_dtype type;
    int size, bytes;
} kinds[] = {{PB_Q4_0, 32, 18}, {PB_Q4_1, 32, 20}, {PB_Q8_0, 32, 34}, {PB_Q4_K, 256, 144}, {PB_Q6_K, 256, 210}};

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

/* d, then 32 signed bytes: x = q d. */
static void decode_q8_0(const unsigned char *b, float *x)
{
    float d = half_at(b);
    for (int i = 0; i < 32; i++)
        x[i] = (float)(signed char)b[2 + i] * d;
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
    case PB_Q8_0: decode_q8_0(block, out); return;
    case PB_Q4_K: decode_q4_k(block, out); return;
    case PB_Q6_K: decode_q6_k(block, out); return;
    default: PB_BUG("type %d is not in blocks", (int)type);
    }
}
