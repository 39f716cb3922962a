/* crossed: scores of every seed on every example. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "stats/special.h"
#include "stats/stats.h"

/* ---- values and linear parts -------------------------------------------------------------------------------- */

static const double *stats_of(const pb_crossed *c, int seed, int example)
{
    return c->x + ((size_t)seed * (size_t)c->examples + (size_t)example) * (size_t)c->stats;
}

static double value_of(const pb_crossed *c, const double *sums, double count)
{
    return c->value ? c->value(sums, count, c->ctx) : sums[0] / count;
}

static void add_up(const pb_crossed *c, int seed, double *sums)
{
    memset(sums, 0, (size_t)c->stats * sizeof *sums);
    for (int e = 0; e < c->examples; e++)
        for (int k = 0; k < c->stats; k++)
            sums[k] += stats_of(c, seed, e)[k];
}

/* y [seeds, examples]: pseudo-values of the jackknife, n V - (n-1) V without the example (Tukey 1958), moved so that
 * their mean is the seed's value; of a mean, the scores themselves. */
static double *linear(const pb_crossed *c)
{
    int n = c->examples;
    double *y = pb_alloc((size_t)(c->seeds * n) * sizeof *y), *sums = pb_alloc((size_t)c->stats * 2 * sizeof *sums);
    for (int s = 0; s < c->seeds; s++) {
        double mean = 0, *row = y + (size_t)s * (size_t)n, *without = sums + c->stats;
        add_up(c, s, sums);
        double whole = value_of(c, sums, n);
        for (int e = 0; e < n; e++) {
            for (int k = 0; k < c->stats; k++)
                without[k] = sums[k] - stats_of(c, s, e)[k];
            row[e] = !c->value || n < 2 ? stats_of(c, s, e)[0] : n * whole - (n - 1) * value_of(c, without, n - 1);
            mean += row[e] / n;
        }
        for (int e = 0; e < n && c->value; e++)
            row[e] += whole - mean;
    }
    free(sums);
    return y;
}

/* ---- components of variance --------------------------------------------------------------------------------- */

/* Sums of squares of a two-way table y [s,n] around row, column and overall means. */
static void mean_squares(int s, int n, const double *y, double *overall, double square[3])
{
    double *row = pb_alloc((size_t)s * sizeof *row), *column = pb_alloc((size_t)n * sizeof *column), all = 0;
    for (int i = 0; i < s; i++)
        for (int e = 0; e < n; e++) {
            double v = y[(size_t)i * (size_t)n + (size_t)e];
            row[i] += v / n;
            column[e] += v / s;
            all += v / s / n;
        }
    double seeds = 0, examples = 0, rest = 0;
    for (int i = 0; i < s; i++)
        seeds += n * (row[i] - all) * (row[i] - all);
    for (int e = 0; e < n; e++)
        examples += s * (column[e] - all) * (column[e] - all);
    for (int i = 0; i < s; i++)
        for (int e = 0; e < n; e++) {
            double r = y[(size_t)i * (size_t)n + (size_t)e] - row[i] - column[e] + all;
            rest += r * r;
        }
    square[0] = s > 1 ? seeds / (s - 1) : 0;
    square[1] = n > 1 ? examples / (n - 1) : 0;
    square[2] = s > 1 && n > 1 ? rest / (s - 1) / (n - 1) : 0;
    *overall = all;
    free(row);
    free(column);
}

static double positive(double x)
{
    return x > 0 ? x : 0;
}

/* Var(mean) = (MS_seed + MS_example - MS_rest) / (s n) */
static pb_components components(int s, int n, const double square[3])
{
    pb_components p = {.seed = (square[0] - square[2]) / n, .example = (square[1] - square[2]) / s, .rest = square[2]};
    if (s < 2)
        p = (pb_components){.example = square[1]};
    p.error = sqrt(positive(s < 2 ? square[1] / n : (square[0] + square[1] - square[2]) / ((double)s * n)));
    return p;
}

/* Half the width of the interval.  Few seeds say little about how much seeds vary: MS_seed (s-1) / chi-square(s-1) is
 * where its expectation may be, and the interval is one that holds 95 % over all that it may be (a generalised
 * confidence interval, Weerahandi 1993).  The other mean squares have freedom enough to be taken as they are. */
static double half_width(int s, int n, const double square[3])
{
    enum { PLACES = 64 };
    double variance[PLACES], low = 0, high = 0;
    if (s < 2)
        return pb_t_quantile(0.975, n - 1) * sqrt(square[1] / n);
    for (int k = 0; k < PLACES; k++) {
        double seed = square[0] * (s - 1) / pb_chi2_quantile((k + 0.5) / PLACES, s - 1);
        variance[k] = positive(seed + square[1] - square[2]) / ((double)s * n);
        high = fmax(high, 10 * sqrt(variance[k]));
    }
    for (int i = 0; i < 60 && high > 0; i++) {
        double half = (low + high) / 2, inside = 0;
        for (int k = 0; k < PLACES; k++)
            inside += variance[k] > 0 ? erf(half / sqrt(2 * variance[k])) / PLACES : 1.0 / PLACES;
        *(inside < 0.95 ? &low : &high) = half;
    }
    return (low + high) / 2;
}

static pb_interval interval(int s, int n, const double *y, pb_components *parts)
{
    double middle, square[3];
    mean_squares(s, n, y, &middle, square);
    double half = n > 1 ? half_width(s, n, square) : NAN;
    if (parts)
        *parts = components(s, n, square);
    if (parts)
        parts->half = half;
    return (pb_interval){.middle = middle, .low = middle - half, .high = middle + half, .n = s};
}

pb_interval pb_stats_row(const pb_crossed *c, pb_components *parts)
{
    double *y = linear(c);
    pb_interval out = interval(c->seeds, c->examples, y, parts);
    free(y);
    return out;
}

pb_interval pb_stats_pair(const pb_crossed *a, const pb_crossed *b, pb_components *parts)
{
    double *y = linear(a), *z = linear(b);
    for (int i = 0; i < a->seeds * a->examples; i++)
        y[i] -= z[i];
    pb_interval out = interval(a->seeds, a->examples, y, parts);
    free(y);
    free(z);
    return out;
}

double pb_stats_pair_p(const pb_crossed *a, const pb_crossed *b, int turns, uint64_t seed)
{
    double *y = linear(a), *z = linear(b), *d = pb_alloc((size_t)(a->examples + 1) * sizeof *d);
    for (int s = 0; s < a->seeds; s++)
        for (int e = 0; e < a->examples; e++)
            d[e] += y[s * a->examples + e] - z[s * a->examples + e];
    double p = pb_stats_permutation(a->examples, d, turns, seed);
    free(y);
    free(z);
    free(d);
    return p;
}

/* ---- how large a study ---------------------------------------------------------------------------------------- */

/* The interval must clear 0 in four of five studies. */
double pb_stats_detectable(const pb_components *p)
{
    return p->half * (1 + pb_normal_quantile(0.8) / pb_normal_quantile(0.975));
}

/* What the half width would be at another size, if the components are what they seem. */
static double planned(const pb_components *p, int seeds, int examples)
{
    double rest = positive(p->rest),
           square[] = {examples * positive(p->seed) + rest, seeds * positive(p->example) + rest, rest};
    return half_width(seeds, examples, square);
}

int pb_stats_seeds_wanted(const pb_components *p, int seeds, int examples, double half)
{
    for (int s = seeds + 1; s <= 1000; s += 1 + s / 20)
        if (planned(p, s, examples) <= half)
            return s;
    return 0;
}

int pb_stats_examples_wanted(const pb_components *p, int seeds, int examples, double half)
{
    for (int n = examples + examples / 10 + 1; n <= 10000000; n += n / 10 + 1)
        if (planned(p, seeds, n) <= half)
            return n;
    return 0;
}

/* ---- the bootstrap --------------------------------------------------------------------------------------------- */

/* How often each of n was drawn. */
static void draw(pb_rng *r, int n, int *times)
{
    memset(times, 0, (size_t)n * sizeof *times);
    for (int i = 0; i < n; i++)
        times[pb_rng_below(r, (uint64_t)n)]++;
}

static double resampled(const pb_crossed *c, const int *seed_times, const int *times, double *sums)
{
    double mean = 0;
    for (int s = 0; s < c->seeds; s++) {
        if (!seed_times[s])
            continue;
        memset(sums, 0, (size_t)c->stats * sizeof *sums);
        for (int e = 0; e < c->examples; e++)
            for (int k = 0; k < c->stats && times[e]; k++)
                sums[k] += times[e] * stats_of(c, s, e)[k];
        mean += seed_times[s] * value_of(c, sums, c->examples) / c->seeds;
    }
    return mean;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

pb_interval pb_stats_bootstrap(const pb_crossed *a, const pb_crossed *b, int resamples, uint64_t seed)
{
    pb_rng r = pb_rng_named(seed, "bootstrap");
    int *seeds = pb_alloc((size_t)a->seeds * sizeof *seeds), *times = pb_alloc((size_t)a->examples * sizeof *times);
    double *value = pb_alloc((size_t)(resamples + 1) * sizeof *value),
           *sums = pb_alloc((size_t)a->stats * sizeof *sums);
    for (int i = 0; i < resamples; i++) {
        draw(&r, a->seeds, seeds);
        draw(&r, a->examples, times);
        value[i] = resampled(a, seeds, times, sums) - (b ? resampled(b, seeds, times, sums) : 0);
    }
    qsort(value, (size_t)resamples, sizeof *value, by_value);
    pb_interval out = b ? pb_stats_pair(a, b, NULL) : pb_stats_row(a, NULL);
    out.low = value[(int)(0.025 * resamples)];
    out.high = value[(int)(0.975 * resamples)];
    free(seeds);
    free(times);
    free(value);
    free(sums);
    return out;
}

/* ---- a front, drawn again --------------------------------------------------------------------------------------- */

/* Mean over the drawn seeds of what is known, NaN if that is nothing. */
static double drawn_mean(int seeds, const double *value, const int *seed_times)
{
    double sum = 0;
    int n = 0;
    for (int s = 0; s < seeds; s++)
        if (!isnan(value[s])) {
            sum += seed_times[s] * value[s];
            n += seed_times[s];
        }
    return n ? sum / n : NAN;
}

/* One sample's points [n, axes]; what only a few seeds have (times, of one) holds where none of them was drawn. */
static void place(const pb_cloud *c, const int *seed_times, const int *times, const double *known, double *sums,
                  double *point)
{
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->axes; j++) {
            int at = i * c->axes + j;
            if (j == c->scored) {
                point[at] = resampled(&c->score[i], seed_times, times, sums);
                continue;
            }
            double x = drawn_mean(c->seeds, c->value + (size_t)at * (size_t)c->seeds, seed_times);
            point[at] = isnan(x) && known ? known[at] : x;
        }
}

static int *ones(int n)
{
    int *times = pb_alloc((size_t)(n + 1) * sizeof *times);
    for (int i = 0; i < n; i++)
        times[i] = 1;
    return times;
}

void pb_stats_front(const pb_cloud *c, int resamples, uint64_t seed, double *point, bool *front, double *share)
{
    int examples = c->scored < 0 ? 0 : c->score[0].examples, *seeds = ones(c->seeds), *times = ones(examples);
    double *moved = pb_alloc((size_t)c->n * (size_t)c->axes * sizeof *moved),
           *sums = pb_alloc((c->scored < 0 ? 1 : (size_t)c->score[0].stats) * sizeof *sums);
    bool *stays = pb_alloc((size_t)c->n * sizeof *stays);
    pb_rng r = pb_rng_named(seed, "bootstrap");
    place(c, seeds, times, NULL, sums, point);
    pb_stats_pareto(c->n, c->axes, point, c->rising, front);
    memset(share, 0, (size_t)c->n * sizeof *share);
    for (int k = 0; k < resamples; k++) {
        draw(&r, c->seeds, seeds);
        draw(&r, examples, times);
        place(c, seeds, times, point, sums, moved);
        pb_stats_pareto(c->n, c->axes, moved, c->rising, stays);
        for (int i = 0; i < c->n; i++)
            share[i] += stays[i] ? 1.0 / resamples : 0;
    }
    free(seeds);
    free(times);
    free(moved);
    free(sums);
    free(stays);
}
