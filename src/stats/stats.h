/* stats: 95 % intervals, hypothesis tests, and rankings. */
#ifndef PB_STATS_H
#define PB_STATS_H

#include "base/base.h"

/* A point estimate and its 95 % interval. */
typedef struct pb_interval {
    double middle, low, high; /* NaN where n is too small */
    int n;                    /* number of values         */
} pb_interval;

/* Returns whether an interval that is known contains 0, so that it does not tell a difference from none. */
bool pb_contains_zero(pb_interval v);

/* The mean and Student's t interval of the values that are not NaN; low and high are NaN for n < 2. */
pb_interval pb_stats_mean(int n, const double *x);

/* The mean of n independent estimates with their intervals, which may be asymmetric: its interval recovers the
 * variances from theirs (MOVER: Zou and Donner 2008).  NaN where one of them is NaN, and for n = 0. */
pb_interval pb_stats_mean_of(int n, const pb_interval *x);

/* The geometric mean of positive values, and the t interval of their logarithms; low and high are NaN for n < 2. */
pb_interval pb_stats_geometric(int n, const double *x);

/* The geometric mean of a [n] divided by that of b [m], the interval by Welch's t test of the logarithms, and in *p the
 * two-sided p of the hypothesis that the ratio is 1.  All are NaN if a or b has fewer than two values. */
pb_interval pb_stats_quotient(int n, const double *a, int m, const double *b, double *p);

/* The median and its distribution-free interval by order statistics: the narrowest symmetric pair of ranks that covers
 * at least 95 %.  low and high are NaN for n < 6. */
pb_interval pb_stats_median(int n, const double *x);

/* ---- scores by seed and example ------------------------------------------------------------------------- */

/* A crossed design: every seed has answered the same examples, and both are samples of a population.  x [seeds,
 * examples, stats] is what each example contributes to the metric of each seed, which is `value` of the sums over the
 * `count` examples.  If `value` is NULL the metric is the mean, and stats is 1. */
typedef struct pb_crossed {
    int seeds, examples, stats;
    const double *x;
    double (*value)(const double *sums, double count, const void *ctx);
    const void *ctx;
} pb_crossed;

/* Variance components of a two-way analysis of variance without replication: of seeds, of examples, and of the
 * residual. Estimates may be negative. */
typedef struct pb_variance_components {
    double seed, example, rest;
    double error;  /* estimated standard deviation of the mean                                    */
    double half;   /* half the width of its 95 % interval; NaN: unknown                           */
    double centre; /* of that interval, before it is cut to values that are possible              */
    double pseudo; /* what pseudo-examples add to the examples' sum of squares; 0: there are none */
} pb_variance_components;

/* The mean over the seeds and its 95 % interval for other seeds and other examples: a generalized confidence interval
 * of the variance components (Weerahandi 1993), which with few seeds is as wide as Student's t interval; with one seed
 * it is the t interval over the examples.  A metric that is not a mean is made linear by the jackknife over examples.
 * If all scores are 0 or 1 the interval lies in 0..1 and is never empty, even if all answers are right (see
 * docs/statistics.md); for other scores low and high are NaN if all scores are equal.  parts may be NULL. */
pb_interval pb_stats_row(const pb_crossed *c, pb_variance_components *parts);

/* The same for a - b, paired by example and seed.  a and b have equal sizes and the same `value`.  If all scores are 0
 * or 1 the interval lies in -1..1. */
pb_interval pb_stats_pair(const pb_crossed *a, const pb_crossed *b, pb_variance_components *parts);

/* The percentile interval of the hierarchical bootstrap of a - b, or of a if b is NULL: seeds are resampled, and the
 * same resampled examples serve all of them (the pigeonhole bootstrap: Owen 2007).  With few seeds it is too narrow;
 * see docs/statistics.md. */
pb_interval pb_stats_bootstrap(const pb_crossed *a, const pb_crossed *b, int resamples, uint64_t seed);

/* The two-sided p of pb_stats_permutation() over the examples' differences a - b, averaged over the seeds; for a metric
 * that is not a mean, over its jackknife pseudo-values.  It holds for these trained models, not for other seeds. */
double pb_stats_pair_p(const pb_crossed *a, const pb_crossed *b, int permutations, uint64_t seed);

/* The smallest difference that a study of this size detects with a power of 80 % at the two-sided 5 % level. */
double pb_stats_detectable(const pb_variance_components *parts);

/* The number of seeds with these examples, or of examples with these seeds, at which half the width of the interval
 * is at most `half`.  Returns 0 if there is none. */
int pb_stats_seeds_wanted(const pb_variance_components *parts, int seeds, int examples, double half);
int pb_stats_examples_wanted(const pb_variance_components *parts, int seeds, int examples, double half);

/* The probability of superiority P(a > b) + P(a = b) / 2 over all pairs of values; a [n], b [m].  NaN if one is
 * empty. */
double pb_stats_superiority(int n, const double *a, int m, const double *b);

/* ---- tests ------------------------------------------------------------------------------------------------ */

/* The two-sided p of the exact McNemar test, where only_a and only_b examples were answered correctly by one model
 * only. */
double pb_stats_mcnemar(int only_a, int only_b);

/* The two-sided p of the sign-flip permutation test of a zero mean of d [n]: over all 2^m sign patterns if at most m
 * = 16 values are not 0, else over `permutations` random ones and the observed one (Phipson and Smyth 2010). */
double pb_stats_permutation(int n, const double *d, int permutations, uint64_t seed);

/* Replaces p [n] by p values adjusted by Holm's step-down procedure. */
void pb_stats_holm(int n, double *p);

/* ---- tuning ----------------------------------------------------------------------------------------------- */

/* The expected best score of `budget` trials: the mean of the maximum over all subsets of that size of the n scores
 * (Dodge et al. 2019, arXiv:1909.03004; without replacement, which is unbiased: Tang et al. 2020, arXiv:2004.13705).
 * 1 <= budget <= n. */
double pb_stats_expected_best(int n, const double *score, int budget);

/* ---- many methods --------------------------------------------------------------------------------------- */

/* The Friedman test of k methods on n data sets, with the F statistic of Iman and Davenport and Nemenyi's critical
 * difference of mean ranks at 5 %.  If all data sets have the same order without ties, f is infinite and f_p is
 * NaN.  If all scores of each data set are equal, chi2 and f are 0 and their p values 1. */
typedef struct pb_friedman {
    double chi2, chi2_p, f, f_p, critical;
} pb_friedman;

/* score [n,k], higher is better.  Writes the mean ranks [k], where 1 is best. */
pb_friedman pb_stats_friedman(int n, int k, const double *score, double *rank);

/* The p of Friedman's chi-square by `permutations` random permutations of the ranks within each data set (Phipson and
 * Smyth 2010).  It is valid for any number of data sets; chi2_p and f_p need many. */
double pb_stats_friedman_p(int n, int k, const double *score, int permutations, uint64_t seed);

/* The smallest number of data sets on which Friedman's test can find a difference of k >= 2 methods at 5 %: at least 3,
 * and enough that the probability of one common order by chance, k!^(1-n), is at most 5 %. */
int pb_stats_friedman_least(int k);

/* A time of a point: what each of n processes measured, with the 95 % interval of their mean.  Without processes n is
 * 0, and without an interval its ends are NaN. */
typedef struct pb_pareto_time {
    double *x;
    int n;
    double low, high;
} pb_pareto_time;

/* Which axes are times, and what decides on them: two points are tied on such an axis if their values differ by no more
 * than the share `margin` of the smaller one or, unless `time` is NULL, if one has no interval or, unless the points
 * are those of a bootstrap sample, their intervals overlap. */
typedef struct pb_pareto_ties {
    const bool *timed;          /* [axes] */
    const pb_pareto_time *time; /* [n, axes] */
    double margin;
    bool sampled;
} pb_pareto_ties;

/* Sets on_front[i] if point i of n points [n,axes] is on the Pareto front.  A point dominates another one if it is
 * better on an axis and on no axis worse; if rising[j], more is better on axis j.  NaN is the worst value.  Without
 * `ties`, NULL, every difference decides, and the front is the points that no other one dominates.  Ties of times are
 * not transitive, and so dominance is not: the front is then the points that no point of the front dominates, and
 * points that dominate one another in a circle, and that no other point of the front dominates, are on it together.  So
 * it is never empty, and every other point is dominated by one on it. */
void pb_stats_pareto(int n, int axes, const double *point, const bool *rising, const pb_pareto_ties *ties,
                     bool *on_front);

/* n points with a value for each axis and seed; on axis `scored` (-1: none) a score for each seed and example. */
typedef struct pb_pareto_points {
    int n, axes, seeds;
    const double *value; /* [n, axes, seeds]; NaN marks a missing seed; a point without any is worst on the axis */
    const bool *rising;  /* [axes]                                                                               */
    int scored;
    const pb_crossed *score;    /* [n], with these seeds and the same examples; used instead of `value`          */
    const pb_pareto_ties *ties; /* NULL: no axis is a time; a time with processes is used instead of `value`     */
} pb_pareto_points;

/* Writes the means over the seeds to point [n, axes], of a time the geometric mean over its processes, whether each
 * point is on the Pareto front to on_front [n], and the share of hierarchical bootstrap samples in which it is to share
 * [n].  All points of a sample share the resampled seeds and examples; of each point, processes are drawn, the same for
 * all its times.  In a sample overlapping intervals make no ties.  If all scores are 0 or 1, four pseudo-examples are
 * added, which every point answers at random in every sample, so that points with equal answers are not certain to stay
 * equal. */
void pb_stats_pareto_bootstrap(const pb_pareto_points *c, int resamples, uint64_t seed, double *point, bool *on_front,
                               double *share);

#endif
