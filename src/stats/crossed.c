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

static void add_stats(const pb_crossed *c, int seed, double *sums)
{
    memset(sums, 0, (size_t)c->stats * sizeof *sums);
    for (int e = 0; e < c->examples; e++)
        for (int k = 0; k < c->stats; k++)
            sums[k] += stats_of(c, seed, e)[k];
}

/* Returns y [seeds, examples]: the pseudo-values of the jackknife, n V - (n-1) V without the example (Tukey 1958),
 * shifted so that their mean is the seed's value.  For a mean they are the scores. */
static double *jackknife(const pb_crossed *c)
{
    int n = c->examples;
    double *y = pb_alloc((size_t)(c->seeds * n) * sizeof *y), *sums = pb_alloc((size_t)c->stats * 2 * sizeof *sums);
    for (int s = 0; s < c->seeds; s++) {
        double mean = 0, *row = y + (size_t)s * (size_t)n, *without = sums + c->stats;
        add_stats(c, s, sums);
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

/* The mean squares of seeds, examples and the residual of a two-way table y [s,n]. */
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
static pb_variance_components components(int s, int n, const double square[3])
{
    pb_variance_components p = {
        .seed = (square[0] - square[2]) / n, .example = (square[1] - square[2]) / s, .rest = square[2]};
    if (s < 2)
        p = (pb_variance_components){.example = square[1]};
    p.error = sqrt(positive(s < 2 ? square[1] / n : (square[0] + square[1] - square[2]) / ((double)s * n)));
    return p;
}

/* The generalized pivotal quantity of the expectation of MS_seed in units of MS_seed, (s-1) / chi-square(s-1), at the
 * midpoints of POINTS intervals of equal probability.  Cached, as all intervals of a study have the same number of
 * seeds. */
enum { POINTS = 64 };

static const double *seed_factors(int s)
{
    static _Thread_local struct {
        int seeds;
        double factor[POINTS];
    } kept;
    for (int k = 0; k < POINTS && kept.seeds != s; k++)
        kept.factor[k] = (s - 1) / pb_chi2_quantile((k + 0.5) / POINTS, s - 1);
    kept.seeds = s;
    return kept.factor;
}

/* Returns half the width of the interval that covers 95 % of the mixture of normal distributions with these variances;
 * 0 if all are 0. */
static double half_of_mixture(const double variance[POINTS])
{
    double low = 0, high = 0;
    for (int k = 0; k < POINTS; k++)
        high = fmax(high, 10 * sqrt(variance[k]));
    for (int i = 0; i < 60 && high > 0; i++) {
        double half = (low + high) / 2, inside = 0;
        for (int k = 0; k < POINTS; k++)
            inside += variance[k] > 0 ? erf(half / sqrt(2 * variance[k])) / POINTS : 1.0 / POINTS;
        *(inside < 0.95 ? &low : &high) = half;
    }
    return (low + high) / 2;
}

/* Returns half the width of the interval.  With few seeds the expectation of MS_seed is uncertain: its generalized
 * pivotal quantity is MS_seed (s-1) / chi-square(s-1), and the interval covers 95 % over that distribution (a
 * generalized confidence interval, Weerahandi 1993).  The mean square of examples has enough degrees of freedom to
 * be used as it is if examples are many; if they are few its variance is multiplied by `wider`.  The variance of the
 * mean cannot be less than that of s n independent answers, MS_rest / (s n), though its estimate may be, even 0.  A
 * quarter of that bound, which is half of its width, is the minimum: this does not widen the other intervals too
 * much. */
static double half_width(int s, int n, const double square[3], double wider)
{
    double variance[POINTS];
    if (s < 2)
        return pb_t_quantile(0.975, n - 1) * sqrt(square[1] / n);
    const double *factor = seed_factors(s);
    for (int k = 0; k < POINTS; k++) {
        double sum = square[0] * factor[k] + wider * (square[1] - square[2]);
        variance[k] = fmax(sum, square[2] / 4) / ((double)s * n);
    }
    return half_of_mixture(variance);
}

/* ---- shares ------------------------------------------------------------------------------------------------------ */

/* Pseudo-examples, which are added where the variance components degenerate.  All seeds answer them in the same way:
 * for a row two are right and two are wrong (Agresti and Coull 1998); for a pair one is won, one is lost and two are
 * ties (Agresti and Min 2005). */
enum { PSEUDO = 4, ENOUGH_ANSWERS = 15 };
static const double of_row[PSEUDO] = {1, 1, 0, 0}, of_pair[PSEUDO] = {1, -1, 0, 0};

/* Whether all scores are 0 or 1. */
static bool is_share(const pb_crossed *c)
{
    bool share = !c->value && c->stats == 1;
    for (int i = 0; share && i < c->seeds * c->examples; i++)
        share = c->x[i] == 0 || c->x[i] == 1;
    return share;
}

/* Whether so few answers of a seed differ from the others (for a row: right or wrong ones; for a pair: won or lost
 * ones) that their variance is unreliable. */
static bool is_scarce(int s, int n, const double *y, const double *pseudo)
{
    int count[3] = {0};
    for (int i = 0; i < s * n; i++)
        count[(int)y[i] + 1]++;
    int rare = pseudo == of_pair ? count[0] + count[2] : count[1] < count[2] ? count[1] : count[2];
    return rare < ENOUGH_ANSWERS * s;
}

/* The table with the pseudo-examples after the others. */
static double *with_pseudo_examples(int s, int n, const double *y, const double *pseudo)
{
    double *z = pb_alloc((size_t)s * (size_t)(n + PSEUDO) * sizeof *z);
    for (int i = 0; i < s; i++) {
        memcpy(z + (size_t)i * (size_t)(n + PSEUDO), y + (size_t)i * (size_t)n, (size_t)n * sizeof *z);
        memcpy(z + (size_t)i * (size_t)(n + PSEUDO) + n, pseudo, PSEUDO * sizeof *z);
    }
    return z;
}

/* The factor of the variance of n examples that makes the interval as wide as Student's t interval. */
static double small_sample_factor(int n)
{
    double ratio = pb_t_quantile(0.975, n - 1) / pb_normal_quantile(0.975);
    return ratio * ratio;
}

/* The interval of y [s,n]; pseudo is NULL unless all scores are 0 or 1. */
static pb_interval interval(int s, int n, const double *y, const double *pseudo, pb_variance_components *parts)
{
    double middle, centre, square[3];
    mean_squares(s, n, y, &middle, square);
    pb_variance_components found = components(s, n, square);
    double half = n > 1 ? half_width(s, n, square, 1) : NAN;
    centre = middle;
    if (pseudo && is_scarce(s, n, y, pseudo)) {
        double *z = with_pseudo_examples(s, n, y, pseudo);
        mean_squares(s, n + PSEUDO, z, &centre, square);
        half = half_width(s, n + PSEUDO, square, small_sample_factor(n + PSEUDO));
        found.pseudo = pseudo == of_pair ? 2 : 1; /* sum of squares around their mean */
        free(z);
    }
    found.centre = centre;
    found.half = half = half > 0 ? half : NAN; /* values that are all equal give no estimate of the variance */
    if (parts)
        *parts = found;
    pb_interval out = {.middle = middle, .low = centre - half, .high = centre + half, .n = s};
    if (!pseudo || isnan(half))
        return out;
    double least = pseudo == of_pair ? -1 : 0;
    out.middle = fmin(fmax(middle, least), 1); /* a sum of rounded shares may be a bit more */
    out.low = fmax(fmin(out.low, out.middle), least);
    out.high = fmin(fmax(out.high, out.middle), 1);
    return out;
}

pb_interval pb_stats_row(const pb_crossed *c, pb_variance_components *parts)
{
    double *y = jackknife(c);
    pb_interval out = interval(c->seeds, c->examples, y, is_share(c) ? of_row : NULL, parts);
    free(y);
    return out;
}

pb_interval pb_stats_pair(const pb_crossed *a, const pb_crossed *b, pb_variance_components *parts)
{
    double *y = jackknife(a), *z = jackknife(b);
    for (int i = 0; i < a->seeds * a->examples; i++)
        y[i] -= z[i];
    pb_interval out = interval(a->seeds, a->examples, y, is_share(a) && is_share(b) ? of_pair : NULL, parts);
    free(y);
    free(z);
    return out;
}

double pb_stats_pair_p(const pb_crossed *a, const pb_crossed *b, int permutations, uint64_t seed)
{
    double *y = jackknife(a), *z = jackknife(b), *d = pb_alloc((size_t)(a->examples + 1) * sizeof *d);
    for (int s = 0; s < a->seeds; s++)
        for (int e = 0; e < a->examples; e++)
            d[e] += y[s * a->examples + e] - z[s * a->examples + e];
    double p = pb_stats_permutation(a->examples, d, permutations, seed);
    free(y);
    free(z);
    free(d);
    return p;
}

/* ---- the size of a study --------------------------------------------------------------------------------------- */

/* The interval excludes 0 in four of five studies. */
double pb_stats_detectable(const pb_variance_components *p)
{
    return p->half * (1 + pb_normal_quantile(0.8) / pb_normal_quantile(0.975));
}

/* Half the width of the interval at another size, if the estimated components are the true ones. */
static double planned(const pb_variance_components *p, int seeds, int examples)
{
    int n = examples + (p->pseudo > 0 ? PSEUDO : 0);
    double rest = positive(p->rest), example = positive(p->example) + p->pseudo / (n - 1);
    double square[] = {n * positive(p->seed) + rest, seeds * example + rest, rest};
    return half_width(seeds, n, square, p->pseudo > 0 ? small_sample_factor(n) : 1);
}

int pb_stats_seeds_wanted(const pb_variance_components *p, int seeds, int examples, double half)
{
    for (int s = seeds + 1; s <= 1000; s += 1 + s / 20)
        if (planned(p, s, examples) <= half)
            return s;
    return 0;
}

int pb_stats_examples_wanted(const pb_variance_components *p, int seeds, int examples, double half)
{
    for (int n = examples + examples / 10 + 1; n <= 10000000; n += n / 10 + 1)
        if (planned(p, seeds, n) <= half)
            return n;
    return 0;
}

/* ---- the bootstrap --------------------------------------------------------------------------------------------- */

/* Draws n of n with replacement; times[i] is how often i was drawn. */
static void draw_counts(pb_rng *r, int n, int *times)
{
    memset(times, 0, (size_t)n * sizeof *times);
    for (int i = 0; i < n; i++)
        times[pb_rng_below(r, (uint64_t)n)]++;
}

/* Rows with the same seeds, examples and number of statistics, of which samples are drawn together: x [seeds, examples,
 * n * stats] has the statistics of all rows on one example beside each other. */
typedef struct lines {
    const pb_crossed *row; /* [n] */
    int n;
    double *x, *sums; /* sums [n * stats]: of one sample and seed */
} lines;

static size_t width_of(const lines *l)
{
    return (size_t)l->n * (size_t)l->row->stats;
}

/* The caller frees x and sums. */
static lines lay_out(int n, const pb_crossed *row)
{
    lines l = {.row = row, .n = n};
    size_t width = width_of(&l), stats = (size_t)row->stats;
    l.x = pb_alloc((size_t)row->seeds * (size_t)row->examples * width * sizeof *l.x + 1);
    l.sums = pb_alloc(width * sizeof *l.sums + 1);
    for (int i = 0; i < n; i++) {
        PB_CHECK(row[i].seeds == row->seeds && row[i].examples == row->examples && row[i].stats == row->stats);
        for (int s = 0; s < row->seeds; s++)
            for (int e = 0; e < row->examples; e++)
                memcpy(l.x + ((size_t)s * (size_t)row->examples + (size_t)e) * width + (size_t)i * stats,
                       stats_of(&row[i], s, e), stats * sizeof *l.x);
    }
    return l;
}

/* Sets the sums over the drawn examples of a seed. */
static void sum_examples(const lines *l, int seed, const int *times)
{
    size_t width = width_of(l);
    const double *line = l->x + (size_t)seed * (size_t)l->row->examples * width;
    double *restrict sums = l->sums;
    memset(sums, 0, width * sizeof *sums);
    for (int e = 0; e < l->row->examples; e++, line += width) {
        double drawn = times[e];
        for (size_t k = 0; k < width && times[e]; k++)
            sums[k] += drawn * line[k];
    }
}

/* Sets the value of each row, mean [n], in a sample of seeds and examples. */
static void resample(const lines *l, const int *seed_times, const int *times, double *mean)
{
    memset(mean, 0, (size_t)l->n * sizeof *mean);
    for (int s = 0; s < l->row->seeds; s++) {
        if (!seed_times[s])
            continue;
        sum_examples(l, s, times);
        for (int i = 0; i < l->n; i++)
            mean[i] += seed_times[s] * value_of(&l->row[i], l->sums + i * l->row->stats, l->row->examples) /
                       l->row->seeds;
    }
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
    double *value = pb_alloc((size_t)(resamples + 1) * sizeof *value), mean[2] = {0};
    const pb_crossed both[2] = {*a, b ? *b : *a};
    lines l = lay_out(b ? 2 : 1, both);
    for (int i = 0; i < resamples; i++) {
        draw_counts(&r, a->seeds, seeds);
        draw_counts(&r, a->examples, times);
        resample(&l, seeds, times, mean);
        value[i] = mean[0] - mean[1];
    }
    qsort(value, (size_t)resamples, sizeof *value, by_value);
    pb_interval out = b ? pb_stats_pair(a, b, NULL) : pb_stats_row(a, NULL);
    out.low = value[(int)(0.025 * resamples)];
    out.high = value[(int)(0.975 * resamples)];
    free(seeds);
    free(times);
    free(value);
    free(l.x);
    free(l.sums);
    return out;
}

/* ---- the Pareto front of resamples ------------------------------------------------------------------------------ */

/* The mean over the drawn seeds of the values that are not NaN; NaN if there are none. */
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

/* A share over the drawn examples and the pseudo-examples, which follow them in `times`; coin has the answers to the
 * latter. */
static double with_coins(double share, int examples, const int *times, const double *coin)
{
    double right = share * examples;
    for (int k = 0; k < PSEUDO; k++)
        right += times[examples + k] * coin[k];
    return right / (examples + PSEUDO);
}

enum { MOST_PROCESSES = 128 };

/* The geometric mean of the processes that `drawn` selects, each a number from 0 to 1; NULL: of all. */
static double time_of(const pb_pareto_time *t, const double *drawn)
{
    double sum = 0;
    for (int k = 0; k < t->n; k++)
        sum += log(t->x[drawn ? (int)(drawn[k % MOST_PROCESSES] * t->n) : k]);
    return exp(sum / t->n);
}

/* Replaces the times of the points by those of processes, drawn ones if there is `r`. */
static void place_times(const pb_pareto_points *c, pb_rng *r, double *point)
{
    double drawn[MOST_PROCESSES];
    for (int i = 0; c->ties && i < c->n; i++) {
        for (int k = 0; r && k < MOST_PROCESSES; k++)
            drawn[k] = pb_rng_uniform(r);
        for (int j = 0; j < c->axes; j++) {
            const pb_pareto_time *t = &c->ties->time[i * c->axes + j];
            if (t->n)
                point[i * c->axes + j] = time_of(t, r ? drawn : NULL);
        }
    }
}

/* The points [n, axes] of one sample, without scores and times of processes.  Where no drawn seed has a value of an
 * axis, that of `known` is used. */
static void place_points(const pb_pareto_points *c, const int *seed_times, const double *known, double *point)
{
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->axes; j++) {
            int at = i * c->axes + j;
            if (j == c->scored)
                continue;
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

/* Whether the scores of all points are 0 or 1. */
static bool are_shares(const pb_pareto_points *c)
{
    bool all = c->scored >= 0;
    for (int i = 0; i < c->n && all; i++)
        all = is_share(&c->score[i]);
    return all;
}

/* A sample of the points. */
typedef struct sample {
    const pb_pareto_points *points;
    lines scores;       /* of the points, if there is an axis of scores */
    int *seeds, *times; /* how often each is drawn; `times` [pool] of examples, and of pseudo-examples behind them */
    int pool;
    double *coin, *mean; /* coin [n, PSEUDO]: answers to the pseudo-examples, or NULL; mean [n]: of the scores */
} sample;

/* Begins with every seed and every example once. */
static sample begin_sample(const pb_pareto_points *c)
{
    bool pseudo = are_shares(c);
    sample s = {.points = c, .pool = (c->scored < 0 ? 0 : c->score->examples) + (pseudo ? PSEUDO : 0)};
    s.seeds = ones(c->seeds);
    s.times = ones(s.pool);
    s.mean = pb_alloc((size_t)c->n * sizeof *s.mean);
    s.coin = pseudo ? pb_alloc((size_t)c->n * PSEUDO * sizeof *s.coin) : NULL;
    if (c->scored >= 0)
        s.scores = lay_out(c->n, c->score);
    return s;
}

static void end_sample(const sample *s)
{
    free(s->seeds);
    free(s->times);
    free(s->mean);
    free(s->coin);
    free(s->scores.x);
    free(s->scores.sums);
}

static void draw_sample(const sample *s, pb_rng *r)
{
    draw_counts(r, s->points->seeds, s->seeds);
    draw_counts(r, s->pool, s->times);
    for (int i = 0; s->coin && i < s->points->n * PSEUDO; i++)
        s->coin[i] = (double)pb_rng_below(r, 2);
}

/* Sets the points [n, axes].  If the sample is drawn, `r` draws the processes of times, and `known` has the points of
 * all; else both are NULL. */
static void place_sample(const sample *s, pb_rng *r, const double *known, double *point)
{
    const pb_pareto_points *c = s->points;
    place_points(c, s->seeds, known, point);
    if (c->scored >= 0)
        resample(&s->scores, s->seeds, s->times, s->mean);
    for (int i = 0; i < c->n && c->scored >= 0; i++)
        point[i * c->axes + c->scored] =
            s->coin && r ? with_coins(s->mean[i], c->score->examples, s->times, s->coin + (size_t)i * PSEUDO)
                         : s->mean[i];
    place_times(c, r, point);
}

void pb_stats_pareto_bootstrap(const pb_pareto_points *c, int resamples, uint64_t seed, double *point, bool *on_front,
                               double *share)
{
    double *moved = pb_alloc((size_t)c->n * (size_t)c->axes * sizeof *moved);
    bool *stays = pb_alloc((size_t)c->n * sizeof *stays);
    pb_rng r = pb_rng_named(seed, "bootstrap");
    pb_pareto_ties ties = c->ties ? *c->ties : (pb_pareto_ties){.timed = NULL};
    ties.sampled = true;
    sample s = begin_sample(c);
    place_sample(&s, NULL, NULL, point);
    pb_stats_pareto(c->n, c->axes, point, c->rising, c->ties, on_front);
    memset(share, 0, (size_t)c->n * sizeof *share);
    for (int k = 0; k < resamples; k++) {
        draw_sample(&s, &r);
        place_sample(&s, &r, point, moved);
        pb_stats_pareto(c->n, c->axes, moved, c->rising, c->ties ? &ties : NULL, stays);
        for (int i = 0; i < c->n; i++)
            share[i] += stays[i] ? 1.0 / resamples : 0;
    }
    end_sample(&s);
    free(moved);
    free(stays);
}
