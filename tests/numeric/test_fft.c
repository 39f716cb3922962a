/* Discrete Fourier transforms of every kind of length against their definition. */
#include "util.h"

#include "numeric/blas.h"
#include "numeric/fft.h"

enum { L = PB_FFT_LANES };

/* Frequency k of lane l of x, by the definition in double. */
static void frequency(int n, const pb_real *x, int l, int k, double sign, double out[2])
{
    out[0] = out[1] = 0;
    for (int j = 0; j < n; j++) {
        double angle = sign * 2 * M_PI * (double)((long)j * k % n) / n;
        double re = (double)x[2 * L * j + l], im = (double)x[2 * L * j + L + l];
        out[0] += re * cos(angle) - im * sin(angle);
        out[1] += re * sin(angle) + im * cos(angle);
    }
}

/* The largest error at some frequencies of some lanes, relative to sqrt(n), which values of about 1 give. */
static double error_of(int n, bool inverse)
{
    size_t elements = 2 * (size_t)n * L;
    pb_rng r = pb_rng_named((uint64_t)n, "fft");
    pb_real *x = random_reals(&r, elements), *y = pb_alloc(elements * sizeof *y);
    pb_real *table = pb_alloc(pb_fft_table_size(n) * sizeof *table),
            *work = pb_alloc(pb_fft_work_size(n) * sizeof *work);
    fill_nan(elements, y);
    pb_fft_table(n, inverse, table);
    uint64_t before = pb_flops_done();
    pb_fft(n, table, x, y, work);
    CHECK_INT((long long)(pb_flops_done() - before), (long long)(L * pb_fft_flops(n)));
    double most = 0;
    for (int k = 0; k < n; k += n < 80 ? 1 : n / 40)
        for (int l = 0; l < L; l += 3) {
            double want[2];
            frequency(n, x, l, k, inverse ? 1 : -1, want);
            most = fmax(most, fabs((double)y[2 * L * k + l] - want[0]));
            most = fmax(most, fabs((double)y[2 * L * k + L + l] - want[1]));
        }
    free(x);
    free(y);
    free(table);
    free(work);
    return most / sqrt(n);
}

TEST(short_lengths_are_exact)
{
    for (int n = 1; n <= 70; n++)
        for (int inverse = 0; inverse < 2; inverse++)
            if (!CHECK(error_of(n, inverse) <= 100 * EXACT))
                printf("  length %d\n", n);
}

/* Widths of models, and lengths with large prime factors: 4864 = 2^8 19, 11008 = 2^8 43, 1013 is prime. */
TEST(long_lengths_are_exact)
{
    static const int lengths[] = {97, 128, 194, 243, 625, 768, 1013, 1536, 2026, 3072, 4864, 11008};
    for (size_t i = 0; i < PB_COUNT(lengths); i++)
        for (int inverse = 0; inverse < 2; inverse++)
            if (!CHECK(error_of(lengths[i], inverse) <= 1000 * EXACT))
                printf("  length %d\n", lengths[i]);
}

/* 768 = 4^4 3: a step of 3 with 256 transforms of length 3, four steps of 4 with 192; each transform of length p is
 * behind p - 1 complex products. */
TEST(operations_are_counted)
{
    CHECK_INT((long long)pb_fft_flops(1), 0);
    CHECK_INT((long long)pb_fft_flops(2), 6 + 4);
    CHECK_INT((long long)pb_fft_flops(768), 256 * (2 * 6 + 16) + 4 * 192 * (3 * 6 + 18));
    CHECK_INT((long long)pb_fft_flops(7), 6 * 6 + 7 * 6 * 8);
}
