/* fastfood: see fastfood.h. */
#include "numeric/fastfood.h"

#include <math.h>

#include "numeric/blas.h"
#include "numeric/kernel.h"

/* Sums and differences of numbers that are `half` apart. */
static void butterflies(int n, int half, pb_real *x)
{
    for (int i = 0; i < n; i += 2 * half)
        for (int j = i; j < i + half; j++) {
            pb_real a = x[j], b = x[j + half];
            x[j] = a + b;
            x[j + half] = a - b;
        }
}

/* The first three steps on 8 numbers each, in registers. */
static void first_steps(int n, pb_real *x)
{
    for (int i = 0; i < n; i += 8) {
        butterflies(8, 1, x + i);
        butterflies(8, 2, x + i);
        butterflies(8, 4, x + i);
    }
}

void pb_hadamard(int n, pb_real *x)
{
    uint64_t steps = 0;
    int half = 1;
    if (n >= 8) {
        first_steps(n, x);
        half = 8;
        steps = 3;
    }
    for (; half < n; half *= 2, steps++)
        butterflies(n, half, x);
    pb_flops_add((uint64_t)n * steps);
}

int pb_power_of_two(int n)
{
    PB_CHECK(n >= 1 && n <= 1 << 30);
    int power = 1;
    while (power < n)
        power *= 2;
    return power;
}

/* The streams of a block. */
enum { SIGNS, ORDER, NORMALS, STREAMS };

static uint64_t stream(uint64_t key, int block, int which)
{
    return pb_mix(key, (uint64_t)block * STREAMS + (uint64_t)which);
}

uint64_t pb_fastfood_signs(uint64_t key, int block)
{
    return stream(key, block, SIGNS);
}

/* A random number in [1,2), of the 52 upper bits. */
static inline double one_to_two(uint64_t bits)
{
    union {
        uint64_t bits;
        double x;
    } u = {(bits >> 12) | 0x3FF0000000000000u};
    return u.x;
}

/* log(u) of a normal number u > 0: with u = 2^e m and s = (m-1)/(m+1), log(m) = 2 (s + s^3/3 + s^5/5 + ..). */
static inline double logarithm(double u)
{
    union {
        double x;
        uint64_t bits;
    } m = {u};
    double e = one_to_two((m.bits >> 52) << 12); /* 1 + the exponent's field * 2^-52 */
    e = (e - 1) * 0x1p52 - 1023;
    m.bits = (m.bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u;
    bool large = m.x > M_SQRT2;
    double half = large ? m.x / 2 : m.x, s = (half - 1) / (half + 1), q = s * s;
    double series = 1.0 / 19;
    for (int k = 17; k >= 1; k -= 2)
        series = series * q + 1.0 / k;
    return (large ? e + 1 : e) * M_LN2 + 2 * s * series;
}

/* Two normal numbers (Box-Muller): r cos(a) and r sin(a), where r^2 = -2 log(u) and a = pi/4 + x, |x| <= pi/4, in one
 * of the four quadrants by two more bits. */
static inline void draw_pair(uint64_t first, uint64_t second, double *a, double *b)
{
    double r = sqrt(-2 * logarithm(2 - one_to_two(first))) * M_SQRT1_2;
    double x = (one_to_two(second) - 1.5) * M_PI_2, q = x * x, sine = 0, cosine = 0;
    for (int k = 16; k >= 2; k -= 2) {
        cosine = (cosine + 1) * (-q / (k * (k - 1)));
        sine = (sine + 1) * (-q / (k * (k + 1)));
    }
    cosine += 1;
    sine = x * (sine + 1);
    *a = (second & 1 ? r : -r) * (cosine - sine);
    *b = (second & 2 ? r : -r) * (cosine + sine);
}

/* The loop can be vectorized, which makes it ten times as fast as calls of the library's functions. */
static void draw_normals(uint64_t key, int n, pb_real *x)
{
    int half = (n + 1) / 2;
    for (int i = 0; i < n / 2; i++) {
        double a, b;
        draw_pair(pb_mix(key, 2 * (uint64_t)i), pb_mix(key, 2 * (uint64_t)i + 1), &a, &b);
        x[i] = (pb_real)a;
        x[i + half] = (pb_real)b;
    }
    double rest;
    if (n == 1)
        draw_pair(pb_mix(key, 0), pb_mix(key, 1), &rest, &rest);
    if (n == 1)
        x[0] = (pb_real)rest;
}

/* A permutation (Fisher-Yates).  The 32 bits of a draw favor some places by less than n / 2^32. */
static void draw_order(uint64_t key, int n, int *order)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = (int)((pb_mix(key, (uint64_t)i) >> 32) * ((uint64_t)i + 1) >> 32), item = order[i];
        order[i] = order[j];
        order[j] = item;
    }
}

pb_fastfood pb_fastfood_draw(uint64_t key, int block, int n, double rows, pb_real *normal, int *order)
{
    draw_order(stream(key, block, ORDER), n, order);
    draw_normals(stream(key, block, NORMALS), n, normal);
    double squares = pb_sum_squares((size_t)n, normal);
    return (pb_fastfood){n, normal, order, (pb_real)(1 / sqrt(rows * squares))};
}

void pb_fastfood_multiply(const pb_fastfood *f, pb_real *x, pb_real *y)
{
    pb_hadamard(f->n, x);
    for (int i = 0; i < f->n; i++)
        y[i] = f->scale * f->normal[i] * x[f->order[i]];
    pb_hadamard(f->n, y);
}

void pb_fastfood_transposed(const pb_fastfood *f, pb_real *y, pb_real *x)
{
    pb_hadamard(f->n, y);
    for (int i = 0; i < f->n; i++)
        x[f->order[i]] = f->scale * f->normal[i] * y[i];
    pb_hadamard(f->n, x);
}
