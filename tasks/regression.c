/* regression: predicts a number for each text.  A named task (tasks/NAME.ini) says which files and columns hold them.
 * The network has a head with one output, which is trained by the mean squared error. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *text, *label, *metric;
} conf;

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, text, TEXT, "text", "column with the texts, or two, `s1, s2`, for pairs of texts"),
    PB_OPTION(conf, label, TEXT, "label", "column with the numbers"),
    PB_OPTION(conf, metric, TEXT, "", "the primary metric: pearson, spearman or rmse; empty: pearson"),
    PB_FILES_OVERLAP("a text, or a pair,"),
    {0},
};

/* ---- loading ------------------------------------------------------------------------------ */

static int add_rows(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    const conf *c = settings;
    int text[2], label = pb_table_column(t, c->label);
    if (label < 0 || pb_files_columns(d, c->text, t, text))
        return -1;
    for (size_t row = 0; row < pb_table_rows(t); row++) {
        pb_example e = {.label = 0};
        const char *number = pb_table_get(t, row, label);
        if (pb_files_texts(d, c->text, t, row, text, &e))
            return -1;
        if (!pb_labels_number(number, &e.target))
            return pb_error("%s:%d: %s: want a finite number, got '%s'", pb_table_path(t, label),
                            pb_table_line(t, row, label), c->label, number);
        if (fabs(e.target) > (double)FLT_MAX)
            return pb_error("%s:%d: %s: want a number from -%.4g to %.4g, which a float has, got '%s'",
                            pb_table_path(t, label), pb_table_line(t, row, label), c->label, (double)FLT_MAX,
                            (double)FLT_MAX, number);
        pb_data_add_example(d, split, &e);
    }
    return 0;
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    pb_data_add_class(d, c->label); /* the head's output has the name of the column */
    if (pb_files_pair(d, c->text) || pb_files_load(d, &c->files, add_rows, c))
        return -1;
    pb_files_limit(d, &c->files);
    return 0;
}

/* ---- metrics ------------------------------------------------------------------------------- */

static double mean_of(int n, const double *x)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / n : 0;
}

/* The root mean squared error on test of always predicting the mean of train. */
static double guess_rmse(const pb_data *d)
{
    double mean = pb_data_mean(d), sum = 0;
    int tested = d->split[PB_TEST].count;
    for (int i = 0; i < tested; i++)
        sum += pow(d->split[PB_TEST].example[i].target - mean, 2) / tested;
    return sqrt(sum);
}

/* Sums of a correlation, of targets x and predictions y. */
enum { X, Y, XX, YY, XY, MOMENTS };

static int moments(const pb_scoring *s)
{
    (void)s;
    return MOMENTS;
}

/* Subtracts the mean, which changes no correlation and keeps the sums of squares exact; equal numbers become 0. */
static void center(int n, double *x)
{
    double mean = mean_of(n, x), least = INFINITY, most = -INFINITY;
    for (int i = 0; i < n; i++) {
        least = fmin(least, x[i]);
        most = fmax(most, x[i]);
    }
    for (int i = 0; i < n; i++)
        x[i] = least < most ? x[i] - mean : x[i] - x[i]; /* NaN stays visible */
}

static void gather_moments(int n, double *x, double *y, double *out)
{
    center(n, x);
    center(n, y);
    for (int i = 0; i < n; i++, out += MOMENTS) {
        out[X] = x[i];
        out[Y] = y[i];
        out[XX] = x[i] * x[i];
        out[YY] = y[i] * y[i];
        out[XY] = x[i] * y[i];
    }
}

static double *numbers_of(int n, const pb_prediction *p)
{
    double *x = pb_alloc(2 * (size_t)(n + 1) * sizeof *x);
    for (int i = 0; i < n; i++) {
        x[i] = p[i].target;
        x[n + i] = p[i].value;
    }
    return x;
}

static void gather_pearson(const pb_scoring *s, int n, const pb_prediction *p, double *out)
{
    (void)s;
    double *x = numbers_of(n, p);
    gather_moments(n, x, x + n, out);
    free(x);
}

static int by_number(const void *a, const void *b)
{
    const double *const *x = a, *const *y = b;
    return (**x > **y) - (**x < **y);
}

/* Replaces numbers by their ranks from 1, equal ones by the mean of their ranks. */
static void rank_numbers(int n, double *x)
{
    const double **sorted = pb_alloc((size_t)(n + 1) * sizeof *sorted);
    double *rank = pb_alloc((size_t)(n + 1) * sizeof *rank);
    for (int i = 0; i < n; i++)
        sorted[i] = &x[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_number);
    for (int i = 0, to; i < n; i = to) {
        for (to = i + 1; to < n && *sorted[to] == *sorted[i];)
            to++;
        for (int k = i; k < to; k++)
            rank[sorted[k] - x] = isnan(*sorted[k]) ? NAN : (i + 1 + to) / 2.0;
    }
    memcpy(x, rank, (size_t)n * sizeof *x);
    free(rank);
    free(sorted);
}

/* The ranks are those of the whole split, also where examples are resampled. */
static void gather_spearman(const pb_scoring *s, int n, const pb_prediction *p, double *out)
{
    (void)s;
    double *x = numbers_of(n, p);
    rank_numbers(n, x);
    rank_numbers(n, x + n);
    gather_moments(n, x, x + n, out);
    free(x);
}

/* Returns n sum x^2 - (sum x)^2; 0 if it is a rounding error, as of equal numbers. */
static double spread(double count, double sum, double squares)
{
    double all = count * squares, rest = all - sum * sum;
    return rest <= 1e-12 * all ? 0 : rest;
}

/* Pearson's r; 0, the value of a guess, where the predictions or the targets are all equal and it is not defined. */
static double correlation(const pb_scoring *s, const double *sums, double count)
{
    (void)s;
    double x = spread(count, sums[X], sums[XX]), y = spread(count, sums[Y], sums[YY]);
    if (x == 0 || y == 0)
        return 0;
    double r = (count * sums[XY] - sums[X] * sums[Y]) / sqrt(x) / sqrt(y);
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

static int one_square(const pb_scoring *s)
{
    (void)s;
    return 1;
}

static void gather_squares(const pb_scoring *s, int n, const pb_prediction *p, double *out)
{
    (void)s;
    for (int i = 0; i < n; i++)
        out[i] = (p[i].value - p[i].target) * (p[i].value - p[i].target);
}

static double root_of_mean(const pb_scoring *s, const double *sums, double count)
{
    (void)s;
    return sqrt(sums[0] < 0 ? 0 : sums[0] / count); /* less than 0: a rounding error of differences of sums */
}

static const pb_metric_info metrics[] = {
    {"pearson", true, pb_chance_zero, -1, 1, moments, gather_pearson, correlation},
    {"spearman", true, pb_chance_zero, -1, 1, moments, gather_spearman, correlation},
    {"rmse", false, guess_rmse, 0, 0, one_square, gather_squares, root_of_mean},
    {0},
};

const pb_task pb_task_regression = {
    .name = "regression",
    .help = "Predicts numbers from texts.  Reads TSV, CSV or JSON Lines with named columns.",
    .answer_kind = PB_ANSWER_NUMBER,
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
};
