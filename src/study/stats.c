/* stats: see stats.h. */
#include "study/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Student's t through the incomplete beta function ------------------------------------------------- */

/* Continued fraction of I_x(a,b) by Lentz's method; converges fast for x < (a+1)/(a+b+2).
 * Abramowitz and Stegun 26.5.8. */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 1000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int k = 0; k < 2; k++) {
            double term = k ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            f *= c * d;
        }
        if (fabs(c * d - 1) < 1e-15)
            break;
    }
    return f;
}

/* I_x(a,b), 0 <= x <= 1 */
static double incomplete_beta(double x, double a, double b)
{
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a : 1 - front * beta_fraction(1 - x, b, a) / b;
}

double pb_stats_t_below(double t, double freedom)
{
    double tail = incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
    return t > 0 ? 1 - tail : tail;
}

double pb_stats_t_quantile(double p, double freedom)
{
    double low = -1, high = 1;
    while (pb_stats_t_below(low, freedom) > p)
        low *= 2;
    while (pb_stats_t_below(high, freedom) < p)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-13 * fabs(high); i++) {
        double middle = (low + high) / 2;
        *(pb_stats_t_below(middle, freedom) < p ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* ---- means -------------------------------------------------------------------------------------------- */

pb_interval pb_stats_mean(int n, const double *x)
{
    double sum = 0, squares = 0;
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(x[i])) {
            sum += x[i];
            kept++;
        }
    pb_interval out = {.middle = kept ? sum / kept : NAN, .low = NAN, .high = NAN, .n = kept};
    if (kept < 2)
        return out;
    for (int i = 0; i < n; i++)
        squares += isnan(x[i]) ? 0 : (x[i] - out.middle) * (x[i] - out.middle);
    double half = pb_stats_t_quantile(0.975, kept - 1) * sqrt(squares / (kept - 1) / kept);
    out.low = out.middle - half;
    out.high = out.middle + half;
    return out;
}

/* ---- medians ------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest k with P(Binomial(n, 1/2) < k) <= 2.5 %: the median lies between the k-th smallest
 * and the k-th largest with at least 95 %.  0: none. */
static int rank_of_median(int n)
{
    double below = 0;
    int k = 0;
    for (; k < n; k++) {
        below += exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) - n * log(2));
        if (below > 0.025)
            break;
    }
    return k;
}

pb_interval pb_stats_median(int n, const double *x)
{
    pb_interval out = {.middle = NAN, .low = NAN, .high = NAN, .n = n};
    if (n < 1)
        return out;
    double *sorted = pb_alloc((size_t)n * sizeof *sorted);
    memcpy(sorted, x, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    out.middle = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    int k = rank_of_median(n);
    if (k > 0) {
        out.low = sorted[k - 1];
        out.high = sorted[n - k];
    }
    free(sorted);
    return out;
}
