/* tests: hypothesis tests of two and of many methods, and the Pareto front. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "stats/special.h"
#include "stats/stats.h"

double pb_stats_superiority(int n, const double *a, int m, const double *b)
{
    double wins = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < m; k++)
            wins += a[i] > b[k] ? 1 : a[i] == b[k] ? 0.5 : 0;
    return n && m ? wins / n / m : NAN;
}

double pb_stats_mcnemar(int only_a, int only_b)
{
    int n = only_a + only_b, less = only_a < only_b ? only_a : only_b;
    return fmin(1, 2 * pb_binomial_cdf(less, n, 0.5));
}

/* ---- flipping signs ---------------------------------------------------------------------------------------- */

/* Whether a sum is at least as extreme as the observed one, up to rounding. */
static bool as_extreme(double sum, double seen)
{
    return fabs(sum) >= fabs(seen) * (1 - 1e-12);
}

static double all_flips(int n, const double *d, double seen)
{
    long far = 0;
    for (long turn = 0; turn < 1L << n; turn++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += turn >> i & 1 ? -d[i] : d[i];
        far += as_extreme(sum, seen);
    }
    return (double)far / (double)(1L << n);
}

static double random_flips(int n, const double *d, double seen, int permutations, uint64_t seed)
{
    pb_rng r = pb_rng_named(seed, "permutation");
    int far = 0;
    for (int t = 0; t < permutations; t++) {
        double sum = 0;
        uint64_t bits = 0;
        for (int i = 0; i < n; i++, bits >>= 1) {
            bits = i % 64 ? bits : pb_rng_next(&r);
            sum += bits & 1 ? -d[i] : d[i];
        }
        far += as_extreme(sum, seen);
    }
    return (far + 1.0) / (permutations + 1.0);
}

double pb_stats_permutation(int n, const double *d, int permutations, uint64_t seed)
{
    double *other = pb_alloc((size_t)(n + 1) * sizeof *other), seen = 0;
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (d[i] != 0) {
            other[kept++] = d[i];
            seen += d[i];
        }
    double p = kept <= 16 ? all_flips(kept, other, seen) : random_flips(kept, other, seen, permutations, seed);
    free(other);
    return p;
}

/* ---- several tests ---------------------------------------------------------------------------------------------- */

typedef struct ranked {
    double p;
    int at;
} ranked;

static int by_p(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->p != y->p ? (x->p > y->p) - (x->p < y->p) : x->at - y->at;
}

void pb_stats_holm(int n, double *p)
{
    ranked *order = pb_alloc((size_t)(n + 1) * sizeof *order);
    for (int i = 0; i < n; i++)
        order[i] = (ranked){p[i], i};
    qsort(order, (size_t)n, sizeof *order, by_p);
    double most = 0;
    for (int i = 0; i < n; i++) {
        most = fmax(most, fmin(1, (n - i) * order[i].p));
        p[order[i].at] = most;
    }
    free(order);
}

/* Writes the ranks of one data set's scores, with mean ranks for ties.  Returns the sum of t^3 - t over groups of t
 * ties. */
static double rank_scores(int k, const double *score, double *rank)
{
    double ties = 0;
    for (int i = 0; i < k; i++) {
        int better = 0, equal = 0;
        for (int j = 0; j < k; j++) {
            better += score[j] > score[i];
            equal += score[j] == score[i];
        }
        rank[i] = better + (equal + 1) / 2.0;
        ties += (double)equal * equal - 1; /* each of t gives t^2 - 1 */
    }
    return ties;
}

pb_friedman pb_stats_friedman(int n, int k, const double *score, double *rank)
{
    double *one = pb_alloc((size_t)k * sizeof *one), ties = 0, squares = 0;
    memset(rank, 0, (size_t)k * sizeof *rank);
    for (int i = 0; i < n; i++) {
        ties += rank_scores(k, score + (size_t)i * (size_t)k, one);
        for (int j = 0; j < k; j++)
            rank[j] += one[j] / n;
    }
    free(one);
    for (int j = 0; j < k; j++)
        squares += (rank[j] - (k + 1) / 2.0) * (rank[j] - (k + 1) / 2.0);
    double untied = 1 - ties / (n * ((double)k * k * k - k));
    pb_friedman f = {.chi2 = untied > 1e-12 ? 12.0 * n * squares / (k * (k + 1.0)) / untied : 0};
    f.chi2_p = pb_chi2_sf(f.chi2, k - 1);
    double rest = n * (k - 1.0) - f.chi2;
    bool one_order = rest <= 1e-9 * n * k;
    f.f = one_order ? INFINITY : (n - 1) * f.chi2 / rest;
    f.f_p = one_order ? NAN : pb_f_sf(f.f, k - 1, (k - 1.0) * (n - 1));
    f.critical = pb_range_quantile(0.95, k) / sqrt(2) * sqrt(k * (k + 1.0) / (6.0 * n));
    return f;
}

/* The sum of the squared rank sums, which Friedman's chi-square of permuted ranks increases with. */
static double spread_of(int n, int k, const double *ranks)
{
    double squares = 0;
    for (int j = 0; j < k; j++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += ranks[i * k + j];
        squares += sum * sum;
    }
    return squares;
}

double pb_stats_friedman_p(int n, int k, const double *score, int permutations, uint64_t seed)
{
    double *ranks = pb_alloc((size_t)(n * k) * sizeof *ranks);
    pb_rng r = pb_rng_named(seed, "friedman");
    int far = 0;
    for (int i = 0; i < n; i++)
        rank_scores(k, score + (size_t)i * (size_t)k, ranks + (size_t)i * (size_t)k);
    double seen = spread_of(n, k, ranks) * (1 - 1e-12);
    for (int t = 0; t < permutations; t++) {
        for (int i = 0; i < n; i++)
            for (int j = k - 1; j > 0; j--) {
                int other = (int)pb_rng_below(&r, (uint64_t)j + 1);
                double kept = ranks[i * k + j];
                ranks[i * k + j] = ranks[i * k + other];
                ranks[i * k + other] = kept;
            }
        far += spread_of(n, k, ranks) >= seen;
    }
    free(ranks);
    return (far + 1.0) / (permutations + 1.0);
}

int pb_stats_friedman_least(int k)
{
    int n = 1;
    for (double p = 1; p > 0.05 || n < 3; n++)
        p /= tgamma(k + 1.0);
    return n;
}
