/* Intervals against SciPy 1.17: stats.t.ppf, stats.t.cdf, stats.t.interval, stats.binom.ppf. */
#include "child.h"

#include <stdlib.h>

#include "base/rng.h"

#include "stats/special.h"
#include "stats/stats.h"

TEST(quantiles_of_student)
{
    static const struct {
        double p, freedom, want;
    } row[] = {{0.975, 1, 12.706204736174694},  {0.975, 2, 4.302652729749462},   {0.975, 4, 2.7764451051977934},
               {0.9, 9, 1.3830287383966329},    {0.025, 3, -3.1824463052837086}, {0.995, 30, 2.7499956535672254},
               {0.6, 1000, 0.25341451583949876}};
    for (size_t i = 0; i < PB_COUNT(row); i++)
        CHECK_NEAR(pb_t_quantile(row[i].p, row[i].freedom), row[i].want, 1e-10);
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
        CHECK_NEAR(pb_t_cdf(row[i].t, row[i].freedom), row[i].want, 1e-12);
}

/* 88 - 3 + 6 and 70 - 4 + 8: the squares of the distances add up. */
TEST(mean_of_independent_estimates)
{
    const pb_interval x[] = {{88, 85, 94, 3}, {70, 66, 78, 3}, {NAN, NAN, NAN, 0}, {90, NAN, NAN, 1}};
    pb_interval v = pb_stats_mean_of(2, x);
    CHECK_NEAR(v.middle, 79, 1e-12);
    CHECK_NEAR(v.low, 79 - 2.5, 1e-12);
    CHECK_NEAR(v.high, 79 + 5, 1e-12);
    CHECK(isnan(pb_stats_mean_of(3, x).middle));
    v = pb_stats_mean_of(2, (const pb_interval[]){x[0], x[3]});
    CHECK_NEAR(v.middle, 89, 1e-12);
    CHECK(isnan(v.low) && isnan(v.high));
    CHECK(isnan(pb_stats_mean_of(0, x).middle));
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

/* ---- against SciPy and statsmodels: tests/parity/make_stats.py ------------------------------------------------- */

/* NAME ARGUMENT.. = VALUE.. */
typedef struct golden {
    char name[32];
    double argument[512], want[16];
    int arguments, wants;
} golden;

static bool read_golden(char *line, golden *g)
{
    *g = (golden){.arguments = 0};
    char *word = strsep(&line, " ");
    snprintf(g->name, sizeof g->name, "%s", word);
    bool behind = false;
    while ((word = strsep(&line, " "))) {
        if (!strcmp(word, "="))
            behind = true;
        else if (behind)
            g->want[g->wants++] = strtod(word, NULL);
        else
            g->argument[g->arguments++] = strtod(word, NULL);
    }
    return g->wants > 0;
}

static void compute(const golden *g, double *got)
{
    const double *a = g->argument;
    pb_friedman f;
    pb_variance_components parts;
    pb_interval v;
    double rank[16];
    if (!strcmp(g->name, "beta"))
        got[0] = pb_beta_inc(a[0], a[1], a[2]);
    else if (!strcmp(g->name, "gamma"))
        got[0] = pb_gamma_p(a[0], a[1]);
    else if (!strcmp(g->name, "gamma_above"))
        got[0] = pb_gamma_q(a[0], a[1]);
    else if (!strcmp(g->name, "normal"))
        got[0] = pb_normal_cdf(a[0]);
    else if (!strcmp(g->name, "normal_quantile"))
        got[0] = pb_normal_quantile(a[0]);
    else if (!strcmp(g->name, "t_quantile"))
        got[0] = pb_t_quantile(a[0], a[1]);
    else if (!strcmp(g->name, "chi2_above"))
        got[0] = pb_chi2_sf(a[0], a[1]);
    else if (!strcmp(g->name, "chi2_quantile"))
        got[0] = pb_chi2_quantile(a[0], a[1]);
    else if (!strcmp(g->name, "f_above"))
        got[0] = pb_f_sf(a[0], a[1], a[2]);
    else if (!strcmp(g->name, "binomial"))
        got[0] = pb_binomial_cdf((int)a[0], (int)a[1], a[2]);
    else if (!strcmp(g->name, "range"))
        got[0] = pb_range_cdf(a[0], (int)a[1]);
    else if (!strcmp(g->name, "range_quantile"))
        got[0] = pb_range_quantile(a[0], (int)a[1]);
    else if (!strcmp(g->name, "mcnemar"))
        got[0] = pb_stats_mcnemar((int)a[0], (int)a[1]);
    else if (!strcmp(g->name, "permutation"))
        got[0] = pb_stats_permutation(g->arguments, a, 0, 1);
    else if (!strcmp(g->name, "holm")) {
        memcpy(got, a, (size_t)g->arguments * sizeof *got);
        pb_stats_holm(g->arguments, got);
    } else if (!strcmp(g->name, "friedman")) {
        f = pb_stats_friedman((int)a[0], (int)a[1], a + 2, rank);
        memcpy(got, (double[]){f.chi2, f.chi2_p, f.f, f.f_p, f.critical}, 5 * sizeof *got);
    } else if (!strcmp(g->name, "quotient")) {
        v = pb_stats_quotient((int)a[0], a + 2, (int)a[1], a + 2 + (int)a[0], &got[3]);
        memcpy(got, (double[]){v.middle, v.low, v.high}, 3 * sizeof *got);
    } else if (!strcmp(g->name, "geometric")) {
        v = pb_stats_geometric(g->arguments, a);
        memcpy(got, (double[]){v.middle, v.low, v.high}, 3 * sizeof *got);
    } else if (!strcmp(g->name, "pair")) {
        int size = (int)a[0] * (int)a[1];
        pb_crossed x = {.seeds = (int)a[0], .examples = (int)a[1], .stats = 1, .x = a + 2}, y = x;
        y.x = a + 2 + size;
        v = pb_stats_pair(&x, &y, NULL);
        memcpy(got, (double[]){v.middle, v.low, v.high}, 3 * sizeof *got);
    } else if (!strcmp(g->name, "row") || !strcmp(g->name, "share")) {
        v = pb_stats_row(&(pb_crossed){.seeds = (int)a[0], .examples = (int)a[1], .stats = 1, .x = a + 2}, &parts);
        memcpy(got, (double[]){v.middle, v.low, v.high}, 3 * sizeof *got);
    }
}

static void near_front(const golden *g)
{
    const double *a = g->argument, *cost = a + 3, *x = a + 3 + (int)a[0];
    int n = (int)a[0], seeds = (int)a[1], examples = (int)a[2];
    double value[4 * 2 * 8], point[8], share[4];
    const bool rising[] = {true, false};
    bool front[4];
    pb_crossed score[4];
    for (int i = 0; i < n; i++) {
        score[i] = (pb_crossed){.seeds = seeds, .examples = examples, .stats = 1, .x = x + i * seeds * examples};
        for (int s = 0; s < seeds; s++)
            value[(2 * i + 1) * seeds + s] = cost[i];
    }
    pb_pareto_points c = {
        .n = n, .axes = 2, .seeds = seeds, .value = value, .rising = rising, .scored = 0, .score = score};
    pb_stats_pareto_bootstrap(&c, 4000, 0, point, front, share);
    for (int i = 0; i < n; i++)
        CHECK(fabs(share[i] - g->want[i]) < 0.04); /* 4 standard deviations */
}

/* What is near a value of SciPy's by design, not equal to it; false of all else. */
static bool is_near(const golden *g)
{
    const double *a = g->argument;
    if (!strcmp(g->name, "wilson")) { /* our interval of one seed holds Wilson's, and is not much wider */
        double x[256] = {0};
        for (int i = 0; i < (int)a[0]; i++)
            x[i] = 1;
        pb_interval v = pb_stats_row(&(pb_crossed){.seeds = 1, .examples = (int)a[1], .stats = 1, .x = x}, NULL);
        bool scarce = a[1] < 100 || a[0] < 15 || a[1] - a[0] < 15; /* else it is Student's t, as wide as Wilson's */
        double room = 1e-3, width = g->want[1] - g->want[0];
        if (!CHECK(v.low <= g->want[0] + room && v.high >= g->want[1] - room &&
                   v.high - v.low < (scarce ? 1.6 : 1.05) * width))
            printf("    %g of %g: %g .. %g, Wilson's is %g .. %g\n", a[0], a[1], v.low, v.high, g->want[0], g->want[1]);
        return true;
    }
    if (!strcmp(g->name, "friedman_p")) {
        double p = pb_stats_friedman_p((int)a[0], (int)a[1], a + 2, 19999, 1), want = g->want[0];
        CHECK(fabs(p - want) < 5 * sqrt(want * (1 - want) / 19999) + 1e-4);
        return true;
    }
    if (!strcmp(g->name, "front"))
        near_front(g);
    return !strcmp(g->name, "front");
}

TEST(distributions_and_tests_equal_scipy)
{
    char *text = pb_read_file("tests/golden/stats/values.txt", NULL), *rest = text, *line;
    int lines = 0;
    while (text && (line = strsep(&rest, "\n"))) {
        golden g;
        double got[16] = {0};
        if (!*line || !read_golden(line, &g))
            continue;
        lines++;
        if (is_near(&g))
            continue;
        compute(&g, got);
        for (int i = 0; i < g.wants; i++)
            if (!CHECK_NEAR(got[i], g.want[i], 1e-10 * fmax(1, fabs(g.want[i]))))
                printf("    %s\n", g.name);
    }
    CHECK(lines > 80);
    free(text);
}

/* ---- shares near their ends -------------------------------------------------------------------------------------- */

/* How often the interval of one seed's share of n answers holds p, over all that can come: exact. */
static double coverage(int n, double p)
{
    double x[64] = {0}, sum = 0;
    for (int k = 0; k <= n; k++) {
        pb_interval v = pb_stats_row(&(pb_crossed){.seeds = 1, .examples = n, .stats = 1, .x = x}, NULL);
        CHECK(v.low >= 0 && v.high <= 1 && v.low < v.high && v.low <= v.middle && v.middle <= v.high);
        double chance = exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)) * pow(p, k) * pow(1 - p, n - k);
        sum += v.low <= p && p <= v.high ? chance : 0;
        x[k < n ? k : 0] = 1;
    }
    return sum;
}

TEST(intervals_of_few_answers_hold_the_truth)
{
    static const int examples[] = {2, 5, 10, 20, 35, 50};
    for (size_t i = 0; i < PB_COUNT(examples); i++)
        for (int k = 0; k <= 100; k++)
            if (!CHECK(coverage(examples[i], k / 100.0) >= 0.93))
                printf("    %d examples, share %.2f: %.4f\n", examples[i], k / 100.0, coverage(examples[i], k / 100.0));
}

/* Two seeds of equal score and different mistakes; the same wrong answer twice; nothing wrong at all. */
TEST(no_interval_of_a_share_is_without_width)
{
    enum { N = 24, S = 2 };
    double all[S * N], two[S * N], one[S * N];
    for (int i = 0; i < S * N; i++) {
        all[i] = 1;
        one[i] = i % N != 3;
        two[i] = i != 3 && i != N + 5;
    }
    pb_crossed x = {.seeds = S, .examples = N, .stats = 1, .x = all}, y = x, z = x;
    y.x = two;
    z.x = one;
    pb_interval v[] = {pb_stats_row(&x, NULL),      pb_stats_row(&y, NULL),      pb_stats_row(&z, NULL),
                       pb_stats_pair(&x, &x, NULL), pb_stats_pair(&x, &y, NULL), pb_stats_pair(&x, &z, NULL)};
    for (size_t i = 0; i < PB_COUNT(v); i++) {
        CHECK(v[i].high - v[i].low > 0.1 && v[i].high <= 1 && v[i].low >= (i < 3 ? 0 : -1));
        CHECK(i < 3 ? v[i].high == 1 || i : v[i].low < 0 && v[i].high > 0);
    }
}

/* As many mistakes as make the analysis of variance possible, of equal number: its estimate is 0, the interval is not. */
TEST(a_variance_that_chance_cuts_to_nothing)
{
    enum { N = 100, S = 2 };
    double x[S * N], zero[S * N] = {0};
    for (int i = 0; i < S * N; i++)
        x[i] = i % 2 == (i < N); /* what one seed knows the other does not */
    pb_crossed a = {.seeds = S, .examples = N, .stats = 1, .x = x}, b = a;
    b.x = zero;
    pb_interval v = pb_stats_row(&a, NULL), w = pb_stats_pair(&a, &b, NULL);
    CHECK_NEAR(v.middle, 0.5, 1e-15);
    CHECK_NEAR((v.high - v.low) / 2, 1.96 * sqrt(0.5 * 100 / 99 / 200) / 2,
               1e-4); /* half of 200 answers' own: MS_rest 0.505 */
    CHECK_NEAR(w.high - w.low, v.high - v.low, 1e-12);
}

TEST(scores_that_are_all_equal_say_nothing_of_others)
{
    double x[6] = {40, 40, 40, 40, 40, 40};
    pb_crossed c = {.seeds = 2, .examples = 3, .stats = 1, .x = x};
    pb_interval v = pb_stats_row(&c, NULL);
    CHECK(v.middle == 40 && isnan(v.low) && isnan(v.high));
}

TEST(too_few_data_sets)
{
    CHECK_INT(pb_stats_friedman_least(2), 6);
    for (int k = 3; k < 40; k++)
        CHECK_INT(pb_stats_friedman_least(k), 3);
    double rank[3];
    pb_friedman f = pb_stats_friedman(3, 3, (const double[]){3, 2, 1, 3, 2, 1, 3, 2, 1}, rank);
    CHECK(isinf(f.f) && isnan(f.f_p)); /* one order: no p that is 0 */
    CHECK(fabs(pb_stats_friedman_p(3, 3, (const double[]){3, 2, 1, 3, 2, 1, 3, 2, 1}, 9999, 0) - 1.0 / 36) < 0.008);
    f = pb_stats_friedman(3, 3, (const double[9]){0}, rank);
    CHECK(f.chi2 == 0 && f.chi2_p == 1 && f.f == 0 && f.f_p == 1); /* no data set tells one from another */
    CHECK_NEAR(pb_stats_friedman_p(3, 3, (const double[9]){0}, 99, 0), 1, 1e-12);
}

/* ---- crossed scores ------------------------------------------------------------------------------------------------ */

static double f_of(const double *sums, double count, const void *ctx)
{
    (void)count, (void)ctx;
    return 2 * sums[0] / (sums[0] + sums[1]); /* an F-measure: no mean of examples */
}

TEST(a_metric_that_is_no_mean_is_made_linear)
{
    enum { S = 3, N = 200 };
    static double x[S * N * 2], mean[S * N];
    pb_rng r = pb_rng_named(1, "f");
    for (int i = 0; i < S * N; i++) {
        x[2 * i] = mean[i] = pb_rng_uniform(&r) < 0.7;
        x[2 * i + 1] = 1;
    }
    pb_crossed f = {.seeds = S, .examples = N, .stats = 2, .x = x, .value = f_of};
    pb_interval v = pb_stats_row(&f, NULL), w = pb_stats_bootstrap(&f, NULL, 2000, 1);
    double want = 0;
    for (int s = 0; s < S; s++) {
        double sums[2] = {0};
        for (int e = 0; e < N; e++)
            for (int k = 0; k < 2; k++)
                sums[k] += x[(s * N + e) * 2 + k];
        want += f_of(sums, N, NULL) / S;
    }
    CHECK_NEAR(v.middle, want, 1e-12);
    CHECK(v.low < want && want < v.high);
    CHECK(w.low < want && want < w.high && w.high - w.low < 2 * (v.high - v.low));
    pb_interval same = pb_stats_bootstrap(&f, NULL, 2000, 1);
    CHECK(same.low == w.low && same.high == w.high);
}

static void draw(pb_rng *r, int n, int *times)
{
    memset(times, 0, (size_t)n * sizeof *times);
    for (int i = 0; i < n; i++)
        times[pb_rng_below(r, (uint64_t)n)]++;
}

/* The bootstrap against its definition, one row, seed and example after the other. */
TEST(both_rows_of_a_sample_have_its_draws)
{
    enum { S = 3, N = 50, R = 40 };
    static double x[2][S * N * 2], value[R];
    int seeds[S], times[N];
    pb_rng r = pb_rng_named(1, "pair");
    for (int row = 0; row < 2; row++)
        for (int i = 0; i < S * N * 2; i++)
            x[row][i] = pb_rng_uniform(&r);
    r = pb_rng_named(7, "bootstrap");
    for (int i = 0; i < R; i++) {
        draw(&r, S, seeds);
        draw(&r, N, times);
        value[i] = 0;
        for (int row = 0; row < 2; row++)
            for (int s = 0; s < S; s++) {
                double sums[2] = {0};
                for (int e = 0; e < N * 2; e++)
                    sums[e % 2] += times[e / 2] * x[row][s * N * 2 + e];
                value[i] += (row ? -1.0 : 1.0) * seeds[s] * f_of(sums, N, NULL) / S;
            }
    }
    int below = 0, above = 0;
    const pb_crossed a = {.seeds = S, .examples = N, .stats = 2, .x = x[0], .value = f_of},
                     b = {.seeds = S, .examples = N, .stats = 2, .x = x[1], .value = f_of};
    pb_interval v = pb_stats_bootstrap(&a, &b, R, 7);
    for (int i = 0; i < R; i++) {
        below += value[i] < v.low - 1e-12;
        above += value[i] > v.high + 1e-12;
    }
    CHECK(below == (int)(0.025 * R) && above == R - 1 - (int)(0.975 * R));
    for (int k = 0; k < 2; k++) {
        double nearest = INFINITY;
        for (int i = 0; i < R; i++)
            nearest = fmin(nearest, fabs(value[i] - (k ? v.high : v.low)));
        CHECK(nearest < 1e-12);
    }
}

static void pair_of_other_shapes(void)
{
    static const double x[4] = {0};
    const pb_crossed a = {.seeds = 1, .examples = 2, .stats = 1, .x = x},
                     b = {.seeds = 1, .examples = 2, .stats = 2, .x = x};
    pb_stats_bootstrap(&a, &b, 1, 0);
}

TEST(rows_of_a_sample_have_one_shape)
{
    char *said;
    int status = status_of(pair_of_other_shapes, &said);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, "broken invariant"));
    free(said);
}

TEST(a_pair_is_closer_than_its_rows)
{
    enum { S = 4, N = 300 };
    static double a[S * N], b[S * N];
    pb_rng r = pb_rng_named(2, "pair");
    for (int e = 0; e < N; e++) {
        double hard = pb_rng_uniform(&r);
        for (int s = 0; s < S; s++) {
            a[s * N + e] = pb_rng_uniform(&r) < 0.3 + 0.6 * hard;
            b[s * N + e] = a[s * N + e] && pb_rng_uniform(&r) < 0.95;
        }
    }
    pb_crossed x = {.seeds = S, .examples = N, .stats = 1, .x = a}, y = {.seeds = S, .examples = N, .stats = 1, .x = b};
    pb_variance_components parts;
    pb_interval d = pb_stats_pair(&x, &y, &parts), row = pb_stats_row(&x, NULL);
    CHECK(d.low > 0 && d.high - d.low < row.high - row.low);
    CHECK(pb_stats_detectable(&parts) > (d.high - d.low) / 2);
    CHECK(pb_stats_seeds_wanted(&parts, S, N, (d.high - d.low) / 2.2) > S);
    CHECK(pb_stats_examples_wanted(&parts, S, N, (d.high - d.low) / 2.2) > N);
}

TEST(fronts_and_superiority)
{
    const double point[] = {0.9, 10, 0.8, 5, 0.7, 7, 0.9, 12};
    const bool rising[] = {true, false};
    bool front[4];
    pb_stats_pareto(4, 2, point, rising, NULL, front);
    CHECK(front[0] && front[1] && !front[2] && !front[3]);
    CHECK_NEAR(pb_stats_superiority(2, (const double[]){1, 2}, 2, (const double[]){0, 2}), 0.625, 1e-12);
    CHECK(pb_stats_permutation(40, (const double[40]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 999,
                               1) < 0.01);
}

/* By going through all subsets. */
static double best_of_subsets(int n, const double *x, int size)
{
    double sum = 0;
    int sets = 0;
    for (int set = 0; set < 1 << n; set++) {
        double best = -INFINITY;
        if (__builtin_popcount((unsigned)set) != size)
            continue;
        for (int i = 0; i < n; i++)
            best = set >> i & 1 ? fmax(best, x[i]) : best;
        sum += best;
        sets++;
    }
    return sum / sets;
}

TEST(expected_best_of_trials)
{
    const double x[] = {0.7, 0.2, 0.9, 0.9, 0.5, 0.1, 0.65};
    for (int size = 1; size <= 7; size++)
        CHECK_NEAR(pb_stats_expected_best(7, x, size), best_of_subsets(7, x, size), 1e-14);
    CHECK_NEAR(pb_stats_expected_best(1, x, 1), 0.7, 1e-15);
}

/* Two rows, each right on one of two examples, at one cost.  A third costs less, a fourth is only by imagined examples
 * as good; the shares are those of tests/parity/make_stats.py. */
TEST(how_often_a_row_is_on_the_front)
{
    const double right[4][2] = {{1, 0}, {0, 1}, {0, 0}, {0, 0}};
    const double value[4][2] = {{NAN, 5}, {NAN, 5}, {NAN, 1}, {NAN, 6}};
    const bool rising[] = {true, false};
    pb_crossed score[4];
    for (int i = 0; i < 4; i++)
        score[i] = (pb_crossed){.seeds = 1, .examples = 2, .stats = 1, .x = right[i]};
    pb_pareto_points c = {
        .n = 4, .axes = 2, .seeds = 1, .value = value[0], .rising = rising, .scored = 0, .score = score};
    double point[8], share[4];
    bool front[4];
    pb_stats_pareto_bootstrap(&c, 4000, 0, point, front, share);
    CHECK(point[0] == 0.5 && point[1] == 5 && point[4] == 0 && point[7] == 6);
    CHECK(front[0] && front[1] && front[2] && !front[3]);
    CHECK(fabs(share[0] - 0.449) < 0.032 && fabs(share[1] - 0.449) < 0.032); /* 4 standard deviations */
    CHECK(share[2] > 1 - 1e-9 && fabs(share[3] - 0.07) < 0.017);
}

/* By seeds alone: of two seeds the first draws 1 or 2 or both.  What is known of one seed holds for all draws. */
TEST(fronts_by_seeds_alone)
{
    const double value[2][2][2] = {{{1, 0}, {7, NAN}}, {{0.4, 0.4}, {7, 7}}};
    const bool rising[] = {true, false};
    pb_pareto_points c = {.n = 2, .axes = 2, .seeds = 2, .value = value[0][0], .rising = rising, .scored = -1};
    double point[4], share[2];
    bool front[2];
    pb_stats_pareto_bootstrap(&c, 4000, 0, point, front, share);
    CHECK(point[0] == 0.5 && point[1] == 7 && front[0] && !front[1]);
    CHECK_NEAR(share[0], 0.75, 0.03);
    CHECK_NEAR(share[0] + share[1], 1, 1e-9);
}

/* Of times, a difference decides if the intervals are apart and it is larger than the margin. */
TEST(times_that_decide)
{
    static double x[][2] = {{1, 1}, {1.2, 1.2}, {1.03, 1.03}, {1.1, 1.5}};
    const double value[4][2] = {{5, NAN}, {5, NAN}, {5, NAN}, {5, NAN}};
    const bool rising[] = {false, false}, timed[] = {false, true};
    pb_pareto_time time[4][2] = {{{0}}};
    for (int i = 0; i < 4; i++)
        time[i][1] = (pb_pareto_time){x[i], 2, x[i][0] - 0.01, x[i][1] + 0.01};
    time[3][1].low = 0.9;
    pb_pareto_ties ties = {timed, time[0], 0.05, false};
    pb_pareto_points c = {
        .n = 4, .axes = 2, .seeds = 1, .value = value[0], .rising = rising, .scored = -1, .ties = &ties};
    double point[8], share[4];
    bool front[4];
    pb_stats_pareto_bootstrap(&c, 4000, 0, point, front, share);
    CHECK_NEAR(point[7], sqrt(1.1 * 1.5), 1e-9);
    CHECK(front[0] && !front[1] && front[2] && front[3]); /* beyond, within the margin, not resolved */
    CHECK(share[0] > 1 - 1e-9 && share[1] < 1e-9 && share[2] > 1 - 1e-9);
    CHECK(share[3] < 1e-9); /* in each sample it is slower by more than the margin: 1.1, 1.28 or 1.5 */
    ties.margin = 0.15;
    pb_stats_pareto_bootstrap(&c, 4000, 0, point, front, share);
    CHECK_NEAR(share[3], 0.25, 0.03); /* both drawn processes are the faster one */
    time[1][1].low = NAN;
    pb_stats_pareto_bootstrap(&c, 4000, 0, point, front, share);
    CHECK(front[1] && share[1] > 1 - 1e-9); /* without an interval nothing is decided, in no sample either */
}

/* The dominance of pb_stats_pareto on times with intervals, of which less is better, written anew. */
static bool is_over(int axes, const double *point, const pb_pareto_time *time, double margin, int i, int k)
{
    bool better = false;
    for (int j = 0; j < axes; j++) {
        double x = point[i * axes + j], y = point[k * axes + j];
        const pb_pareto_time *a = &time[i * axes + j], *b = &time[k * axes + j];
        bool apart = a->high < b->low || b->high < a->low;
        if (!apart || fabs(x - y) <= margin * fmin(x, y))
            continue;
        if (x > y)
            return false;
        better = true;
    }
    return better;
}

enum { MOST_POINTS = 9, MOST_AXES = 4 };

/* Returns whether dominance goes round in a circle: whether points are left when those without any above are taken away. */
static bool has_circle(int n, bool over[MOST_POINTS][MOST_POINTS])
{
    bool gone[MOST_POINTS] = {false};
    for (int left = n;;) {
        int before = left;
        for (int i = 0; i < n; i++) {
            bool under = gone[i];
            for (int k = 0; k < n && !under; k++)
                under = !gone[k] && over[k][i];
            left -= !under;
            gone[i] = gone[i] || !under;
        }
        if (left == before)
            return left > 0;
    }
}

/* Counts, of random points, the faults of their front: none on it, a point off it that none on it dominates, and, unless
 * dominance goes round in a circle, a point on it that another one on it dominates. */
static int count_faults(uint64_t seed, int axes, int *circles)
{
    pb_rng r = pb_rng_named(seed, "fronts");
    const bool rising[MOST_AXES] = {false}, timed[MOST_AXES] = {true, true, true, true};
    double point[MOST_POINTS * MOST_AXES];
    pb_pareto_time time[MOST_POINTS * MOST_AXES] = {{0}};
    bool front[MOST_POINTS], over[MOST_POINTS][MOST_POINTS];
    int n = 2 + (int)pb_rng_below(&r, MOST_POINTS - 1), faults = 0, on = 0;
    for (int k = 0; k < n * axes; k++) {
        double half = 0.6 * pb_rng_uniform(&r);
        point[k] = 1 + pb_rng_uniform(&r);
        time[k] = (pb_pareto_time){NULL, 0, point[k] - half, point[k] + half};
    }
    pb_stats_pareto(n, axes, point, rising, &(pb_pareto_ties){timed, time, 0.05, false}, front);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            over[i][k] = is_over(axes, point, time, 0.05, i, k);
    bool circle = has_circle(n, over);
    for (int i = 0; i < n; i++) {
        bool under = false;
        for (int k = 0; k < n; k++)
            under = under || (front[k] && over[k][i]);
        on += front[i];
        faults += front[i] ? under && !circle : !under;
    }
    *circles += circle;
    return faults + !on;
}

/* Ties of times are not transitive, and on three axes dominance may go round in a circle. */
TEST(fronts_are_stable)
{
    const double point[] = {1, 2, 3, 3, 1, 2, 2, 3, 1};
    const bool rising[] = {false, false, false}, timed[] = {true, true, true};
    pb_pareto_time time[9];
    for (int k = 0; k < 9; k++) /* the middle value is tied with both others */
        time[k] =
            (pb_pareto_time){NULL, 0, point[k] - (point[k] == 2 ? 0.9 : 0.4), point[k] + (point[k] == 2 ? 0.9 : 0.4)};
    pb_pareto_ties ties = {timed, time, 0.05, false};
    bool front[3];
    CHECK(is_over(3, point, time, 0.05, 0, 1) != is_over(3, point, time, 0.05, 1, 0));
    pb_stats_pareto(3, 3, point, rising, &ties, front);
    CHECK(front[0] && front[1] && front[2]);
    int faults = 0, circles[MOST_AXES + 1] = {0};
    for (uint64_t seed = 0; seed < 20000; seed++)
        for (int axes = 1; axes <= MOST_AXES; axes++)
            faults += count_faults(seed, axes, &circles[axes]);
    CHECK(!faults);
    CHECK(!circles[1] && circles[3] > 0); /* or the test has shown nothing */
}

/* A better score and a tied time: of three points the middle one is dominated, and dominates the last one, which is
 * faster than the first. */
TEST(fronts_have_no_gap)
{
    const double point[] = {0.9, 2, 0.8, 1.5, 0.7, 1};
    const bool rising[] = {true, false}, timed[] = {false, true};
    pb_pareto_time time[6] = {{0}};
    const double half[] = {0.3, 0.4, 0.3};
    for (int i = 0; i < 3; i++)
        time[2 * i + 1] = (pb_pareto_time){NULL, 0, point[2 * i + 1] - half[i], point[2 * i + 1] + half[i]};
    bool front[3];
    pb_stats_pareto(3, 2, point, rising, &(pb_pareto_ties){timed, time, 0.05, false}, front);
    CHECK(front[0] && !front[1] && front[2]);
}

static double mean_of(const double *sums, double count, const void *ctx)
{
    (void)ctx;
    return sums[0] / count;
}

TEST(p_of_a_pair)
{
    const double a[2 * 6] = {1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0}, b[2 * 6] = {0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0};
    pb_crossed x = {.seeds = 2, .examples = 6, .stats = 1, .x = a}, y = {.seeds = 2, .examples = 6, .stats = 1, .x = b};
    CHECK_NEAR(pb_stats_pair_p(&x, &y, 99, 0), 2.0 / 32, 1e-15); /* five differences, all of one sign */
    x.value = y.value = mean_of;                                 /* by pseudo-values, which a mean's are its scores */
    CHECK_NEAR(pb_stats_pair_p(&x, &y, 99, 0), 2.0 / 32, 1e-15);

    double all[40], some[40]; /* what is equal stays equal to the last bit: eight differences, no draws */
    for (int e = 0; e < 40; e++) {
        all[e] = 1;
        some[e] = e >= 8;
    }
    x = (pb_crossed){.seeds = 1, .examples = 40, .stats = 1, .x = all};
    y = (pb_crossed){.seeds = 1, .examples = 40, .stats = 1, .x = some};
    CHECK_NEAR(pb_stats_pair_p(&x, &y, 99, 0), 2.0 / 256, 1e-15);
}
