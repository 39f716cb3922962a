/* pareto: see pareto.h. */
#include "report/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "report/compare.h"

/* ---- rows and seeds -------------------------------------------------------------------------------------- */

/* Collects the rows that were scored on test and the seeds that all of them have. */
static int find_rows(pb_pareto *f)
{
    const pb_report *r = f->report;
    int all = r->experiment->seeds, *other = pb_alloc((size_t)all * sizeof *other);
    f->row = pb_alloc((size_t)r->experiment->rows * sizeof *f->row);
    f->seed = pb_alloc((size_t)all * sizeof *f->seed);
    for (int i = 0; i < r->experiment->rows; i++) {
        int n = pb_report_seeds(r, i, PB_TEST, other);
        if (!n)
            continue;
        if (!f->rows)
            memcpy(f->seed, other, (size_t)n * sizeof *other);
        f->seeds = f->rows ? pb_report_common(f->seeds, f->seed, n, other) : n;
        f->row[f->rows++] = i;
    }
    free(other);
    if (!f->rows)
        return pb_error("%s: no row has been scored on test yet; run `peftbench run %s`", r->experiment->name,
                        r->experiment->path);
    return f->seeds ? 0 : pb_error("%s: no seed was scored on test in every row", r->experiment->name);
}

/* ---- axes -------------------------------------------------------------------------------------------------- */

static double value_of(const pb_pareto *f, int row, int seed, const char *key)
{
    return pb_values_get(&f->report->row[f->row[row]].values[f->seed[seed]], pb_report_split(key), key);
}

static bool is_known(const pb_pareto *f, const char *key)
{
    for (int i = 0; i < f->rows; i++)
        for (int s = 0; s < f->seeds; s++)
            if (!isnan(value_of(f, i, s, key)))
                return true;
    return false;
}

static void add_axis(pb_pareto *f, const char *key, size_t n)
{
    f->key[f->axes] = pb_format("%.*s", (int)n, key);
    f->rising[f->axes] = pb_report_rising(f->report, f->key[f->axes]);
    f->timed[f->axes] = pb_report_is_time(f->key[f->axes]);
    f->axes++;
}

static int read_axes(pb_pareto *f, const char *axes)
{
    for (const char *at = axes;; at++) {
        size_t n = strcspn(at, ",");
        if (f->axes == PB_PARETO_AXES)
            return pb_error("--axes: want at most %d axes", PB_PARETO_AXES);
        add_axis(f, at, n);
        if (!is_known(f, f->key[f->axes - 1]))
            return pb_report_refuse_key(f->report, "--axes", f->key[f->axes - 1]);
        at += n;
        if (!*at)
            return 0;
    }
}

/* Selects those of the default axes that were measured. */
static void add_default_axes(pb_pareto *f)
{
    char primary[96];
    const char *axis[] = {pb_report_primary(f->report, PB_TEST, primary), "storage.stored", "memory.train.total",
                          "compute.train_flops", "overhead.prefill_ratio.b1"};
    for (size_t i = 0; i < PB_COUNT(axis); i++)
        if (is_known(f, axis[i]))
            add_axis(f, axis[i], strlen(axis[i]));
}

/* ---- Pareto front ----------------------------------------------------------------------------------------- */

/* Returns the index of the primary metric on test, whose values are also known for each example; -1 if it is not an
 * axis. */
static int find_score_axis(const pb_pareto *f)
{
    char primary[96];
    pb_report_primary(f->report, PB_TEST, primary);
    for (int j = 0; j < f->axes; j++)
        if (!strcmp(f->key[j], primary))
            return j;
    return -1;
}

static int read_scores(pb_pareto *f)
{
    for (int i = 0; i < f->rows; i++) {
        if (pb_report_scores(f->report, f->row[i], f->seed, f->seeds, PB_TEST, &f->score[i]))
            return -1;
        if (f->score[i].examples && f->score[0].examples && f->score[i].examples != f->score[0].examples)
            return pb_error("%s has %d predictions on test and %s has %d", f->report->row[f->row[i]].row->label,
                            f->score[i].examples, f->report->row[f->row[0]].row->label, f->score[0].examples);
    }
    f->examples = f->score[0].examples;
    for (int i = 0; i < f->rows; i++)
        f->examples = f->score[i].examples ? f->examples : 0;
    return 0;
}

/* Reads the times of a row and their intervals. */
static int read_time(const pb_pareto *f, int i, int j, pb_pareto_time *out)
{
    pb_interval v = pb_report_measured(f->report, f->row[i], f->key[j]);
    out->low = v.low;
    out->high = v.high;
    out->n = pb_report_times(f->report, f->row[i], f->key[j], &out->x);
    return out->n < 0 ? -1 : 0;
}

static int read_times(pb_pareto *f)
{
    int rc = 0;
    f->time = pb_alloc((size_t)f->rows * (size_t)f->axes * sizeof *f->time + 1);
    for (int i = 0; i < f->rows; i++)
        for (int j = 0; j < f->axes && !rc; j++)
            rc = f->timed[j] ? read_time(f, i, j, &f->time[i * f->axes + j]) : 0;
    return rc;
}

static void compute_front(pb_pareto *f, int scored)
{
    size_t rows = (size_t)f->rows, cells = rows * (size_t)f->axes;
    double *value = pb_alloc(cells * (size_t)f->seeds * sizeof *value), *v = value;
    pb_crossed *crossed = pb_alloc(rows * sizeof *crossed);
    for (int i = 0; i < f->rows; i++) {
        crossed[i] = pb_scores_crossed(&f->score[i]);
        for (int j = 0; j < f->axes; j++)
            for (int s = 0; s < f->seeds; s++)
                *v++ = value_of(f, i, s, f->key[j]);
    }
    pb_pareto_ties ties = {f->timed, f->time, pb_margins_default.ratio, false};
    pb_pareto_points c = {.n = f->rows,
                          .axes = f->axes,
                          .seeds = f->seeds,
                          .value = value,
                          .rising = f->rising,
                          .scored = f->examples ? scored : -1,
                          .score = crossed,
                          .ties = &ties};
    f->point = pb_alloc(cells * sizeof *f->point);
    f->on = pb_alloc(rows * sizeof *f->on);
    f->share = pb_alloc(rows * sizeof *f->share);
    pb_stats_pareto_bootstrap(&c, PB_PARETO_RESAMPLES, f->draws, f->point, f->on, f->share);
    free(value);
    free(crossed);
}

int pb_pareto_make(pb_pareto *f, const pb_report *r, const char *axes, uint64_t draws)
{
    *f = (pb_pareto){.report = r, .draws = draws};
    int rc = find_rows(f);
    if (!rc && axes)
        rc = read_axes(f, axes);
    else if (!rc)
        add_default_axes(f);
    int scored = find_score_axis(f);
    f->score = pb_alloc(((size_t)f->rows + 1) * sizeof *f->score);
    if (!rc && scored >= 0)
        rc = read_scores(f);
    if (!rc)
        rc = read_times(f);
    if (!rc)
        compute_front(f, scored);
    else
        pb_pareto_free(f);
    return rc ? -1 : 0;
}

void pb_pareto_free(pb_pareto *f)
{
    for (int j = 0; j < f->axes; j++)
        free(f->key[j]);
    for (int i = 0; i < f->rows; i++)
        pb_scores_free(&f->score[i]);
    for (int k = 0; f->time && k < f->rows * f->axes; k++)
        free(f->time[k].x);
    free(f->time);
    free(f->score);
    free(f->row);
    free(f->seed);
    free(f->point);
    free(f->on);
    free(f->share);
}

/* ---- printing ------------------------------------------------------------------------------------------------ */

/* Returns the index in f->row of a row of the experiment; -1 if it was not scored on test. */
static int index_of_row(const pb_pareto *f, int row)
{
    for (int i = 0; i < f->rows; i++)
        if (f->row[i] == row)
            return i;
    return -1;
}

static void print_head(const pb_pareto *f, FILE *out)
{
    int width = pb_experiment_label_width(f->report->experiment, 20);
    fprintf(out, "%s: %d row%s, %d seed%s", f->report->experiment->name, f->rows, f->rows == 1 ? "" : "s", f->seeds,
            f->seeds == 1 ? "" : "s");
    if (f->examples)
        fprintf(out, ", %d test examples", f->examples);
    fprintf(out, "\n%-*s", width, "row");
    for (int j = 0; j < f->axes; j++)
        fprintf(out, "  %12s", f->key[j]);
    fprintf(out, "  pareto    stays\n%-*s", width, "better is");
    for (int j = 0; j < f->axes; j++)
        fprintf(out, "  %*s", (int)(strlen(f->key[j]) > 12 ? strlen(f->key[j]) : 12),
                f->rising[j] ? "higher" : "lower");
    fputc('\n', out);
}

static void print_row(const pb_pareto *f, int i, FILE *out)
{
    const pb_report *r = f->report;
    fprintf(out, "%-*s", pb_experiment_label_width(r->experiment, 20), r->row[f->row[i]].row->label);
    for (int j = 0; j < f->axes; j++) {
        int width = (int)(strlen(f->key[j]) > 12 ? strlen(f->key[j]) : 12);
        double x = f->point[i * f->axes + j];
        if (isnan(x))
            fprintf(out, "  %*s", width, "-");
        else
            fprintf(out, "  %*.6g", width, x);
    }
    fprintf(out, "  %6s  %5.1f %%\n", f->on[i] ? "yes" : "no", 100 * f->share[i]);
}

/* Lists the rows that are left out or lack seeds, and explains the mark of a missing value. */
static void print_missing(const pb_pareto *f, FILE *out)
{
    const pb_experiment *e = f->report->experiment;
    int *seed = pb_alloc((size_t)e->seeds * sizeof *seed);
    for (int i = 0; i < e->rows; i++) {
        int n = pb_report_seeds(f->report, i, PB_TEST, seed);
        if (!n)
            fprintf(out, "%s: left out because it has no finished run that was scored on test\n", e->row[i].label);
        else if (n < e->seeds)
            fprintf(out,
                    "%s: %d of %d seeds were scored on test; every row is judged by the %d seed%s that all rows have\n",
                    e->row[i].label, n, e->seeds, f->seeds, f->seeds == 1 ? "" : "s");
    }
    free(seed);
    for (int k = 0; k < f->rows * f->axes; k++)
        if (isnan(f->point[k])) {
            fprintf(out, "-: the value was not measured and counts as the worst.\n");
            return;
        }
}

static bool has_time(const pb_pareto *f)
{
    bool has = false;
    for (int j = 0; j < f->axes; j++)
        has = has || f->timed[j];
    return has;
}

void pb_pareto_print(const pb_pareto *f, FILE *out)
{
    print_head(f, out);
    for (int i = 0; i < f->rows; i++)
        print_row(f, i, out);
    print_missing(f, out);
    pb_report_sweeps(f->report, "", out);
    fprintf(
        out,
        "pareto: yes if the row is on the Pareto front, that is, if no other row is at least as good on every axis\n"
        "and better on one.  stays: the share of %d bootstrap samples (seed %llu) in which it is on the front; each\n"
        "sample draws seeds%s, the same for all rows%s.\n",
        PB_PARETO_RESAMPLES, (unsigned long long)f->draws, f->examples ? " and examples" : "",
        has_time(f) ? ", and the processes that timed each row" : "");
    if (has_time(f))
        fprintf(
            out,
            "Differences of times within their 95 %% intervals count as ties, neither better nor worse; so do those of "
            "less\nthan %g %%, and those of a time without an interval.  In a sample overlapping intervals do not "
            "count.  Ties are not\ntransitive: a row is on the front if no row of the front is at least as good on "
            "every axis and better on one, or only\nrows in a circle are.\n",
            100 * pb_margins_default.ratio);
}

static void add_result(const pb_pareto *f, int i, pb_text *t)
{
    pb_text_add(t,
                ",\"pareto\":%s,\"share\":%.10g,\"resamples\":%d,\"seed\":%llu,\"seeds\":%d,\"examples\":%d,\"axes\":{",
                f->on[i] ? "true" : "false", f->share[i], PB_PARETO_RESAMPLES, (unsigned long long)f->draws, f->seeds,
                f->examples);
    for (int j = 0; j < f->axes; j++) {
        pb_text_add(t, j ? "," : "");
        pb_json_quote(t, f->key[j]);
        pb_text_add(t, ":");
        pb_json_put(t, f->point[i * f->axes + j]);
    }
    pb_text_add(t, "}");
}

void pb_pareto_json(const pb_pareto *f, FILE *out)
{
    const pb_experiment *e = f->report->experiment;
    for (int i = 0; i < e->rows; i++) {
        pb_text t = {0};
        int index = index_of_row(f, i);
        pb_text_add(&t, "{\"experiment\":");
        pb_json_quote(&t, e->name);
        pb_text_add(&t, ",\"row\":");
        pb_json_quote(&t, e->row[i].label);
        if (index < 0)
            pb_text_add(&t, ",\"pareto\":null,\"seeds\":0");
        else
            add_result(f, index, &t);
        fprintf(out, "%s}\n", t.data);
        pb_text_free(&t);
    }
}
