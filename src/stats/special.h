/* special: distribution functions, accurate to about 1e-12 unless the result is tiny. */
#ifndef PB_SPECIAL_H
#define PB_SPECIAL_H

/* The regularized incomplete beta function I_x(a,b); 0 <= x <= 1, a, b > 0. */
double pb_beta_inc(double x, double a, double b);

/* The regularized lower and upper incomplete gamma functions P(a,x) and Q(a,x) = 1 - P(a,x); a > 0, x >= 0. */
double pb_gamma_p(double a, double x);
double pb_gamma_q(double a, double x);

/* A function _cdf returns P(X <= x), _sf returns P(X > x), and _quantile returns the x with P(X <= x) = p, 0 < p <
 * 1. */

/* The standard normal distribution. */
double pb_normal_cdf(double x);
double pb_normal_quantile(double p);

/* Student's t distribution. */
double pb_t_cdf(double t, double freedom);
double pb_t_quantile(double p, double freedom);

/* The chi-square distribution. */
double pb_chi2_sf(double x, double freedom);
double pb_chi2_quantile(double p, double freedom);

/* The F distribution. */
double pb_f_sf(double x, double freedom1, double freedom2);

/* The binomial distribution of n trials with success probability p. */
double pb_binomial_cdf(int k, int n, double p);

/* The range of k independent standard normal values: the studentized range with infinite degrees of freedom. */
double pb_range_cdf(double q, int k);
double pb_range_quantile(double p, int k);

#endif
