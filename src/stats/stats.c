/* stats: see stats.h. */
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats/special.h"

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
    double half = pb_t_quantile(0.975, kept - 1) * sqrt(squares / (kept - 1) / kept);
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

/* E = sum_i C(i-1, b-1) / C(n, b) x_(i): of all subsets of b, those whose best is the i-th smallest. */
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
