/* special: see special.h. */
#include "stats/special.h"

#include <math.h>

#define TINY 1e-300
#define STEPS 10000

/* ---- beta: Lentz's continued fraction, fast for x < (a+1)/(a+b+2); Abramowitz and Stegun 26.5.8 ----------------- */

static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < TINY ? TINY : d);
    double f = d;
    for (int m = 1; m < STEPS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int k = 0; k < 2; k++) {
            double term = k ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < TINY ? TINY : d);
            c = fabs(c) < TINY ? TINY : c;
            f *= c * d;
        }
        if (fabs(c * d - 1) < 1e-16)
            break;
    }
    return f;
}

double pb_beta_inc(double x, double a, double b)
{
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a : 1 - front * beta_fraction(1 - x, b, a) / b;
}

/* ---- gamma: the series 6.5.29 below a + 1, the continued fraction 6.5.31 above ---------------------------------- */

static double gamma_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (int n = 1; n < STEPS && fabs(term) > fabs(sum) * 1e-17; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(a * log(x) - x - lgamma(a));
}

static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / TINY, d = 1 / b, f = d;
    for (int n = 1; n < STEPS; n++) {
        double term = -n * (n - a);
        b += 2;
        d = term * d + b;
        c = b + term / c;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        f *= c * d;
        if (fabs(c * d - 1) < 1e-16)
            break;
    }
    return f * exp(a * log(x) - x - lgamma(a));
}

double pb_gamma_p(double a, double x)
{
    if (x <= 0)
        return 0;
    return x < a + 1 ? gamma_series(a, x) : 1 - gamma_fraction(a, x);
}

double pb_gamma_q(double a, double x)
{
    if (x <= 0)
        return 1;
    return x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x);
}

/* ---- distributions --------------------------------------------------------------------------------------------- */

typedef double distribution(double x, const void *of);

/* The x at which a rising function reaches p. */
static double invert(distribution *below, const void *of, double p)
{
    double low = -1, high = 1;
    while (below(low, of) > p)
        low *= 2;
    while (below(high, of) < p)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-14 * fmax(fabs(high), fabs(low)); i++) {
        double middle = (low + high) / 2;
        *(below(middle, of) < p ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

double pb_normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

static double normal_of(double x, const void *of)
{
    (void)of;
    return pb_normal_cdf(x);
}

double pb_normal_quantile(double p)
{
    return p > 0.5 ? -invert(normal_of, 0, 1 - p) : invert(normal_of, 0, p);
}

double pb_t_cdf(double t, double freedom)
{
    double tail = pb_beta_inc(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
    return t > 0 ? 1 - tail : tail;
}

static double t_of(double t, const void *of)
{
    return pb_t_cdf(t, *(const double *)of);
}

double pb_t_quantile(double p, double freedom)
{
    if (p == 0.5)
        return 0;
    return p > 0.5 ? -invert(t_of, &freedom, 1 - p) : invert(t_of, &freedom, p);
}

double pb_chi2_sf(double x, double freedom)
{
    return pb_gamma_q(freedom / 2, x / 2);
}

static double chi2_of(double x, const void *of)
{
    return x <= 0 ? 0 : pb_gamma_p(*(const double *)of / 2, x / 2);
}

double pb_chi2_quantile(double p, double freedom)
{
    return invert(chi2_of, &freedom, p);
}

double pb_f_sf(double x, double freedom1, double freedom2)
{
    return x <= 0 ? 1 : pb_beta_inc(freedom2 / (freedom2 + freedom1 * x), freedom2 / 2, freedom1 / 2);
}

double pb_binomial_cdf(int k, int n, double p)
{
    return k < 0 ? 0 : k >= n ? 1 : pb_beta_inc(1 - p, n - k, k + 1);
}

/* k * integral of phi(z) (Phi(z) - Phi(z - q))^(k-1): Simpson's rule where phi is not zero. */
double pb_range_cdf(double q, int k)
{
    enum { N = 2000 };
    const double low = -9, step = 18.0 / N;
    double sum = 0;
    for (int i = 0; i <= N; i++) {
        double z = low + i * step;
        double inside = pow(pb_normal_cdf(z) - pb_normal_cdf(z - q), k - 1);
        sum += (i == 0 || i == N ? 1 : i % 2 ? 4 : 2) * exp(-z * z / 2) * inside;
    }
    return q <= 0 ? 0 : k * sum * step / 3 / sqrt(2 * 3.14159265358979323846);
}

static double range_of(double q, const void *of)
{
    return q <= 0 ? 0 : pb_range_cdf(q, *(const int *)of);
}

double pb_range_quantile(double p, int k)
{
    return invert(range_of, &k, p);
}
