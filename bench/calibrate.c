/* calibrate: the coverage of the intervals of src/stats and the error rates of its tests, in simulated studies whose true
 * value is known.  `make calibrate` prints the table of docs/statistics.md.
 *
 * An answer is right with probability Phi(mu + d_example + a_seed + b_seed,example): normal effects, so that the truth
 * is Phi(mu / sqrt(1 + their variances)). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "stats/special.h"
#include "stats/stats.h"

typedef struct world {
    double mu, example, seed, rest; /* standard deviations of the effects */
} world;

static double truth(const world *w)
{
    return pb_normal_cdf(w->mu / sqrt(1 + w->example * w->example + w->seed * w->seed + w->rest * w->rest));
}

/* x [seeds, n]: right or not; `hard` [n]: the examples' effects. */
static void answer(pb_rng *r, const world *w, int seeds, int n, const double *hard, double *x)
{
    for (int s = 0; s < seeds; s++) {
        double own = w->seed * pb_rng_normal(r);
        for (int e = 0; e < n; e++) {
            double p = pb_normal_cdf(w->mu + w->example * hard[e] + own + w->rest * pb_rng_normal(r));
            x[s * n + e] = pb_rng_uniform(r) < p;
        }
    }
}

static void draw_examples(pb_rng *r, int n, double *hard)
{
    for (int e = 0; e < n; e++)
        hard[e] = pb_rng_normal(r);
}

static bool holds(pb_interval v, double x)
{
    return v.low <= x + 1e-12 && x - 1e-12 <= v.high;
}

/* t over the seeds' means alone: what is usually printed; it knows nothing of other examples. */
static pb_interval of_seeds(int seeds, int n, const double *x)
{
    double mean[16] = {0};
    for (int s = 0; s < seeds; s++)
        for (int e = 0; e < n; e++)
            mean[s] += x[s * n + e] / n;
    return pb_stats_mean(seeds, mean);
}

/* ---- coverage -------------------------------------------------------------------------------------------------- */

static void cover(const char *name, const world *w, int seeds, int n, int studies)
{
    pb_rng r = pb_rng_named(1, name);
    double *hard = pb_alloc((size_t)n * sizeof *hard), *x = pb_alloc((size_t)(seeds * n) * sizeof *x),
           *y = pb_alloc((size_t)(seeds * n) * sizeof *y);
    int row = 0, pair = 0, usual = 0, boot = 0, boots = 0, no = 0;
    const world better = {w->mu + 0.1, w->example, w->seed, w->rest};
    double gain = truth(&better) - truth(w);
    for (int i = 0; i < studies; i++) {
        draw_examples(&r, n, hard);
        answer(&r, w, seeds, n, hard, x);
        answer(&r, &better, seeds, n, hard, y);
        pb_crossed a = {.seeds = seeds, .examples = n, .stats = 1, .x = x},
                   b = {.seeds = seeds, .examples = n, .stats = 1, .x = y};
        row += holds(pb_stats_row(&a, NULL), truth(w));
        usual += holds(of_seeds(seeds, n, x), truth(w));
        pair += holds(pb_stats_pair(&b, &a, NULL), gain);
        if (i < studies / 10) {
            boot += holds(pb_stats_bootstrap(&b, &a, 400, (uint64_t)i), gain);
            boots++;
        }
        answer(&r, w, seeds, n, hard, y); /* the same method twice */
        no += !holds(pb_stats_pair(&b, &a, NULL), 0);
    }
    printf("%-22s %5d %8d   %5.1f %%  %5.1f %%      %5.1f %%  %5.1f %%       %4.1f %%\n", name, seeds, n,
           100.0 * row / studies, 100.0 * usual / studies, 100.0 * pair / studies, 100.0 * boot / boots,
           100.0 * no / studies);
    free(hard);
    free(x);
    free(y);
}

/* ---- few examples, and shares near the end ------------------------------------------------------------------------- */

enum { MOST_EXAMPLES = 50, MOST_SEEDS = 5 };

typedef struct answers {
    double x[MOST_SEEDS * MOST_EXAMPLES];
    double truth; /* of other seeds and examples; of one seed: of other examples, asked of this seed */
} answers;

static void answer_few(pb_rng *r, const world *w, int seeds, int n, const double *hard, answers *out)
{
    world one = *w;
    if (seeds == 1) {
        one.mu += w->seed * pb_rng_normal(r);
        one.seed = 0;
    }
    answer(r, &one, seeds, n, hard, out->x);
    out->truth = truth(&one);
}

/* How often the intervals hold the truth, at a share `right` of right answers; a pair is a method beside a better one,
 * and beside itself with other draws. */
static void cover_few(double right, int seeds, int n, int studies)
{
    static answers a, b, again;
    double hard[MOST_EXAMPLES], width = 0, apart = 0;
    world w = {0, 1, 0.08, 0.3};
    w.mu = right < 1 ? pb_normal_quantile(right) * sqrt(1 + 1 + w.seed * w.seed + w.rest * w.rest) : 50;
    const world better = {w.mu + 0.4, w.example, w.seed, w.rest};
    pb_rng r = pb_rng_named(3, "few");
    int row = 0, pair = 0, no = 0;
    for (int i = 0; i < studies; i++) {
        draw_examples(&r, n, hard);
        answer_few(&r, &w, seeds, n, hard, &a);
        answer_few(&r, &better, seeds, n, hard, &b);
        answer_few(&r, &w, seeds, n, hard, &again);
        pb_crossed x = {.seeds = seeds, .examples = n, .stats = 1, .x = a.x}, y = x, z = x;
        y.x = b.x;
        z.x = again.x;
        pb_interval v = pb_stats_row(&x, NULL), d = pb_stats_pair(&y, &x, NULL);
        row += holds(v, a.truth);
        pair += holds(d, b.truth - a.truth);
        no += !holds(pb_stats_pair(&z, &x, NULL), again.truth - a.truth);
        width += (v.high - v.low) / studies;
        apart += (d.high - d.low) / studies;
    }
    printf("%8.2f %5d %8d   %5.1f %%  %6.3f    %5.1f %%  %6.3f       %4.1f %%\n", right, seeds, n,
           100.0 * row / studies, width, 100.0 * pair / studies, apart, 100.0 * no / studies);
}

static void cover_edges(int studies)
{
    static const double right[] = {0.5, 0.9, 0.99, 1};
    static const int seeds[] = {1, 2, 3, 5}, examples[] = {5, 20, MOST_EXAMPLES};
    printf("\nfew examples, and shares near the end (seeds vary):\n%8s %5s %8s   %7s  %6s    %7s  %6s   %s\n", "right",
           "seeds", "examples", "row", "width", "pair", "width", "A/A rejected");
    for (size_t i = 0; i < PB_COUNT(right); i++)
        for (size_t s = 0; s < PB_COUNT(seeds); s++)
            for (size_t e = 0; e < PB_COUNT(examples); e++)
                cover_few(right[i], seeds[s], examples[e], studies);
}

/* ---- tests under no difference ---------------------------------------------------------------------------------- */

static void reject(int studies)
{
    enum { N = 300, K = 5, SETS = 12 };
    static double hard[N], x[N], y[N], d[N], score[SETS * K], rank[K];
    const world w = {0.8, 1, 0, 0.3};
    pb_rng r = pb_rng_named(2, "reject");
    int mcnemar = 0, turns = 0, friedman = 0, few = 0, family = 0, ratio = 0;
    for (int i = 0; i < studies; i++) {
        int only[2] = {0};
        double p[K];
        draw_examples(&r, N, hard);
        answer(&r, &w, 1, N, hard, x);
        for (int k = 0; k < K; k++) {
            answer(&r, &w, 1, N, hard, y);
            memset(only, 0, sizeof only);
            for (int e = 0; e < N; e++) {
                d[e] = y[e] - x[e];
                only[0] += d[e] > 0;
                only[1] += d[e] < 0;
            }
            p[k] = pb_stats_mcnemar(only[0], only[1]);
        }
        mcnemar += p[0] < 0.05;
        turns += pb_stats_permutation(N, d, 199, (uint64_t)i) < 0.05;
        pb_stats_holm(K, p);
        bool any = false;
        for (int k = 0; k < K; k++)
            any |= p[k] < 0.05;
        family += any;
        for (int k = 0; k < SETS * K; k++)
            score[k] = pb_rng_normal(&r);
        friedman += pb_stats_friedman(SETS, K, score, rank).f_p < 0.05;
        few += pb_stats_friedman_p(3, K, score, 199, (uint64_t)i) < 0.05;
        for (int k = 0; k < 2 * K; k++) /* two sides of K processes, each with its own luck */
            d[k] = exp(0.03 * pb_rng_normal(&r));
        ratio += !holds(pb_stats_quotient(K, d, K, d + K, &p[0]), 1);
    }
    const struct {
        const char *name;
        int count;
    } row[] = {{"exact McNemar", mcnemar},
               {"permutation of signs", turns},
               {"Holm, any of 5", family},
               {"Friedman (Iman-Davenport), 5 methods, 12 sets", friedman},
               {"Friedman, by permutation, 5 methods, 3 sets", few},
               {"ratio of times, 5 processes each", ratio}};
    for (size_t i = 0; i < PB_COUNT(row); i++)
        printf("%-46s %4.1f %%\n", row[i].name, 100.0 * row[i].count / studies);
}

int main(int argc, char **argv)
{
    int studies = argc > 1 ? atoi(argv[1]) : 2000;
    const struct {
        const char *name;
        world w;
    } row[] = {{"seeds vary little", {0.8, 1, 0.02, 0.3}},
               {"seeds vary", {0.8, 1, 0.08, 0.3}},
               {"seeds vary a lot", {0.8, 1, 0.25, 0.3}}};
    static const int seeds[] = {2, 3, 5, 10}, examples[] = {100, 300, 1000};
    printf("%d studies a line; nominal 95 %%, 5 %%\n\n", studies);
    printf("%-22s %5s %8s   %7s  %7s      %7s  %9s   %s\n", "", "seeds", "examples", "row", "t only", "pair",
           "bootstrap", "A/A rejected");
    for (size_t i = 0; i < PB_COUNT(row); i++)
        for (size_t s = 0; s < PB_COUNT(seeds); s++)
            for (size_t e = 0; e < PB_COUNT(examples); e++)
                cover(row[i].name, &row[i].w, seeds[s], examples[e], studies);
    cover_edges(studies);
    printf("\nrejected at 5 %% under no difference:\n");
    reject(studies);
    return 0;
}
