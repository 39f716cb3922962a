/* stats: what numbers say, and how surely: 95 % intervals, tests, rankings. */
#ifndef PB_STATS_H
#define PB_STATS_H

#include "base/base.h"

typedef struct pb_interval {
    double middle, low, high; /* NaN where n is too small to say */
    int n;
} pb_interval;

/* Mean and Student's t interval; NaN values are left out; low and high are NaN for n < 2. */
pb_interval pb_stats_mean(int n, const double *x);

/* Geometric mean of positive values and the t interval of their logarithms; low and high are NaN for n < 2. */
pb_interval pb_stats_geometric(int n, const double *x);

/* Geometric mean of a [n] / that of b [m], its interval by Welch's t of the logarithms, and the two-sided p that it
 * is 1; all NaN where one has fewer than 2. */
pb_interval pb_stats_quotient(int n, const double *a, int m, const double *b, double *p);

/* Median and its interval by order statistics (binomial, no assumption about the shape): the
 * narrowest symmetric pair of ranks with at least 95 %; low and high are NaN for n < 6. */
pb_interval pb_stats_median(int n, const double *x);

/* ---- scores by seed and example ------------------------------------------------------------------------- */

/* What one example gives one seed's metric: x [seeds, examples, stats]; the metric of a seed is `value` of the sums
 * over its examples, of which there are `count` (a mean: value NULL, stats 1).  Seeds and examples are both a draw from
 * many: every seed has answered the same examples. */
typedef struct pb_crossed {
    int seeds, examples, stats;
    const double *x;
    double (*value)(const double *sums, double count, const void *ctx);
    const void *ctx;
} pb_crossed;

/* What varies, as a two-way analysis of variance without replication finds it: variances of a seed's effect, an
 * example's, and of what is left; below 0 where chance has it so. */
typedef struct pb_components {
    double seed, example, rest;
    double error;    /* estimated standard deviation of the mean                                         */
    double half;     /* half the width of its 95 % interval, NaN: not known                              */
    double imagined; /* what imagined examples add to the examples' sum of squares; 0: there are none    */
} pb_components;

/* The mean over the seeds, and its 95 % interval for other seeds and other examples, from the components: a
 * generalised confidence interval, which a few seeds make as wide as Student's t would (of one seed: t on the
 * examples' variance alone).  Metrics that are no mean are made linear by the jackknife over examples.  Of a share (all
 * scores are 0 or 1) the interval lies in 0..1 and has a width, also where all answers are right; see
 * docs/statistics.md.  Of other scores low and high are NaN where all are equal.  parts may be NULL. */
pb_interval pb_stats_row(const pb_crossed *c, pb_components *parts);

/* The same of a - b, example by example and seed by seed; equal sizes, and the same value.  Of shares the interval lies
 * in -1..1. */
pb_interval pb_stats_pair(const pb_crossed *a, const pb_crossed *b, pb_components *parts);

/* Percentiles of the hierarchical bootstrap of a - b (b NULL: of a): seeds are drawn, and the same drawn examples
 * for all of them (Owen 2007's pigeonhole).  With few seeds it is too narrow: see docs/statistics.md. */
pb_interval pb_stats_bootstrap(const pb_crossed *a, const pb_crossed *b, int resamples, uint64_t seed);

/* Two-sided p of pb_stats_permutation over the examples' differences a - b, averaged over the seeds; of metrics that
 * are no mean, of their linear parts.  It is about these very models: other seeds are not thought of. */
double pb_stats_pair_p(const pb_crossed *a, const pb_crossed *b, int turns, uint64_t seed);

/* The least difference that a study of this size finds with 80 % probability (two-sided, 5 %). */
double pb_stats_detectable(const pb_components *parts);

/* How many seeds, with these examples (or examples, with these seeds), make the interval's half width at most
 * `half`; 0: no number does. */
int pb_stats_seeds_wanted(const pb_components *parts, int seeds, int examples, double half);
int pb_stats_examples_wanted(const pb_components *parts, int seeds, int examples, double half);

/* P(a run of a is better than one of b) + half of P(equal), over all pairs of seeds; values [n], [m]. */
double pb_stats_superiority(int n, const double *a, int m, const double *b);

/* ---- tests ------------------------------------------------------------------------------------------------ */

/* Exact McNemar: two-sided p of `only_a` against `only_b` examples that one alone got right. */
double pb_stats_mcnemar(int only_a, int only_b);

/* Two-sided p that the mean of d [n] is 0 by turning signs: all 2^n of up to 16 that are not 0, else `turns` drawn
 * ones and the one that was seen (Phipson and Smyth 2010). */
double pb_stats_permutation(int n, const double *d, int turns, uint64_t seed);

/* Holm's step-down: p [n] becomes adjusted p, in place. */
void pb_stats_holm(int n, double *p);

/* ---- tuning ----------------------------------------------------------------------------------------------- */

/* The best of `budget` trials that anyone might have drawn: the mean of the maximum over all subsets of that size of
 * the n scores (Dodge et al. 2019, arXiv:1909.03004; without replacement, which is unbiased: Tang et al. 2020,
 * arXiv:2004.13705).  1 <= budget <= n. */
double pb_stats_expected_best(int n, const double *score, int budget);

/* ---- many ------------------------------------------------------------------------------------------------- */

/* k methods on n data sets: score [n,k], higher is better.  Mean ranks [k] (1 is best), Friedman's chi-square with its
 * p, Iman and Davenport's F with its p, and Nemenyi's critical difference of mean ranks at 5 %.  Where all data sets
 * have one order without ties F is infinite and f_p NaN.  Where no data set tells any method from another chi2 and F
 * are 0 and their p 1. */
typedef struct pb_friedman {
    double chi2, chi2_p, f, f_p, critical;
} pb_friedman;
pb_friedman pb_stats_friedman(int n, int k, const double *score, double *rank);

/* p of Friedman's chi-square by giving the ranks of each data set to the methods anew, `turns` times (Phipson and Smyth
 * 2010): right for any number of data sets, where chi-square and F want many. */
double pb_stats_friedman_p(int n, int k, const double *score, int turns, uint64_t seed);

/* The least number of data sets on which Friedman's test can find a difference of k methods at 5 %: as many as make the
 * probability that all of them have one order by chance, k!^(1-n), at most 5 %, and 3 at least.  k >= 2. */
int pb_stats_friedman_least(int k);

/* front[i]: no other of n points [n,axes] is at least as good on every axis and better on one.  rising[j]: more is
 * better on axis j.  NaN: worst. */
void pb_stats_pareto(int n, int axes, const double *point, const bool *rising, bool *front);

/* n points of which each has a value a seed; of axis `scored` (-1: none) by seed and example. */
typedef struct pb_cloud {
    int n, axes, seeds;
    const double *value; /* [n, axes, seeds]; NaN: not known of this seed; what is of none is worst */
    const bool *rising;  /* [axes]                                                                  */
    int scored;
    const pb_crossed *score; /* [n], of these seeds and the same examples; takes the place of value */
} pb_cloud;

/* Means over the seeds, point [n, axes]; which are on the front, and the share of hierarchical bootstrap samples in
 * which each is: all points of a sample have the same drawn seeds and examples.  Where all scores are shares, four
 * examples are imagined beside the others, which every point answers by the toss of a coin in every sample, so that
 * points that are equal in all answers do not stay so for sure. */
void pb_stats_front(const pb_cloud *c, int resamples, uint64_t seed, double *point, bool *front, double *share);

#endif
