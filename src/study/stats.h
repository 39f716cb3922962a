/* stats: means, medians and their 95 % intervals.  Floor 6. */
#ifndef PB_STATS_H
#define PB_STATS_H

#include "base/base.h"

typedef struct pb_interval {
    double middle, low, high; /* NaN where n is too small to say */
    int n;
} pb_interval;

/* Mean and Student's t interval; NaN values are left out; low and high are NaN for n < 2. */
pb_interval pb_stats_mean(int n, const double *x);

/* Median and its interval by order statistics (binomial, no assumption about the shape): the
 * narrowest symmetric pair of ranks with at least 95 %; low and high are NaN for n < 6. */
pb_interval pb_stats_median(int n, const double *x);

/* The number that Student's t with `freedom` degrees exceeds with probability 1-p; 0 < p < 1. */
double pb_stats_t_quantile(double p, double freedom);

/* P(T <= t) of Student's t. */
double pb_stats_t_below(double t, double freedom);

#endif
