/* report: see report.h. */
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/retained.h"
#include "results/timing.h"
#include "train/value_keys.h"

/* ---- reading ------------------------------------------------------------------------------------------ */

/* Returns true for values that depend on the text of [retention]. */
static bool is_of_text(const char *key)
{
    return !strncmp(key, "retention.", 10);
}

/* Leaves out the values of a run that were measured on other text than that of [retention]. */
static int drop_other_text(const pb_report *r, pb_report_row *row, int seed)
{
    const pb_retention_text *text = r->experiment->retention_text;
    char *measured = NULL;
    if (!text)
        return 0;
    int rc = pb_store_provenance_get(r->store, row->id[seed], PB_RETENTION_TEXT, &measured);
    bool other = measured && strcmp(measured, text->identity) != 0;
    for (size_t i = 0; i < row->values[seed].count && other; i++)
        if (is_of_text(row->values[seed].value[i].key))
            row->values[seed].value[i].value = NAN;
    row->other_text += other;
    free(measured);
    return rc;
}

static int read_row(pb_report *r, int row)
{
    const pb_selection *s = &r->selections.row[row];
    pb_report_row *to = &r->row[row];
    *to = (pb_report_row){.row = s->row, .choice = s->choice, .id = s->run, .failed = s->failed};
    to->values = pb_alloc((size_t)(r->experiment->seeds + 1) * sizeof *to->values);
    char key[96];
    for (int i = 0; i < r->experiment->seeds; i++) {
        if (!to->id[i])
            continue;
        if (pb_store_values(r->store, to->id[i], &to->values[i]) || drop_other_text(r, to, i))
            return -1;
        to->finished++;
        to->diverged += isnan(pb_values_get(&to->values[i], PB_VALIDATION, pb_report_primary(r, PB_VALIDATION, key)));
    }
    return 0;
}

int pb_report_make(pb_report *r, pb_store *s, const pb_experiment *e, bool any_version)
{
    *r = (pb_report){.store = s, .experiment = e};
    if (pb_selections_make(&r->selections, s, e, any_version ? PB_SELECT_ANY_VERSION : 0))
        return -1;
    r->row = pb_alloc((size_t)(e->rows + 1) * sizeof *r->row);
    int rc = 0;
    for (int i = 0; i < e->rows && !rc; i++)
        rc = read_row(r, i);
    if (rc)
        pb_report_free(r);
    return rc;
}

void pb_report_free(pb_report *r)
{
    for (int i = 0; r->row && i < r->experiment->rows; i++) {
        for (int k = 0; r->row[i].values && k < r->experiment->seeds; k++)
            pb_values_free(&r->row[i].values[k]);
        free(r->row[i].values);
        for (int k = 0; k < PB_SPLITS; k++)
            pb_scores_free(&r->row[i].scores[k]);
    }
    free(r->row);
    pb_selections_free(&r->selections);
}

int pb_report_others(const pb_report *r, int row)
{
    const pb_selection *s = &r->selections.row[row];
    int n = s->row->other_code ? s->finished : 0;
    for (int i = s->first; r->selections.other && i < s->first + s->cells; i++)
        n += r->selections.other[i].run != 0;
    return n;
}

/* ---- values ------------------------------------------------------------------------------------------- */

const char *pb_report_primary(const pb_report *r, pb_split split, char out[96])
{
    snprintf(out, 96, "accuracy.%s.%s", pb_split_name[split], r->experiment->primary->name);
    return out;
}

static double value_of(const pb_report *r, int row, int seed, int split, const char *key)
{
    return pb_values_get(&r->row[row].values[seed], split, key);
}

int pb_report_baseline(const pb_report *r)
{
    return (int)(pb_experiment_row(r->experiment, r->experiment->baseline) - r->experiment->row);
}

int pb_report_seeds(const pb_report *r, int row, pb_split split, int *seed)
{
    char key[96];
    int n = 0;
    pb_report_primary(r, split, key);
    for (int i = 0; i < r->experiment->seeds; i++) {
        if (isnan(value_of(r, row, i, split, key)))
            continue;
        if (seed)
            seed[n] = i;
        n++;
    }
    return n;
}

/* Reads the scores of n seeds. */
static int read_scores(const pb_report *r, int row, const int *seed, int n, pb_split split, pb_scores *out)
{
    long long *run = pb_alloc((size_t)n * sizeof *run + 1);
    for (int i = 0; i < n; i++)
        run[i] = r->row[row].id[seed[i]];
    int rc = pb_scores_read(r->store, r->experiment->task, r->experiment->primary, run, n, split, out);
    free(run);
    return rc;
}

int pb_report_scores(const pb_report *r, int row, const int *seed, int n, pb_split split, pb_scores *out)
{
    pb_scores *all = &r->row[row].scores[split];
    int *known = pb_alloc((size_t)r->experiment->seeds * sizeof *known), m = pb_report_seeds(r, row, split, known);
    int rc = all->x ? 0 : read_scores(r, row, known, m, split, all);
    *out = *all;
    out->seeds = n;
    out->examples = n ? all->examples : 0;
    size_t size = (size_t)all->examples * (size_t)all->stats;
    out->x = rc ? NULL : pb_alloc((size_t)n * size * sizeof *out->x + 1);
    for (int i = 0, k = 0; i < n && !rc; i++) {
        while (k < m && known[k] != seed[i])
            k++;
        PB_CHECK(k < m);
        memcpy(out->x + (size_t)i * size, all->x + (size_t)k * size, size * sizeof *out->x);
    }
    free(known);
    return rc;
}

int pb_report_common(int n, int *seed, int m, const int *other)
{
    int common = 0;
    for (int i = 0, k = 0; i < n && k < m;)
        if (seed[i] == other[k]) {
            seed[common++] = seed[i++];
            k++;
        } else if (seed[i] < other[k]) {
            i++;
        } else {
            k++;
        }
    return common;
}

int pb_report_pair(const pb_report *r, int row, int other_row, pb_split split, pb_scores *a, pb_scores *b)
{
    int seeds = r->experiment->seeds;
    int *seed = pb_alloc((size_t)seeds * 2 * sizeof *seed), *other = seed + seeds;
    int n = pb_report_seeds(r, row, split, seed);
    n = pb_report_common(n, seed, pb_report_seeds(r, other_row, split, other), other);
    int rc = pb_report_scores(r, row, seed, n, split, a) || pb_report_scores(r, other_row, seed, n, split, b) ? -1 : 0;
    if (!rc && a->examples != b->examples)
        rc = pb_error("%s has %d predictions on %s and %s has %d", r->row[row].row->label, a->examples,
                      pb_split_name[split], r->row[other_row].row->label, b->examples);
    free(seed);
    return rc;
}

static pb_interval over_seeds(const pb_report *r, int row, int minus, int split, const char *key)
{
    int seeds = r->experiment->seeds;
    double *x = pb_alloc((size_t)seeds * sizeof *x);
    for (int i = 0; i < seeds; i++)
        x[i] = value_of(r, row, i, split, key) - (minus < 0 ? 0 : value_of(r, minus, i, split, key));
    pb_interval out = pb_stats_mean(seeds, x);
    free(x);
    return out;
}

/* Computes the interval of the primary metric over seeds and examples.  Returns false if no predictions are stored, or
 * if their numbers differ (with an error). */
static bool over_examples(const pb_report *r, int row, int minus, pb_split split, pb_interval *out)
{
    bool pair = minus >= 0;
    pb_scores a = {.x = NULL}, b = {.x = NULL};
    int *seed = pb_alloc((size_t)r->experiment->seeds * sizeof *seed), n = pb_report_seeds(r, row, split, seed);
    int rc = pair ? pb_report_pair(r, row, minus, split, &a, &b) : pb_report_scores(r, row, seed, n, split, &a);
    pb_crossed x = pb_scores_crossed(&a), y = pb_scores_crossed(&b);
    bool known = !rc && a.examples > 0;
    if (known)
        *out = pair ? pb_stats_pair(&x, &y, NULL) : pb_stats_row(&x, NULL);
    pb_scores_free(&a);
    pb_scores_free(&b);
    free(seed);
    return known;
}

/* Returns the metric of a key such as "accuracy.test.mcc"; a metric without bounds if the task does not have it. */
static const pb_metric_info *metric_of(const pb_report *r, const char *key)
{
    static const pb_metric_info any = {.name = NULL};
    const char *name = strrchr(key, '.');
    for (const pb_metric_info *m = r->experiment->task->metrics; name && m->name; m++)
        if (!strcmp(name + 1, m->name))
            return m;
    return &any;
}

/* Cuts an interval of a value of whole runs to the values that are possible: bytes, FLOPs, times, shares of time and
 * most others are not negative. */
static pb_interval within_bounds(const char *key, pb_interval v)
{
    bool is_signed = !strncmp(key, "retention.loss_delta", 20) || !strncmp(key, "retention.score", 15);
    bool is_share = strstr(key, "contention") || !strcmp(key, "retention.cka") || !strcmp(key, "geometry.overlap");
    if (v.low < 0 && !is_signed)
        v.low = 0;
    if (v.high > 1 && is_share)
        v.high = 1;
    return v;
}

/* The value of a row, less that of row `minus` unless it is -1. */
static pb_interval interval_of(const pb_report *r, int row, int minus, int split, const char *key)
{
    bool pair = minus >= 0;
    char primary[96];
    pb_interval out;
    if (split < 0) {
        out = over_seeds(r, row, minus, split, key);
        return pair ? out : within_bounds(key, out);
    }
    if (strcmp(key, pb_report_primary(r, (pb_split)split, primary)) != 0 ||
        !over_examples(r, row, minus, (pb_split)split, &out))
        out = over_seeds(r, row, minus, split, key);
    return pb_score_within(metric_of(r, key), pair, out);
}

pb_interval pb_report_value(const pb_report *r, int row, int split, const char *key)
{
    return interval_of(r, row, -1, split, key);
}

pb_interval pb_report_score(const pb_report *r, int row, pb_split split)
{
    char key[96];
    return pb_report_value(r, row, (int)split, pb_report_primary(r, split, key));
}

pb_interval pb_report_difference(const pb_report *r, int row, int split, const char *key)
{
    return interval_of(r, row, pb_report_baseline(r), split, key);
}

pb_interval pb_report_between(const pb_report *r, int row, int other, pb_split split)
{
    char key[96];
    return interval_of(r, row, other, (int)split, pb_report_primary(r, split, key));
}

double pb_report_single(const pb_report *r, int row, const char *key)
{
    for (int i = 0; i < r->experiment->seeds; i++) {
        double value = value_of(r, row, i, -1, key);
        if (!isnan(value))
            return value;
    }
    return NAN;
}

int pb_report_times(const pb_report *r, int row, const char *key, double **x)
{
    return pb_timing_processes(r->store, r->row[row].id, r->experiment->seeds, key, x);
}

/* ---- settings ----------------------------------------------------------------------------------------- */

const char *pb_report_setting(const pb_report *r, int row, const char *key)
{
    const pb_experiment *e = r->experiment;
    const pb_selection *s = &r->selections.row[row];
    const pb_cell *cell = &e->cell[s->first];
    const char *value = pb_settings_get(cell[s->choice ? s->at * e->seeds : 0].settings, key);
    for (int k = 0; value && !s->choice && k < s->row->choices; k++)
        if (strcmp(value, pb_settings_get(cell[k * e->seeds].settings, key)) != 0)
            return NULL;
    return value;
}

int pb_report_split(const char *key)
{
    for (int s = 0; s < PB_SPLITS; s++) {
        size_t n = strlen(pb_split_name[s]);
        if (!strncmp(key, "accuracy.", 9) && !strncmp(key + 9, pb_split_name[s], n) && key[9 + n] == '.')
            return s;
    }
    return -1;
}

bool pb_report_rising(const pb_report *r, const char *key)
{
    static const char *const rising[] = {"compute.tokens_per_s", "compute.gflops", "compute.gemm_limit",
                                         "retention.cka"};
    for (size_t i = 0; i < PB_COUNT(rising); i++)
        if (!strcmp(key, rising[i]))
            return true;
    if (!strncmp(key, "retention.score.", 16))
        return r->experiment->primary->higher_is_better;
    const char *name = pb_report_split(key) < 0 ? "" : strrchr(key, '.') + 1;
    for (const pb_metric_info *m = r->experiment->task->metrics; m->name; m++)
        if (!strcmp(m->name, name))
            return m->higher_is_better;
    return false;
}

typedef struct ordered {
    double loss; /* the value, negated if more is better */
    int row;
} ordered;

/* By value, rows without one last, and the order of the file among equals. */
static int by_loss(const void *a, const void *b)
{
    const ordered *x = a, *y = b;
    int missing = isnan(x->loss) - isnan(y->loss);
    return missing ? missing : x->loss < y->loss ? -1 : x->loss > y->loss ? 1 : x->row - y->row;
}

int pb_report_order(const pb_report *r, const char *key, int *order)
{
    int rows = r->experiment->rows, known = 0;
    ordered *all = pb_alloc((size_t)rows * sizeof *all);
    for (int i = 0; i < rows; i++) {
        double mean = pb_report_value(r, i, pb_report_split(key), key).middle;
        all[i] = (ordered){pb_report_rising(r, key) ? -mean : mean, i};
        known += !isnan(mean);
    }
    qsort(all, (size_t)rows, sizeof *all, by_loss);
    for (int i = 0; i < rows; i++)
        order[i] = all[i].row;
    free(all);
    return known;
}

int pb_report_refuse_key(const pb_report *r, const char *option, const char *key)
{
    const pb_experiment *e = r->experiment;
    bool exists = pb_value_key_exists(e->task, key);
    char *near = exists ? pb_strdup("") : pb_value_key_near(e->task, key);
    pb_error("%s: no run of %s has a value '%s'%s", option, e->name, key,
             *near ? near : "; `peftbench table --json` lists the keys");
    free(near);
    return -1;
}

int pb_report_sort(const pb_report *r, const char *key, int *order)
{
    return pb_report_order(r, key, order) ? 0 : pb_report_refuse_key(r, "--sort", key);
}

bool pb_report_is_time(const char *key)
{
    static const char *const time[] = {"compute.step_ms", "compute.tokens_per_s", "compute.gflops",
                                       "compute.train_seconds"};
    for (size_t i = 0; i < PB_COUNT(time); i++)
        if (!strcmp(key, time[i]))
            return true;
    return !strncmp(key, "overhead.", 9) && (strstr(key, "_ratio") || strstr(key, "_ms"));
}

pb_interval pb_report_measured(const pb_report *r, int row, const char *key)
{
    char low[96], high[96];
    pb_interval v = pb_report_value(r, row, pb_report_split(key), key);
    snprintf(low, sizeof low, "%s.low", key);
    snprintf(high, sizeof high, "%s.high", key);
    if (isnan(v.low)) {
        v.low = pb_report_single(r, row, low);
        v.high = pb_report_single(r, row, high);
    }
    return v;
}

/* ---- what is missing ---------------------------------------------------------------------------------- */

void pb_report_sweeps(const pb_report *r, const char *prefix, FILE *out)
{
    for (int i = 0; i < r->experiment->rows; i++) {
        const pb_selection *s = &r->selections.row[i];
        pb_text line = {0};
        if (s->row->choices == 1 && s->finished == s->needed)
            continue; /* one setting, and no run is missing */
        pb_selection_describe(s, r->experiment->seeds, &line);
        fprintf(out, "%s%s\n", prefix, line.data);
        pb_text_free(&line);
    }
}

void pb_report_seeds_left(const pb_report *r, int row, const char *prefix, FILE *out)
{
    const pb_report_row *x = &r->row[row];
    int seeds = r->experiment->seeds;
    if (x->choice && (x->finished < seeds || x->diverged))
        fprintf(out, "%s%s: %d of %d seeds are finished, %d of them diverged; %d runs failed\n", prefix, x->row->label,
                x->finished, seeds, x->diverged, x->failed);
}
