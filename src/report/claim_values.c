/* claim_values: the effects of claims, from plans and from stored runs. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "driver/run.h"
#include "experiment/experiment_reader.h"
#include "report/claim_plan.h"
#include "report/claims.h"
#include "report/report.h"
#include "train/value_keys.h"

/* An experiment that claims name, which is read once, and its stored runs, once a claim needs them. */
typedef struct source {
    const char *path;
    pb_experiment *experiment;
    pb_bench bench;
    pb_store *store; /* NULL: there is no database, or nothing has asked for it */
    pb_report report;
    bool opened, uninstalled; /* uninstalled: its model is not there, so its runs cannot be identified */
    bool *used;               /* [rows] whether a claim is judged by the row's runs                    */
} source;

typedef struct estimator {
    const char *db;
    bool any_version;
    source *source; /* [sources] */
    int sources;
} estimator;

/* ---- experiments ----------------------------------------------------------------------------------------------- */

/* Takes the experiment of a task, or of the only one, out of those of a file.  Returns NULL if there is none. */
static pb_experiment *take_task(pb_experiments *x, const char *task)
{
    for (int i = 0; i < x->tasks; i++)
        if (task ? !strcmp(x->task[i]->task_name, task) : x->tasks == 1) {
            pb_experiment *e = x->task[i];
            x->task[i] = x->task[--x->tasks];
            return e;
        }
    return NULL;
}

/* Reads FILE, or of several tasks FILE@TASK.  Returns NULL with an error. */
static pb_experiment *read_experiment(const char *name)
{
    const char *at = pb_file_exists(name) ? NULL : strrchr(name, '@');
    char *path = at ? pb_format("%.*s", (int)(at - name), name) : pb_strdup(name);
    pb_experiments all = {.tasks = 0};
    pb_experiment *e = pb_experiments_read(&all, path, NULL, NULL) ? NULL : take_task(&all, at ? at + 1 : NULL);
    if (!e && all.tasks)
        pb_error("experiment: '%s' names no task of the file; want such as %s@%s", name, path, all.task[0]->task_name);
    pb_experiments_free(&all);
    free(path);
    return e;
}

/* Returns the source of an experiment, or NULL with an error. */
static source *find_source(estimator *x, const char *path)
{
    for (int i = 0; i < x->sources; i++)
        if (!strcmp(x->source[i].path, path))
            return &x->source[i];
    source *s = &x->source[x->sources];
    *s = (source){.path = path, .experiment = read_experiment(path)};
    if (!s->experiment)
        return NULL;
    s->used = pb_alloc((size_t)(s->experiment->rows + 1) * sizeof *s->used);
    x->sources++;
    return s;
}

static bool has_model(const pb_experiment *e)
{
    char *path = pb_find_installed(e->model_path);
    bool found = pb_file_exists(path);
    free(path);
    return found;
}

/* Opens the stored runs, if the database exists and the model, whose digest identifies them. */
static int open_runs(const estimator *x, source *s)
{
    if (s->opened || s->uninstalled || !pb_file_exists(x->db))
        return 0;
    s->uninstalled = !has_model(s->experiment);
    if (s->uninstalled)
        return 0;
    if (pb_bench_open(&s->bench, s->experiment, x->db))
        return -1;
    s->opened = true;
    if (!(s->store = pb_store_read(x->db)))
        return -1;
    if (!pb_report_make(&s->report, s->store, s->experiment, x->any_version))
        return 0;
    pb_store_close(s->store);
    s->store = NULL;
    return -1;
}

/* Closes the sources.  Returns how many runs that claims use are of another version, or -1 with an error. */
static int close_sources(estimator *x)
{
    int others = 0, rc = 0;
    for (int i = 0; i < x->sources; i++) {
        source *s = &x->source[i];
        for (int k = 0; s->store && k < s->experiment->rows; k++)
            others += s->used[k] ? pb_report_others(&s->report, k) : 0;
        if (s->store) {
            pb_report_free(&s->report);
            rc = pb_store_close(s->store) || rc;
        }
        if (s->opened)
            pb_bench_close(&s->bench);
        pb_experiment_free(s->experiment);
        free(s->used);
    }
    free(x->source);
    return rc ? -1 : others;
}

/* Returns the index of a row, or -1 with an error. */
static int row_of(const pb_experiment *e, const char *column, const char *label)
{
    const pb_row *row = pb_experiment_row(e, label);
    return row ? (int)(row - e->row) : pb_experiment_refuse_row(e, column, label);
}

static double effect_of(const pb_claim *c, double a, double b)
{
    return c->says.of == PB_CLAIM_VALUE ? a : c->says.of == PB_CLAIM_RATIO ? a / b : a - b;
}

static bool has_no_ratio(const pb_claim *c)
{
    return c->says.of == PB_CLAIM_RATIO && c->value[1] == 0;
}

static int estimate_plan(pb_claim *c, const pb_experiment *e, int a, int b)
{
    const char *key_b = *c->key_b ? c->key_b : c->key;
    if (pb_claim_plan(e, a, c->key, c->plan, &c->value[0]))
        return -1;
    if (b >= 0 && pb_claim_plan(e, b, key_b, c->plan, &c->value[1]))
        return -1;
    if (has_no_ratio(c))
        return pb_error("relation: '%s' of %s is 0, so there is no ratio; want a difference", key_b, c->b);
    c->effect = pb_estimate_exact(effect_of(c, c->value[0], c->value[1]));
    return 0;
}

/* ---- values of runs -------------------------------------------------------------------------------------------- */

/* Whether the values of a key are computed exactly, and not measured or learned. */
static bool is_exact(const char *key)
{
    static const char *const exact[] = {"storage.",
                                        "memory.",
                                        "compute.forward_flops",
                                        "compute.backward_flops",
                                        "compute.recompute_flops",
                                        "compute.train_flops",
                                        "compute.prepare_flops",
                                        "overhead.flops",
                                        "overhead.kv_bytes",
                                        "overhead.prompt_"};
    for (size_t i = 0; i < PB_COUNT(exact); i++)
        if (pb_begins_with(key, exact[i]))
            return !pb_ends_in(key, ".rss");
    return false;
}

static double value_of(const pb_report *r, int row, int seed, const char *key)
{
    return pb_values_get(&r->row[row].values[seed], pb_report_split(key), key);
}

/* Whether every seed of a row has a value; of what is measured for one seed alone, whether that one has it.  If not,
 * the note says what is missing. */
static bool has_values(pb_claim *c, const pb_report *r, int row, const char *key)
{
    int seeds = r->experiment->seeds, known = 0;
    if (pb_begins_with(key, "overhead.") && !isnan(pb_report_single(r, row, key)))
        return true;
    for (int i = 0; i < seeds; i++)
        known += !isnan(value_of(r, row, i, key));
    if (known < seeds && r->row[row].finished == seeds && r->row[row].diverged)
        snprintf(c->note, sizeof c->note, "%d of %d seeds of %s diverged", r->row[row].diverged, seeds,
                 r->row[row].row->label);
    else if (known < seeds)
        snprintf(c->note, sizeof c->note, "%d of %d seeds of %s have %s", known, seeds, r->row[row].row->label, key);
    return known == seeds;
}

static double mean_of(int n, const double *x)
{
    return pb_stats_mean(n, x).middle;
}

static bool are_equal(int n, const double *x)
{
    for (int i = 1; i < n; i++)
        if (x[i] != x[0])
            return false;
    return true;
}

/* The effect of values x of A and y of B, a pair for each seed.  That of a ratio is linear in their differences
 * (the delta method): A / B is near r + (A - r B) / mean(B), where r is the ratio of the means. */
static void estimate_values(pb_claim *c, int n, const double *x, const double *y, bool exact)
{
    double *d = pb_alloc((size_t)n * sizeof *d), ratio = mean_of(n, x) / mean_of(n, y);
    for (int i = 0; i < n; i++)
        d[i] = c->says.of == PB_CLAIM_VALUE   ? x[i]
               : c->says.of == PB_CLAIM_RATIO ? ratio + (x[i] - ratio * y[i]) / mean_of(n, y)
                                              : x[i] - y[i];
    c->value[0] = mean_of(n, x);
    c->value[1] = c->says.of == PB_CLAIM_VALUE ? NAN : mean_of(n, y);
    exact = exact && are_equal(n, x) && are_equal(n, y);
    c->effect = exact ? pb_estimate_exact(effect_of(c, x[0], y[0])) : pb_estimate_of_mean(n, d);
    c->seeds = exact ? 0 : n;
    free(d);
}

/* Estimates the effect over the seeds that have the values: all, or the one that was measured. */
static void estimate_seeds(pb_claim *c, const pb_report *r, int a, int b, const char *key_b)
{
    int seeds = r->experiment->seeds, n = 0;
    double *x = pb_alloc((size_t)seeds * 2 * sizeof *x), *y = x + seeds;
    for (int i = 0; i < seeds; i++) {
        x[n] = value_of(r, a, i, c->key);
        y[n] = b < 0 ? 0 : value_of(r, b, i, key_b);
        n += !isnan(x[n]) && !isnan(y[n]);
    }
    estimate_values(c, n, x, y, is_exact(c->key) && is_exact(key_b));
    free(x);
}

/* Estimates a time of the timing pass over the processes that have measured it, a ratio of times as pb_timing_pool
 * does.  *known is false if the key is none, or if only one process has. */
static int estimate_time(pb_claim *c, const pb_report *r, int row, bool *known)
{
    double *x = NULL;
    int n = c->says.of == PB_CLAIM_VALUE && pb_begins_with(c->key, "overhead.") && pb_report_is_time(c->key)
                ? pb_report_times(r, row, c->key, &x)
                : 0;
    *known = n > 1;
    if (*known) {
        c->effect = (strstr(c->key, "_ratio") ? pb_estimate_of_geometric : pb_estimate_of_mean)(n, x);
        c->value[0] = c->effect.middle;
    }
    free(x);
    return n < 0 ? -1 : 0;
}

/* ---- scores of runs -------------------------------------------------------------------------------------------- */

/* Scores times a factor. */
typedef struct scaled {
    const pb_crossed *of;
    double factor;
} scaled;

static double scaled_value(const double *sums, double count, const void *ctx)
{
    const scaled *s = ctx;
    return s->factor * (s->of->value ? s->of->value(sums, count, s->of->ctx) : sums[0] / count);
}

/* The effect of scores over seeds and examples; that of a ratio as in estimate_values. */
static void estimate_crossed(pb_claim *c, const pb_crossed *x, const pb_crossed *y)
{
    pb_variance_components parts;
    c->value[0] = pb_stats_row(x, &parts).middle;
    if (c->says.of == PB_CLAIM_VALUE) {
        c->effect = pb_estimate_of(pb_stats_row(x, NULL), parts.centre, parts.half, parts.error);
        return;
    }
    c->value[1] = pb_stats_row(y, NULL).middle;
    if (c->says.of == PB_CLAIM_DIFFERENCE) {
        pb_interval v = pb_stats_pair(x, y, &parts);
        c->effect = pb_estimate_of(v, parts.centre, parts.half, parts.error);
        return;
    }
    if (has_no_ratio(c))
        return;
    double ratio = c->value[0] / c->value[1], scale = fabs(c->value[1]);
    scaled by = {y, ratio};
    pb_crossed z = *y;
    z.value = scaled_value;
    z.ctx = &by;
    pb_interval v = pb_stats_pair(x, &z, &parts);
    v = (pb_interval){ratio, ratio + (v.low - v.middle) / scale, ratio + (v.high - v.middle) / scale, v.n};
    c->effect = pb_estimate_of(v, ratio, parts.half / scale, parts.error / scale);
}

/* Estimates the effect on the primary metric from stored predictions.  *known is false if there are none. */
static int estimate_scores(pb_claim *c, const pb_report *r, int a, int b, bool *known)
{
    pb_scores x = {.x = NULL}, y = {.x = NULL};
    int rc = pb_report_pair(r, a, b < 0 ? a : b, (pb_split)pb_report_split(c->key), &x, &y);
    *known = !rc && x.examples > 0;
    if (*known) {
        pb_crossed one = pb_scores_crossed(&x), other = pb_scores_crossed(&y);
        estimate_crossed(c, &one, &other);
        c->seeds = x.seeds;
        c->examples = x.examples;
    }
    pb_scores_free(&x);
    pb_scores_free(&y);
    return rc;
}

/* ---- notes ----------------------------------------------------------------------------------------------------- */

PB_PRINTF(2, 3) static void add_note(pb_claim *c, const char *fmt, ...)
{
    size_t n = strlen(c->note);
    va_list args;
    if (n)
        n += (size_t)snprintf(c->note + n, sizeof c->note - n, "; ");
    va_start(args, fmt);
    if (n < sizeof c->note)
        vsnprintf(c->note + n, sizeof c->note - n, fmt, args);
    va_end(args);
}

/* How many runs of two rows are of another version; b is -1 if there is no B. */
static int count_others(const pb_report *r, int a, int b)
{
    return pb_report_others(r, a) + (b >= 0 && b != a ? pb_report_others(r, b) : 0);
}

/* Says that the verdict is one on runs of another version, and marks the rows as used. */
static void note_used(pb_claim *c, source *s, int a, int b)
{
    int others = count_others(&s->report, a, b);
    s->used[a] = true;
    if (b >= 0)
        s->used[b] = true;
    if (others)
        add_note(c, "%d run%s of another version of the code", others, others == 1 ? " is" : "s are");
}

/* Says that runs of another version could stand in for the missing ones. */
static int note_unused(pb_claim *c, const source *s, int a, int b)
{
    pb_report any;
    if (pb_report_make(&any, s->store, s->experiment, true))
        return -1;
    if (count_others(&any, a, b))
        add_note(c, "--any-version takes those of another version of the code");
    pb_report_free(&any);
    return 0;
}

/* ---- claims ---------------------------------------------------------------------------------------------------- */

static int estimate_runs(pb_claim *c, source *s, bool any_version, int a, int b)
{
    const char *key_b = *c->key_b ? c->key_b : c->key;
    char primary[96];
    bool known = false;
    if (s->uninstalled)
        add_note(c, "%s is not installed", s->experiment->model_path);
    else if (!s->store)
        add_note(c, "there is no database");
    if (!s->store)
        return 0;
    const pb_report *r = &s->report;
    if (!has_values(c, r, a, c->key) || (b >= 0 && !has_values(c, r, b, key_b)))
        return any_version ? 0 : note_unused(c, s, a, b);
    int split = pb_report_split(c->key);
    if (split >= 0 && !*c->key_b && !strcmp(c->key, pb_report_primary(r, (pb_split)split, primary)) &&
        estimate_scores(c, r, a, b, &known))
        return -1;
    if (!known && estimate_time(c, r, a, &known))
        return -1;
    if (!known)
        estimate_seeds(c, r, a, b, key_b);
    if (has_no_ratio(c) || !isfinite(c->effect.middle)) {
        add_note(c, has_no_ratio(c) ? "B is 0, so there is no ratio" : "a value is not finite");
        c->effect = pb_estimate_exact(NAN);
    } else if (!c->effect.exact && isnan(c->effect.low))
        add_note(c, "%s",
                 c->seeds == 1 ? "one seed alone gives no interval"
                               : "all differences are equal, so no interval can be estimated");
    note_used(c, s, a, b);
    return 0;
}

/* Refuses a key that neither a plan nor a run can have. */
static int check_key(const pb_experiment *e, const char *column, const char *key)
{
    if (pb_claim_is_planned(key))
        return pb_claim_check_plan(key) ? pb_error_prefix("%s", column) : 0;
    if (pb_value_key_exists(e->task, key))
        return 0;
    char *near = pb_value_key_near(e->task, key);
    pb_error("%s: a run of kind '%s' has no value '%s'%s", column, e->task->name, key,
             *near ? near : "; want a key of docs/metrics.md");
    free(near);
    return -1;
}

static int check_keys(const pb_claim *c, const pb_experiment *e)
{
    const char *key_b = *c->key_b ? c->key_b : c->key;
    if (check_key(e, "key", c->key))
        return -1;
    if (pb_claim_is_planned(c->key) && !pb_claim_is_planned(key_b))
        return pb_error("key_b: want a key of a plan, as '%s' is one, got '%s'", c->key, key_b);
    if (!pb_claim_is_planned(c->key) && pb_claim_is_planned(key_b))
        return pb_error("key_b: want a key of stored runs, as '%s' is one, got '%s'", c->key, key_b);
    if (!pb_claim_is_planned(c->key) && *c->plan)
        return pb_error("plan: '%s' is a value of stored runs, which are not planned; want the column empty", c->key);
    return check_key(e, "key_b", key_b);
}

/* Finds the experiment and the rows of a claim, b = -1 if it has no B.  Returns NULL with an error. */
static source *find_rows(estimator *x, const pb_claim *c, int *a, int *b)
{
    source *s = find_source(x, c->experiment);
    *b = -1;
    if (!s || (*a = row_of(s->experiment, "a", c->a)) < 0)
        return NULL;
    return c->says.of != PB_CLAIM_VALUE && (*b = row_of(s->experiment, "b", c->b)) < 0 ? NULL : s;
}

/* Checks what a claim names, before anything is computed. */
static int check_claim(estimator *x, pb_claim *c)
{
    int a, b;
    source *s = find_rows(x, c, &a, &b);
    c->value[0] = c->value[1] = NAN;
    c->effect = pb_estimate_exact(NAN);
    return s ? check_keys(c, s->experiment) : -1;
}

static int estimate_claim(estimator *x, pb_claim *c)
{
    int a, b;
    source *s = find_rows(x, c, &a, &b);
    if (!s)
        return -1;
    if (pb_claim_is_planned(c->key))
        return estimate_plan(c, s->experiment, a, b);
    return open_runs(x, s) ? -1 : estimate_runs(c, s, x->any_version, a, b);
}

/* Calls `each` for all claims, until one has an error, which then begins with the claim's FILE:LINE. */
static int each_claim(estimator *x, pb_claims *c, int (*each)(estimator *x, pb_claim *c))
{
    for (int i = 0; i < c->claims; i++)
        if (each(x, &c->claim[i]))
            return pb_error_prefix("%s:%d", c->claim[i].path, c->claim[i].line);
    return 0;
}

int pb_claims_estimate(pb_claims *c, const char *db, bool any_version)
{
    estimator x = {.db = db, .any_version = any_version};
    x.source = pb_alloc((size_t)(c->claims + 1) * sizeof *x.source);
    int rc = each_claim(&x, c, check_claim) || each_claim(&x, c, estimate_claim);
    c->others = close_sources(&x);
    return rc || c->others < 0 ? -1 : 0;
}
