/* task_table: see task_table.h. */
#include "report/task_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "report/grid.h"

/* ---- scores ------------------------------------------------------------------------------------------- */

/* Returns by what a score is multiplied so that it ends at 100; NaN if it has no such scale. */
static double factor_of(const pb_report *r)
{
    const pb_metric_info *m = r->experiment->primary;
    return !m->higher_is_better ? NAN : m->most == 1 ? 100 : m->most == 100 ? 1 : NAN;
}

static bool has_mean(const pb_report *r, int tasks)
{
    for (int i = 0; i < tasks; i++)
        if (isnan(factor_of(&r[i])))
            return false;
    return true;
}

/* Returns the test score of a row, or its difference to the baseline, times `factor`. */
static pb_interval score_of(const pb_report *r, int row, bool difference, double factor)
{
    char key[96];
    pb_report_primary(r, PB_TEST, key);
    pb_interval v = difference ? pb_report_difference(r, row, PB_TEST, key) : pb_report_value(r, row, PB_TEST, key);
    return (pb_interval){v.middle * factor, v.low * factor, v.high * factor, v.n};
}

/* As printed: times 100 where the metric has the scale for it. */
static pb_interval printed_score(const pb_report *r, int row)
{
    double factor = factor_of(r);
    return score_of(r, row, false, isnan(factor) ? 1 : factor);
}

pb_interval pb_task_mean(const pb_report *r, int tasks, int row, bool difference)
{
    pb_interval *x = pb_alloc((size_t)tasks * sizeof *x);
    for (int i = 0; i < tasks; i++)
        x[i] = score_of(&r[i], row, difference, factor_of(&r[i]));
    pb_interval mean = pb_stats_mean_of(tasks, x);
    free(x);
    return mean;
}

/* ---- the table ---------------------------------------------------------------------------------------- */

/* Returns "88.24 ±1.20", or "99.00 98.10..99.60" if the interval is asymmetric.  The caller frees it. */
static char *with_margin(pb_interval v, const char *fmt)
{
    char middle[32], low[32], high[32];
    snprintf(middle, sizeof middle, fmt, v.middle);
    snprintf(low, sizeof low, fmt, v.low);
    snprintf(high, sizeof high, fmt, v.high);
    if (isnan(v.middle))
        return pb_strdup("-");
    if (isnan(v.low) || isnan(v.high))
        return pb_strdup(middle);
    if (fabs((v.high - v.middle) - (v.middle - v.low)) < 0.005)
        return pb_format("%s ±%.2f", middle, v.high - v.middle);
    return pb_format("%s %s..%s", middle, low, high);
}

/* Returns the number of trainable parameters: the smallest and the largest one if it differs between the tasks, as with
 * the number of classes of their heads.  The caller frees it. */
static char *trainable_of(const pb_report *r, int tasks, int row)
{
    char low[PB_UNIT_SIZE], high[PB_UNIT_SIZE];
    double least = NAN, most = NAN;
    for (int i = 0; i < tasks; i++) {
        double x = pb_report_value(&r[i], row, -1, "storage.trainable").middle;
        least = fmin(least, x);
        most = fmax(most, x);
    }
    pb_with_unit(low, least, "");
    pb_with_unit(high, most, "");
    return strcmp(low, high) ? pb_format("%s..%s", low, high) : pb_strdup(low);
}

static bool of_another_version(const pb_report *r, int tasks, int row)
{
    for (int i = 0; i < tasks; i++)
        if (pb_report_others(&r[i], row))
            return true;
    return false;
}

enum { TRAINABLE = 1, FIRST = 2 }; /* columns; behind those of the tasks stand the mean and its difference */

static void fill_heading(const pb_report *r, int tasks, const pb_grid *g)
{
    const pb_experiment *e = r->experiment;
    *pb_grid_at(g, 0, 0) = pb_strdup("method");
    *pb_grid_at(g, 0, TRAINABLE) = pb_strdup("trainable");
    for (int i = 0; i < tasks; i++)
        *pb_grid_at(g, 0, FIRST + i) = pb_format("%s %s", r[i].experiment->task_name, r[i].experiment->primary->name);
    if (g->columns == FIRST + tasks)
        return;
    *pb_grid_at(g, 0, FIRST + tasks) = pb_strdup("mean");
    *pb_grid_at(g, 0, FIRST + tasks + 1) = pb_format("to %.*s", pb_characters(e->baseline, 20), e->baseline);
}

static void fill_row(const pb_report *r, int tasks, const pb_grid *g, int line, int row)
{
    const char *label = r->experiment->row[row].label;
    *pb_grid_at(g, line, 0) = pb_format("%s%s", label, of_another_version(r, tasks, row) ? " †" : "");
    *pb_grid_at(g, line, TRAINABLE) = trainable_of(r, tasks, row);
    for (int i = 0; i < tasks; i++)
        *pb_grid_at(g, line, FIRST + i) = with_margin(printed_score(&r[i], row), "%.2f");
    if (g->columns == FIRST + tasks)
        return;
    *pb_grid_at(g, line, FIRST + tasks) = with_margin(pb_task_mean(r, tasks, row, false), "%.2f");
    if (row != pb_report_baseline(r))
        *pb_grid_at(g, line, FIRST + tasks + 1) = with_margin(pb_task_mean(r, tasks, row, true), "%+.2f");
}

/* Fills order [rows] with the rows as `sort` says: the best first, rows without a value last. */
static int sort_rows(const pb_report *r, int tasks, const char *sort, int *order)
{
    int rows = r->experiment->rows, task = 0;
    while (sort && task < tasks && strcmp(sort, r[task].experiment->task_name) != 0)
        task++;
    if (sort && task == tasks && (strcmp(sort, "mean") != 0 || !has_mean(r, tasks)))
        return pb_error("--sort: want the name of a task%s, got '%s'; other keys go with --task or --per-task",
                        has_mean(r, tasks) ? " or mean" : "", sort);
    double *loss = pb_alloc((size_t)rows * sizeof *loss);
    for (int i = 0; i < rows; i++) {
        double x = !sort ? i
                   : task < tasks
                       ? score_of(&r[task], i, false, r[task].experiment->primary->higher_is_better ? -1 : 1).middle
                       : -pb_task_mean(r, tasks, i, false).middle;
        loss[i] = isnan(x) ? INFINITY : x;
        int k = i;
        for (; k && loss[order[k - 1]] > loss[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    free(loss);
    return 0;
}

static void print_notes(const pb_report *r, int tasks, FILE *out)
{
    const pb_experiment *e = r->experiment;
    bool others = false;
    for (int i = 0; i < tasks; i++) {
        char *prefix = pb_format("%s: ", r[i].experiment->task_name);
        pb_report_sweeps(&r[i], prefix, out);
        for (int k = 0; k < e->rows; k++)
            pb_report_seeds_left(&r[i], k, prefix, out);
        free(prefix);
    }
    for (int k = 0; k < e->rows; k++)
        others = others || of_another_version(r, tasks, k);
    if (others)
        fprintf(out, "†: " PB_OTHERS_ARE "\n");
    fprintf(
        out,
        "Scores are on test, means over %d seed%s, times 100 where the metric ends at 1; ± is the 95 %% interval for "
        "other %sexamples.\n",
        e->seeds, e->seeds == 1 ? "" : "s", e->seeds == 1 ? "" : "seeds and ");
    if (has_mean(r, tasks))
        fprintf(out,
                "mean: over the %d tasks, each with the same weight; - if one is missing.  \"to %s\": the mean of the "
                "paired differences.\n",
                tasks, e->baseline);
    for (int i = 0; i < tasks; i++)
        if (isnan(factor_of(&r[i])))
            fprintf(out, "There is no mean, because %s of %s has no scale that ends at 100.\n",
                    r[i].experiment->primary->name, r[i].experiment->task_name);
    fprintf(out, "The other axes of each task: `peftbench table %s --per-task`.\n", e->path);
}

/* Emphasizes the best and the second of each task and of the means. */
static void rank_scores(const pb_report *r, int tasks, const pb_grid *g, const int *order)
{
    int rows = r->experiment->rows;
    double *value = pb_alloc((size_t)rows * sizeof *value);
    for (int k = 0; k < tasks + (g->columns > FIRST + tasks); k++) {
        for (int i = 0; i < rows; i++)
            value[i] = k < tasks ? printed_score(&r[k], order[i]).middle
                                 : pb_task_mean(r, tasks, order[i], false).middle;
        pb_grid_rank(g, FIRST + k, value, k == tasks || r[k].experiment->primary->higher_is_better);
    }
    free(value);
}

static void print_grid(const pb_report *r, int tasks, const pb_grid *g, int format, FILE *out)
{
    if (format == PB_PRINT_LATEX) {
        pb_grid_latex(g, out);
        fputs("% bold: the best; underlined: the second.  It needs \\usepackage{booktabs}.\n", out);
        return;
    }
    if (format == PB_PRINT_MARKDOWN) {
        pb_grid_markdown(g, out);
        fprintf(out, "\n");
    } else {
        pb_grid_print(g, out);
    }
    print_notes(r, tasks, out);
}

int pb_task_table_print(const pb_report *r, int tasks, const pb_table_style *style, FILE *out)
{
    int rows = r->experiment->rows, *order = pb_alloc((size_t)rows * sizeof *order), rc = 0;
    if (style->columns)
        rc = pb_error("--columns: the experiment has several tasks; want --task NAME or --per-task with it");
    rc = rc || sort_rows(r, tasks, style->sort, order) ? -1 : 0;
    pb_grid g = pb_grid_new(rows + 1, FIRST + tasks + (has_mean(r, tasks) ? 2 : 0));
    g.kept = g.columns;
    if (!rc) {
        fill_heading(r, tasks, &g);
        for (int i = 0; i < rows; i++)
            fill_row(r, tasks, &g, i + 1, order[i]);
        rank_scores(r, tasks, &g, order);
        print_grid(r, tasks, &g, style->format, out);
    }
    pb_grid_free(&g);
    free(order);
    return rc;
}

/* ---- JSON --------------------------------------------------------------------------------------------- */

static void add_interval(pb_text *t, const char *key, pb_interval v)
{
    const struct {
        const char *name;
        double x;
    } part[] = {{"mean", v.middle}, {"low", v.low}, {"high", v.high}};
    pb_json_quote(t, key);
    for (size_t i = 0; i < PB_COUNT(part); i++) {
        pb_text_add(t, "%s\"%s\":", i ? "," : ":{", part[i].name);
        pb_json_put(t, part[i].x);
    }
    pb_text_add(t, "}");
}

void pb_task_table_json(const char *name, const pb_report *r, int tasks, FILE *out)
{
    for (int row = 0; row < r->experiment->rows; row++) {
        pb_text t = {0};
        pb_text_add(&t, "{\"experiment\":");
        pb_json_quote(&t, name);
        pb_text_add(&t, ",\"method\":");
        pb_json_quote(&t, r->experiment->row[row].label);
        pb_text_add(&t, ",\"tasks\":{");
        for (int i = 0; i < tasks; i++) {
            pb_text_add(&t, i ? "," : "");
            add_interval(&t, r[i].experiment->task_name, printed_score(&r[i], row));
        }
        pb_text_add(&t, "},");
        add_interval(&t, "over_tasks", pb_task_mean(r, tasks, row, false));
        pb_text_add(&t, ",");
        add_interval(&t, "to_baseline", pb_task_mean(r, tasks, row, true));
        fprintf(out, "%s}\n", t.data);
        pb_text_free(&t);
    }
}
