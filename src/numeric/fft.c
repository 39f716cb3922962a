/* fft: see fft.h.  Decimation in time: a sequence of n = p m is p sequences of m, each transformed, and the results are
 * combined by m transforms of length p. */
#include "numeric/fft.h"

#include <math.h>
#include <string.h>

#include "numeric/blas.h"

enum { L = PB_FFT_LANES };

/* The factor of the next step: 4, 2, 3, or the smallest prime. */
static int factor_of(int n)
{
    if (n % 4 == 0)
        return 4;
    for (int p = 2; p * p <= n; p++)
        if (n % p == 0)
            return p;
    return n;
}

static int largest_factor(int n)
{
    int most = 1;
    for (; n > 1; n /= factor_of(n))
        most = factor_of(n) > most ? factor_of(n) : most;
    return most;
}

size_t pb_fft_table_size(int n)
{
    return 2 * (size_t)n;
}

size_t pb_fft_work_size(int n)
{
    return 2 * (size_t)largest_factor(n) * L;
}

void pb_fft_table(int n, bool inverse, pb_real *table)
{
    for (int j = 0; j < n; j++) {
        double angle = 2 * M_PI * j / n;
        table[2 * j] = (pb_real)cos(angle);
        table[2 * j + 1] = (pb_real)(inverse ? sin(angle) : -sin(angle));
    }
}

/* ---- transforms of length p --------------------------------------------------------------------------------- */

/* The elements 0 .. p-1 of all lanes, `step` numbers from each other. */
static void two(pb_real *x, size_t step)
{
    for (int l = 0; l < 2 * L; l++) {
        pb_real a = x[l], b = x[step + (size_t)l];
        x[l] = a + b;
        x[step + (size_t)l] = a - b;
    }
}

/* `sine` is that of a third of the circle, with the direction's sign. */
static void three(pb_real *x, size_t step, pb_real sine)
{
    pb_real *b = x + step, *c = b + step;
    for (int l = 0; l < L; l++) {
        pb_real re = b[l] + c[l], im = b[L + l] + c[L + l];
        pb_real across = sine * (b[L + l] - c[L + l]), up = sine * (b[l] - c[l]);
        pb_real mid_re = x[l] - re / 2, mid_im = x[L + l] - im / 2;
        x[l] += re;
        x[L + l] += im;
        b[l] = mid_re - across;
        b[L + l] = mid_im + up;
        c[l] = mid_re + across;
        c[L + l] = mid_im - up;
    }
}

/* `sine` is that of a quarter of the circle, 1 or -1. */
static void four(pb_real *x, size_t step, pb_real sine)
{
    pb_real *b = x + step, *c = b + step, *d = c + step;
    for (int l = 0; l < L; l++) {
        pb_real sum_re = x[l] + c[l], sum_im = x[L + l] + c[L + l], re = x[l] - c[l], im = x[L + l] - c[L + l];
        pb_real both_re = b[l] + d[l], both_im = b[L + l] + d[L + l];
        pb_real across = sine * (b[L + l] - d[L + l]), up = sine * (b[l] - d[l]);
        x[l] = sum_re + both_re;
        x[L + l] = sum_im + both_im;
        b[l] = re - across;
        b[L + l] = im + up;
        c[l] = sum_re - both_re;
        c[L + l] = sum_im - both_im;
        d[l] = re + across;
        d[L + l] = im - up;
    }
}

/* y += x times the complex number w, in all lanes. */
static void add_turned(const pb_real *x, const pb_real *w, pb_real *y)
{
    for (int l = 0; l < L; l++) {
        y[l] += x[l] * w[0] - x[L + l] * w[1];
        y[L + l] += x[l] * w[1] + x[L + l] * w[0];
    }
}

/* Any p; the table's entries of the p-th part of the circle are `turn` entries apart. */
static void any(int p, pb_real *x, size_t step, const pb_real *table, int turn, pb_real *work)
{
    for (int q = 0; q < p; q++) {
        pb_real *y = work + 2 * L * q;
        memcpy(y, x, 2 * L * sizeof *y);
        for (int r = 1; r < p; r++)
            add_turned(x + (size_t)r * step, table + 2 * (size_t)turn * (size_t)((long)r * q % p), y);
    }
    for (int q = 0; q < p; q++)
        memcpy(x + (size_t)q * step, work + 2 * L * q, 2 * L * sizeof *x);
}

static uint64_t flops_of(int p)
{
    return p == 2 ? 4 : p == 3 ? 16 : p == 4 ? 18 : 8 * (uint64_t)p * (uint64_t)(p - 1);
}

/* ---- the steps ------------------------------------------------------------------------------------------------ */

/* x times the complex number w, in place in all lanes. */
static void turn_by(const pb_real *w, pb_real *x)
{
    for (int l = 0; l < L; l++) {
        pb_real re = x[l] * w[0] - x[L + l] * w[1];
        x[L + l] = x[l] * w[1] + x[L + l] * w[0];
        x[l] = re;
    }
}

/* Combines the p transforms of length m in x; `turn` is the distance of two entries of the table in a circle of p m. */
static void combine(int p, int m, pb_real *x, const pb_real *table, int turn, pb_real *work)
{
    size_t step = 2 * L * (size_t)m;
    pb_real sine = table[2 * (size_t)turn * (size_t)m + 1];
    for (int k = 0; k < m; k++, x += 2 * L) {
        for (int r = 1; r < p; r++)
            turn_by(table + 2 * (size_t)turn * (size_t)r * (size_t)k, x + (size_t)r * step);
        if (p == 2)
            two(x, step);
        else if (p == 3)
            three(x, step, sine);
        else if (p == 4)
            four(x, step, sine);
        else
            any(p, x, step, table, turn * m, work);
    }
}

/* Every `turn`-th element of `in`, n of them, to out. */
static void transform(int n, const pb_real *table, const pb_real *in, int turn, pb_real *out, pb_real *work)
{
    if (n == 1) {
        memcpy(out, in, 2 * L * sizeof *out);
        return;
    }
    int p = factor_of(n), m = n / p;
    for (int r = 0; r < p; r++)
        transform(m, table, in + 2 * L * (size_t)r * (size_t)turn, turn * p, out + 2 * L * (size_t)r * (size_t)m, work);
    combine(p, m, out, table, turn, work);
}

void pb_fft(int n, const pb_real *table, const pb_real *in, pb_real *out, pb_real *work)
{
    transform(n, table, in, 1, out, work);
    pb_flops_add(L * pb_fft_flops(n));
}

uint64_t pb_fft_flops(int n)
{
    uint64_t sum = 0;
    for (int left = n; left > 1; left /= factor_of(left)) {
        int p = factor_of(left);
        sum += (uint64_t)(n / p) * (6 * (uint64_t)(p - 1) + flops_of(p));
    }
    return sum;
}
