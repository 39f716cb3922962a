/* special: distributions.  All to about 1e-12 where the answer is not tiny. */
#ifndef PB_SPECIAL_H
#define PB_SPECIAL_H

/* I_x(a,b), the regularised incomplete beta function; 0 <= x <= 1, a, b > 0. */
double pb_beta_below(double x, double a, double b);
/* P(a,x), the regularised lower incomplete gamma function, and 1 - P; a > 0, x >= 0. */
double pb_gamma_below(double a, double x);
double pb_gamma_above(double a, double x);

/* P(X <= x), P(X > x), and the x with P(X <= x) = p, 0 < p < 1. */
double pb_normal_below(double x);
double pb_normal_quantile(double p);
double pb_t_below(double t, double freedom);
double pb_t_quantile(double p, double freedom);
double pb_chi2_above(double x, double freedom);
double pb_chi2_quantile(double p, double freedom);
double pb_f_above(double x, double freedom1, double freedom2);
/* P(X <= k) of n trials of probability p. */
double pb_binomial_below(int k, int n, double p);
/* P(range of k normal values of variance 1 <= q): the studentised range with all degrees of freedom. */
double pb_range_below(double q, int k);
double pb_range_quantile(double p, int k);

#endif
