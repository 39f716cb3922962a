/* stats: see stats.h. */
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats/special.h"

/* ---- means -------------------------------------------------------------------------------------------- */

/* Returns the mean of the values that are not NaN; sets their number and the variance of the mean, which is NaN for
 * fewer than two. */
static double mean_of(int n, const double *x, int *kept, double *variance)
{
    double sum = 0, squares = 0;
    *kept = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(x[i])) {
            sum += x[i];
            ++*kept;
        }
    double mean = *kept ? sum / *kept : NAN;
    for (int i = 0; i < n; i++)
        squares += isnan(x[i]) ? 0 : (x[i] - mean) * (x[i] - mean);
    *variance = *kept < 2 ? NAN : squares / (*kept - 1) / *kept;
    return mean;
}

bool pb_contains_zero(pb_interval v)
{
    return v.low <= 0 && v.high >= 0; /* NaN: not known */
}

pb_interval pb_stats_mean(int n, const double *x)
{
    int kept;
    double variance, mean = mean_of(n, x, &kept, &variance);
    double half = kept < 2 ? NAN : pb_t_quantile(0.975, kept - 1) * sqrt(variance);
    return (pb_interval){.middle = mean, .low = mean - half, .high = mean + half, .n = kept};
}

static double *logarithms(int n, const double *x)
{
    double *y = pb_alloc((size_t)(n + 1) * sizeof *y);
    for (int i = 0; i < n; i++)
        y[i] = log(x[i]);
    return y;
}

pb_interval pb_stats_mean_of(int n, const pb_interval *x)
{
    double sum = 0, below = 0, above = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i].middle;
        below += (x[i].middle - x[i].low) * (x[i].middle - x[i].low);
        above += (x[i].high - x[i].middle) * (x[i].high - x[i].middle);
    }
    if (!n)
        return (pb_interval){NAN, NAN, NAN, 0};
    return (pb_interval){sum / n, (sum - sqrt(below)) / n, (sum + sqrt(above)) / n, n};
}

pb_interval pb_stats_geometric(int n, const double *x)
{
    double *y = logarithms(n, x);
    pb_interval v = pb_stats_mean(n, y);
    free(y);
    return (pb_interval){exp(v.middle), exp(v.low), exp(v.high), v.n};
}

pb_interval pb_stats_quotient(int n, const double *a, int m, const double *b, double *p)
{
    *p = NAN;
    double *x = logarithms(n, a), *y = logarithms(m, b), v, w;
    int i, k;
    double difference = mean_of(n, x, &i, &v) - mean_of(m, y, &k, &w), error = sqrt(v + w);
    free(x);
    free(y);
    if (i < 2 || k < 2)
        return (pb_interval){NAN, NAN, NAN, i < k ? i : k};
    double freedom = error > 0 ? (v + w) * (v + w) / (v * v / (i - 1.0) + w * w / (k - 1.0)) : 1;
    double half = error > 0 ? pb_t_quantile(0.975, freedom) * error : 0;
    *p = error > 0 ? 2 * pb_t_cdf(-fabs(difference) / error, freedom) : difference == 0;
    return (pb_interval){exp(difference), exp(difference - half), exp(difference + half), i < k ? i : k};
}

/* ---- medians ------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns the largest k with P(Binomial(n, 1/2) < k) <= 2.5 %, or 0: with a probability of at least 95 % the median
 * lies between the k-th smallest and the k-th largest value. */
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

/* E = sum_i C(i-1, b-1) / C(n, b) x_(i), where C(i-1, b-1) subsets of size b have the i-th smallest as their best. */
double pb_stats_expected_best(int n, const double *score, int budget)
{
    double *x = pb_alloc((size_t)n * sizeof *x), sum = 0;
    double share = (double)budget / n; /* of the largest: C(n-1,b-1) / C(n,b) */
    memcpy(x, score, (size_t)n * sizeof *x);
    qsort(x, (size_t)n, sizeof *x, by_value);
    for (int i = n; i >= budget; i--) {
        sum += share * x[i - 1];
        share *= i > budget ? (double)(i - budget) / (i - 1) : 0;
    }
    free(x);
    return sum;
}
