/* Relations, p values against SciPy 1.17 (stats.t.sf), and verdicts. */
#include "test.h"

#include "report/claim.h"

static pb_relation parsed(const char *text)
{
    pb_relation r;
    if (pb_relation_parse(&r, text))
        test_fail(__FILE__, __LINE__, "%s", pb_error_text());
    return r;
}

TEST(relations_are_regions)
{
    static const struct {
        const char *text;
        int of;
        double low, high;
        bool closed;
    } row[] = {{"A > B", PB_CLAIM_DIFFERENCE, 0, INFINITY, false},
               {"A > B - 0.02", PB_CLAIM_DIFFERENCE, -0.02, INFINITY, false},
               {"A < B + 1e-3", PB_CLAIM_DIFFERENCE, -INFINITY, 1e-3, false},
               {"A = B", PB_CLAIM_DIFFERENCE, 0, 0, true},
               {"A = B - 200", PB_CLAIM_DIFFERENCE, -200, -200, true},
               {"  A = B +- 0.01 ", PB_CLAIM_DIFFERENCE, -0.01, 0.01, true},
               {"A / B in 12..20", PB_CLAIM_RATIO, 12, 20, true},
               {"A/B<.1", PB_CLAIM_RATIO, -INFINITY, 0.1, false},
               {"A / B = 1 +- 0.05", PB_CLAIM_RATIO, 0.95, 1.05, true},
               {"A < 5", PB_CLAIM_VALUE, -INFINITY, 5, false},
               {"A > -5.5", PB_CLAIM_VALUE, -5.5, INFINITY, false},
               {"A in 0.5..1e3", PB_CLAIM_VALUE, 0.5, 1000, true}};
    for (size_t i = 0; i < PB_COUNT(row); i++) {
        pb_relation r = parsed(row[i].text);
        CHECK_INT((int)r.of, row[i].of);
        CHECK_NEAR(r.low, row[i].low, 1e-12);
        CHECK_NEAR(r.high, row[i].high, 1e-12);
        CHECK_INT(r.closed, row[i].closed);
    }
}

TEST(what_is_no_relation)
{
    static const char *const text[] = {"",         "A",         "B > A",   "A > ",          "A >> B",     "A > B - -1",
                                       "A ~ B",    "A in 2..1", "A in 1",  "A = B +- -1",   "A > B +- 1", "A > B 1",
                                       "A / B",    "A / C > 1", "A > nan", "A < inf",       "A / B > B",  "A > 1 - 2",
                                       "A in B..", "A >= B",    "A < 5x",  "A / B in 1..2x"};
    for (size_t i = 0; i < PB_COUNT(text); i++) {
        pb_relation r;
        if (!CHECK(pb_relation_parse(&r, text[i]) == -1))
            printf("    %s\n", text[i]);
        pb_error_clear();
    }
}

static pb_claim_verdict verdict(const char *relation, pb_estimate e, int claims)
{
    pb_relation r = parsed(relation);
    return pb_relation_verdict(&r, &e, fmin(1, claims * pb_relation_p(&r, &e)));
}

TEST(exact_numbers_need_no_test)
{
    CHECK_INT(verdict("A > B", pb_estimate_exact(1), 100), PB_CLAIM_CONFIRMED);
    CHECK_INT(verdict("A > B", pb_estimate_exact(0), 100), PB_CLAIM_REFUTED); /* equal is not more */
    CHECK_INT(verdict("A = B", pb_estimate_exact(0), 100), PB_CLAIM_CONFIRMED);
    CHECK_INT(verdict("A / B in 12..20", pb_estimate_exact(12), 100), PB_CLAIM_CONFIRMED);
    CHECK_INT(verdict("A / B in 12..20", pb_estimate_exact(11.9), 100), PB_CLAIM_REFUTED);
    CHECK_INT(verdict("A > B", pb_estimate_exact(NAN), 1), PB_CLAIM_NOT_RUN);
}

/* Five seeds with the mean 0.04 and the standard error 0.01: t is 4 on 4 degrees of freedom. */
static pb_estimate five(double shift)
{
    const double half = 0.01 * 2.7764451051977934;
    return pb_estimate_of((pb_interval){0.04 + shift, 0.04 + shift - half, 0.04 + shift + half, 5}, 0.04 + shift, half,
                          0.01);
}

TEST(p_is_that_of_student)
{
    pb_relation more = parsed("A > B"), margin = parsed("A = B +- 0.05");
    pb_estimate e = five(0);
    CHECK_NEAR(e.freedom, 4, 1e-6);
    CHECK_NEAR(pb_relation_p(&more, &e), 0.0161300899000925, 1e-6);
    CHECK_NEAR(pb_relation_p(&margin, &e), 0.373900966300059, 1e-6); /* to the nearest boundary, 0.05 */
    const double d[] = {0.01, 0.03, NAN, 0.05, 0.07};
    e = pb_estimate_of_mean(5, d);
    CHECK_NEAR(e.middle, 0.04, 1e-12);
    CHECK_NEAR(e.freedom, 3, 1e-12);
    CHECK_NEAR(pb_relation_p(&more, &e), 0.05336272271694191, 1e-9); /* 0.04 / (0.02582 / 2) */
}

/* Claims that a sample decides: of one claim, and of so many that the correction takes the decision away. */
TEST(verdicts_of_samples)
{
    CHECK_INT(verdict("A > B", five(0), 1), PB_CLAIM_CONFIRMED);
    CHECK_INT(verdict("A > B", five(0), 4), PB_CLAIM_UNDECIDED);
    CHECK_INT(verdict("A < B", five(0), 1), PB_CLAIM_REFUTED);
    CHECK_INT(verdict("A < B", five(0), 4), PB_CLAIM_UNDECIDED);
    CHECK_INT(verdict("A > B + 0.03", five(0), 1), PB_CLAIM_UNDECIDED); /* the interval contains 0.03 */
    CHECK_INT(verdict("A > B - 0.05", five(-0.04), 1), PB_CLAIM_CONFIRMED);
    CHECK_INT(verdict("A = B +- 0.05", five(-0.04), 1), PB_CLAIM_CONFIRMED);
    CHECK_INT(verdict("A = B +- 0.01", five(0), 1), PB_CLAIM_REFUTED);
    CHECK_INT(verdict("A = B +- 0.02", five(0), 1), PB_CLAIM_UNDECIDED);
}

TEST(without_an_interval_nothing_is_decided)
{
    CHECK_INT(verdict("A > B", pb_estimate_of_mean(1, (const double[]){5}), 1), PB_CLAIM_UNDECIDED);
    CHECK_INT(verdict("A > B", pb_estimate_of_mean(3, (const double[]){5, 5, 5}), 1), PB_CLAIM_UNDECIDED);
    CHECK_INT(verdict("A > B", pb_estimate_of((pb_interval){1, NAN, NAN, 3}, 1, NAN, 0), 1), PB_CLAIM_UNDECIDED);
}

/* An interval that is narrower than that of the normal distribution, in standard errors, is taken for a normal one. */
TEST(degrees_of_freedom_follow_from_the_width)
{
    pb_estimate e = pb_estimate_of((pb_interval){0, -1, 1, 5}, 0, 1, 1);
    CHECK(e.freedom > 1e4);
    CHECK_NEAR(e.error, 1 / 1.959964, 1e-4);
    e = pb_estimate_of((pb_interval){0, -20, 20, 2}, 0, 20, 1); /* wider than that of one degree */
    CHECK_NEAR(e.freedom, 1, 1e-6);
    CHECK_NEAR(e.error, 20 / 12.706204736174694, 1e-6);
}

/* The interval of a geometric mean is symmetric on the scale of logarithms, and there p is 5 % at its ends. */
TEST(p_of_a_ratio_is_that_of_its_logarithm)
{
    const double x[] = {1, 2, 4};
    pb_estimate e = pb_estimate_of_geometric(3, x);
    pb_relation least = parsed("A > 1"), none = parsed("A > 0"), low = {.low = e.low, .high = INFINITY};
    CHECK_NEAR(e.middle, 2, 1e-12);
    CHECK_NEAR(e.low, 0.3574621235663269, 1e-9); /* exp(log(2) - 4.3026527297 log(2) / sqrt(3)) */
    CHECK_NEAR(e.high, 11.189996747327557, 1e-8);
    CHECK_NEAR(pb_relation_p(&least, &e), 0.225403330758517, 1e-9); /* t is sqrt(3) on two degrees of freedom */
    CHECK_NEAR(pb_relation_p(&low, &e), 0.05, 1e-9);
    CHECK_NEAR(pb_relation_p(&none, &e), 0, 1e-12);
}

/* The interval of a share of few answers is not centred on the share: all of 5 seeds x 20 answers are right. */
TEST(p_is_measured_from_the_centre_of_the_interval)
{
    double x[100];
    for (int i = 0; i < 100; i++)
        x[i] = 1;
    pb_variance_components parts;
    pb_interval v = pb_stats_row(&(pb_crossed){.seeds = 5, .examples = 20, .stats = 1, .x = x}, &parts);
    pb_estimate e = pb_estimate_of(v, parts.centre, parts.half, parts.error);
    pb_relation low = {.low = e.low, .high = INFINITY};
    CHECK_NEAR(e.middle, 1, 1e-12);
    CHECK_NEAR(e.high, 1, 1e-12);
    CHECK_NEAR(e.centre, 22.0 / 24, 1e-12);
    CHECK_NEAR(pb_relation_p(&low, &e), 0.05, 1e-6);
}
