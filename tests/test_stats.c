/* Intervals against SciPy 1.17: stats.t.ppf, stats.t.cdf, stats.t.interval, stats.binom.ppf. */
#include "test.h"

#include "study/stats.h"

TEST(quantiles_of_student)
{
    static const struct {
        double p, freedom, want;
    } row[] = {{0.975, 1, 12.706204736174694},  {0.975, 2, 4.302652729749462},   {0.975, 4, 2.7764451051977934},
               {0.9, 9, 1.3830287383966329},    {0.025, 3, -3.1824463052837086}, {0.995, 30, 2.7499956535672254},
               {0.6, 1000, 0.25341451583949876}};
    for (size_t i = 0; i < PB_COUNT(row); i++)
        CHECK_NEAR(pb_stats_t_quantile(row[i].p, row[i].freedom), row[i].want, 1e-10);
}

TEST(distribution_of_student)
{
    static const struct {
        double t, freedom, want;
    } row[] = {{0, 3, 0.5},
               {1.5, 2, 0.8638034375544994},
               {-2.2, 7, 0.03186550765131839},
               {8, 1, 0.9604165758394344},
               {0.1, 250, 0.5397877653520915}};
    for (size_t i = 0; i < PB_COUNT(row); i++)
        CHECK_NEAR(pb_stats_t_below(row[i].t, row[i].freedom), row[i].want, 1e-12);
}

TEST(interval_of_a_mean)
{
    pb_interval v = pb_stats_mean(4, (const double[]){0.81, NAN, 0.84, 0.79}); /* NaN is left out */
    CHECK_INT(v.n, 3);
    CHECK_NEAR(v.low, 0.7508172385395757, 1e-12);
    CHECK_NEAR(v.high, 0.875849428127091, 1e-12);
    v = pb_stats_mean(1, (const double[]){3});
    CHECK(v.middle == 3 && isnan(v.low) && isnan(v.high));
    v = pb_stats_mean(0, NULL);
    CHECK(isnan(v.middle));
}

TEST(interval_of_a_median)
{
    double x[50];
    for (int i = 0; i < 50; i++)
        x[i] = (i * 37) % 50; /* 0 .. 49, mixed */
    pb_interval v = pb_stats_median(50, x);
    CHECK_NEAR(v.middle, 24.5, 1e-12);
    CHECK_NEAR(v.low, 17, 1e-12); /* the 18th smallest: binom.ppf(0.025, 50, 0.5) = 18 */
    CHECK_NEAR(v.high, 32, 1e-12);
    v = pb_stats_median(5, x);
    CHECK(isnan(v.low) && isnan(v.high)); /* five values cannot say 95 % */
    v = pb_stats_median(6, x);
    CHECK(v.low == 0 && v.high == 48); /* 0 37 24 11 48 35 */
}
