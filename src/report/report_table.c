/* report_table: the table of an experiment as text, with its notes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "report/compare.h"
#include "report/grid.h"
#include "report/notes.h"
#include "report/report.h"
#include "report/retention.h"
#include "report/tuning.h"
#include "results/retained.h"
#include "results/timing.h"

#define CELL 96
#define HEAD 20 /* characters of a name in a heading */
#define COLUMNS 12

static void number(char out[CELL], const char *fmt, double x)
{
    if (isnan(x))
        snprintf(out, CELL, "-");
    else
        snprintf(out, CELL, fmt, x);
}

/* Writes "0.9130 ±0.0120", or "1.0000 0.5655..1.0000" if the interval is asymmetric. */
static void with_margin(char out[CELL], const char *fmt, pb_interval v)
{
    char low[CELL], high[CELL];
    number(out, fmt, v.middle);
    size_t used = strlen(out);
    if (isnan(v.high))
        return;
    snprintf(low, CELL, fmt, v.low);
    snprintf(high, CELL, fmt, v.high);
    if (fabs((v.high - v.middle) - (v.middle - v.low)) < 5e-5)
        snprintf(out + used, CELL - used, " ±%.4f", v.high - v.middle);
    else
        snprintf(out + used, CELL - used, " %s..%s", low, high);
}

static void fill_heading(const pb_report *r, char cell[COLUMNS][CELL])
{
    const char *metric = r->experiment->primary->name;
    const char *text[COLUMNS] = {NULL,      "trainable", "file", "memory", "FLOP/token", "step ms",
                                 "GFLOP/s", NULL,        NULL,   NULL,     "prefill x1", "merged"};
    for (int i = 0; i < COLUMNS; i++)
        snprintf(cell[i], CELL, "%s", text[i] ? text[i] : "");
    snprintf(cell[7], CELL, "validation");
    snprintf(cell[8], CELL, "test %s", metric);
    snprintf(cell[9], CELL, "to %.*s", pb_characters(r->experiment->baseline, HEAD), r->experiment->baseline);
}

/* Appends to a time ? if its interval is too wide for a conclusion, and * if it was taken on a busy machine. */
static void mark(char out[CELL], bool unresolved, double wait)
{
    size_t used = strlen(out);
    snprintf(out + used, CELL - used, "%s%s", unresolved ? " ?" : "", wait > PB_CONTENDED ? " *" : "");
}

static void fill_step(const pb_report *r, int row, char out[CELL])
{
    pb_interval v = pb_report_value(r, row, -1, "compute.step_ms");
    double half = v.high - v.middle;
    number(out, "%.2f", v.middle);
    size_t used = strlen(out);
    if (!isnan(half))
        snprintf(out + used, CELL - used, " ±%.2f", half);
    mark(out, half > v.middle / 2, pb_notes_training_wait(r, row));
}

/* Returns whether the interval of a ratio contains 1 and is not inside the default margin around 1. */
static bool is_unresolved(double low, double high)
{
    bool within = low >= 1 - pb_margins_default.ratio && high <= 1 + pb_margins_default.ratio;
    return !within && low <= 1 && high >= 1;
}

static void fill_ratio(const pb_report *r, int row, const char *key, char out[CELL])
{
    char end[2][96];
    snprintf(end[0], sizeof end[0], "%s.low", key);
    snprintf(end[1], sizeof end[1], "%s.high", key);
    double x = pb_report_single(r, row, key), low = pb_report_single(r, row, end[0]);
    double high = pb_report_single(r, row, end[1]);
    number(out, "%.3f", x);
    size_t used = strlen(out);
    if (!isnan(low) && !isnan(high))
        snprintf(out + used, CELL - used, " %.3f..%.3f", low, high);
    if (!isnan(x))
        mark(out, is_unresolved(low, high), pb_notes_timing_wait(r, row));
}

static void fill_row(const pb_report *r, int row, char cell[COLUMNS][CELL])
{
    char key[96];
    double flops = pb_report_value(r, row, -1, "compute.forward_flops").middle +
                   pb_report_value(r, row, -1, "compute.backward_flops").middle;
    pb_with_unit(cell[1], pb_report_value(r, row, -1, "storage.trainable").middle, "");
    pb_with_unit(cell[2], pb_report_value(r, row, -1, "storage.artifact_bytes").middle, "B");
    pb_with_unit(cell[3], pb_report_value(r, row, -1, "memory.train.total").middle, "B");
    pb_with_unit(cell[4], flops, "");
    fill_step(r, row, cell[5]);
    number(cell[6], "%.0f", pb_report_value(r, row, -1, "compute.gflops").middle);
    with_margin(cell[7], "%.4f", pb_report_score(r, row, PB_VALIDATION));
    with_margin(cell[8], "%.4f", pb_report_score(r, row, PB_TEST));
    if (strcmp(r->row[row].row->label, r->experiment->baseline) != 0)
        with_margin(cell[9], "%+.4f", pb_report_difference(r, row, PB_TEST, pb_report_primary(r, PB_TEST, key)));
    fill_ratio(r, row, "overhead.prefill_ratio.b1", cell[10]);
    fill_ratio(r, row, "overhead.prefill_ratio.b1.merged", cell[11]);
}

/* ---- columns of settings ------------------------------------------------------------------------------- */

/* Names the nearest of the settings and of the values that runs have. */
static int refuse_column(const pb_report *r, const char *key)
{
    pb_settings all = {.item = NULL};
    for (int i = 0; i < r->experiment->rows; i++) {
        const pb_values *v = r->row[i].values;
        for (size_t k = 0; v && k < v->count; k++)
            PB_CHECK(!pb_settings_put(&all, v->value[k].key, ""));
        const pb_settings *s = r->experiment->cell[r->selections.row[i].first].settings;
        for (size_t k = 0; k < s->count; k++)
            PB_CHECK(!pb_settings_put(&all, s->item[k].key, ""));
    }
    pb_settings_unknown(&all, key);
    pb_settings_free(&all);
    return pb_error_prefix("--columns");
}

/* Fills a column with the mean of a value, such as storage.rank or accuracy.test.nist.  Returns whether a row has
 * it. */
static bool fill_value(const pb_report *r, const pb_grid *g, int column, const char *key)
{
    bool known = false;
    for (int i = 0; i < r->experiment->rows; i++) {
        double mean = pb_report_value(r, i, pb_report_split(key), key).middle;
        known = known || !isnan(mean);
        char **cell = pb_grid_at(g, i + 1, column);
        free(*cell);
        *cell = isnan(mean) ? pb_strdup("-") : pb_format(mean == floor(mean) ? "%.10g" : "%.4g", mean);
    }
    return known;
}

/* Fills a column with what is in force in each row, "-" where the setting is not the row's; if no row has such a
 * setting, with the values of this key. */
static int fill_setting(const pb_report *r, const pb_grid *g, int column, const char *key)
{
    bool known = false;
    *pb_grid_at(g, 0, column) = pb_strdup(key);
    for (int i = 0; i < r->experiment->rows; i++) {
        const char *value = pb_report_setting(r, i, key);
        const pb_cell *any = &r->experiment->cell[r->selections.row[i].first];
        known = known || pb_settings_get(any->settings, key);
        *pb_grid_at(g, i + 1, column) = pb_strdup(value && *value ? value : "-");
    }
    return known || fill_value(r, g, column, key) ? 0 : refuse_column(r, key);
}

/* Returns the number of keys of a list. */
static int count_keys(const char *keys)
{
    int n = keys != NULL;
    for (; keys && *keys; keys++)
        n += *keys == ',';
    return n;
}

static int fill_settings(const pb_report *r, const pb_grid *g, const char *keys)
{
    char *copy = keys ? pb_strdup(keys) : NULL, *rest = copy, *key;
    int rc = 0;
    for (int column = 1; !rc && (key = strsep(&rest, ",")); column++)
        rc = fill_setting(r, g, column, key + strspn(key, " "));
    free(copy);
    return rc;
}

/* ---- lines of settings --------------------------------------------------------------------------------- */

static bool is_given(const pb_row *row, const char *key)
{
    for (int i = 0; i < row->givens; i++)
        if (!strcmp(row->given[i], key))
            return true;
    return false;
}

/* Returns the value that a setting has in every cell of a row, or NULL if the row tunes it or does not have it. */
static const char *fixed_value(const pb_report *r, int row, const char *key)
{
    const pb_experiment *e = r->experiment;
    const pb_selection *s = &r->selections.row[row];
    const char *first = pb_settings_get(e->cell[s->first].settings, key);
    for (int i = 1; first && i < s->cells; i++)
        if (strcmp(first, pb_settings_get(e->cell[s->first + i].settings, key)) != 0)
            return NULL;
    return first;
}

/* Returns whether the file sets this setting for all rows, to the same value. */
static bool is_common(const pb_report *r, const char *key)
{
    const char *first = fixed_value(r, 0, key);
    for (int i = 0; first && i < r->experiment->rows; i++) {
        const char *value = fixed_value(r, i, key);
        if (!value || strcmp(value, first) != 0 || !is_given(&r->experiment->row[i], key))
            return false;
    }
    return first && r->experiment->rows > 1;
}

/* Lists the settings that the file sets for a row, with the values in force, "lr=0.003 lora.rank=8": those that all
 * rows have in common, or the others.  Returns NULL if there is none.  The caller frees the text. */
static char *list_settings(const pb_report *r, int row, bool common)
{
    const pb_row *of = &r->experiment->row[row];
    pb_text t = {0};
    for (int i = 0; i < of->givens; i++) {
        const char *value = pb_report_setting(r, row, of->given[i]);
        if (!value || is_common(r, of->given[i]) != common)
            continue;
        const char *quote = strpbrk(value, " ,") ? "'" : "";
        pb_text_add(&t, "%s%s=%s%s%s", t.length ? " " : "", pb_settings_short(of->given[i]), quote, value, quote);
    }
    return t.data;
}

static bool has_sweep(const pb_experiment *e)
{
    for (int i = 0; i < e->rows; i++)
        if (e->row[i].choices > 1)
            return true;
    return false;
}

/* Prints the settings that all rows have in common. */
static void print_common(const pb_report *r, FILE *out)
{
    char *common = list_settings(r, 0, true);
    if (common)
        fprintf(out, "All rows: %s\n", common);
    free(common);
}

/* Returns whether the interval of a row covers other seeds only, because no predictions are stored. */
static bool by_seeds_alone(const pb_report *r, int row)
{
    pb_scores s = {.x = NULL};
    int *seed = pb_alloc((size_t)r->experiment->seeds * sizeof *seed), n = pb_report_seeds(r, row, PB_TEST, seed);
    int rc = pb_report_scores(r, row, seed, n > 0, PB_TEST, &s);
    pb_scores_free(&s);
    free(seed);
    return n && (rc || !s.examples);
}

/* Prints why a run could not be measured, if the provenance says so under `key`. */
static void print_failure(const pb_report *r, const pb_report_row *row, long long run, const char *key,
                          const char *failed, FILE *out)
{
    char *why = NULL;
    pb_store_provenance_get(r->store, run, key, &why); /* the store remembers an error */
    if (why)
        fprintf(out, "%s: %s: %s; `peftbench run --retry` tries again\n", row->row->label, failed, why);
    free(why);
}

static void print_unmeasured(const pb_report *r, const pb_report_row *row, FILE *out)
{
    const pb_experiment *e = r->experiment;
    for (int i = 0; i < e->seeds; i++) {
        bool timed = true, retained = true;
        if (row->id[i] && !pb_timing_has(r->store, row->id[i], -1, &timed) && !timed)
            print_failure(r, row, row->id[i], PB_TIMING_FAILED, "it could not be timed", out);
        if (row->id[i] && e->retention_text && !row->other_text &&
            !pb_retained_is_done(r->store, row->id[i], e, &retained) && !retained)
            print_failure(r, row, row->id[i], PB_RETENTION_FAILED, "its retention could not be measured", out);
    }
    if (row->other_text)
        fprintf(out, "%s: its retention was measured on other text than that of [retention], and is left out\n",
                row->row->label);
}

static void print_note(void *out, const char *line)
{
    fprintf(out, "%s\n", line);
}

/* Prints what has changed since the row's runs of another version of the code were made, once for each cause. */
static void print_others(const pb_report *r, int row, FILE *out)
{
    const pb_selection *s = &r->selections.row[row];
    const pb_other_run *x = r->selections.other ? r->selections.other + s->first : NULL;
    for (int i = 0; x && i < s->cells; i++) {
        int same = 0, before = 0;
        for (int k = 0; x[i].run && k < s->cells; k++)
            if (x[k].run && !strcmp(x[k].why, x[i].why)) {
                same++;
                before += k < i;
            }
        if (same && !before)
            fprintf(out, "† %s: %d of %d runs were made by another version of the code: run %lld%s: %s\n",
                    s->row->label, same, s->cells, x[i].run, same > 1 ? " and others" : "", x[i].why);
    }
}

/* Prints, in a table without such runs, how many missing ones it would show with --any-version. */
static void print_hint(const pb_report *r, FILE *out)
{
    const pb_experiment *e = r->experiment;
    pb_other_run *x = r->selections.other ? NULL : pb_other_runs_find(r->store, e, r->selections.cell);
    int n = 0; /* the store remembers an error */
    for (int i = 0; x && i < e->cells; i++)
        n += x[i].code_only && !r->selections.cell[i].failed;
    if (n)
        fprintf(
            out,
            "%d missing run%s stored with the same settings, made by another version of the code: `peftbench status` "
            "says what\nhas changed, and `table --any-version` shows them\n",
            n, n == 1 ? " is" : "s are");
    pb_other_runs_free(x, e->cells);
}

/* What the times of a table and their marks are. */
static void print_times(double limit, FILE *out)
{
    if (!isnan(limit))
        fprintf(out, "  The GEMM limit of this machine is %.0f GFLOP/s.", limit);
    fprintf(out,
            "\nTimes have a 95 %% interval: for a step over other seeds, for a ratio to the base model over other "
            "processes.  ?: the interval is too\nwide to tell whether the ratio is above or below 1 (for a step, ± "
            "exceeds half the time).  *: the time was measured on a busy machine.");
}

/* Says what the mark of rows of a database means.  Of other rows print_others says more. */
static void print_mixed(const pb_report *r, FILE *out)
{
    const pb_experiment *e = r->experiment;
    bool mixed = false;
    for (int i = 0; i < e->rows; i++)
        mixed = mixed || (e->row[i].other_code && pb_report_others(r, i));
    if (mixed)
        fprintf(out, "†: " PB_OTHERS_ARE " than the newest row\n");
}

static void print_notes(const pb_report *r, bool times, FILE *out)
{
    const pb_experiment *e = r->experiment;
    double limit = NAN;
    pb_report_sweeps(r, "", out);
    for (int i = 0; i < e->rows; i++) {
        const pb_report_row *row = &r->row[i];
        limit = isnan(limit) ? pb_report_single(r, i, "compute.gemm_limit") : limit;
        pb_report_seeds_left(r, i, "", out);
        print_unmeasured(r, row, out);
        if (by_seeds_alone(r, i))
            fprintf(out, "%s: ± covers other seeds only (Student's t), because no predictions are stored\n",
                    row->row->label);
        pb_notes_each(r, i, times, print_note, out);
        print_others(r, i, out);
    }
    print_mixed(r, out);
    print_hint(r, out);
    fprintf(out,
            "Scores are means over %d seed%s; ± is the 95 %% interval for other %sexamples.  \"to %s\" is the paired "
            "difference on test.",
            e->seeds, e->seeds == 1 ? "" : "s", e->seeds == 1 ? "" : "seeds and ", e->baseline);
    if (times)
        print_times(limit, out);
    fputc('\n', out);
}

/* ---- the table ------------------------------------------------------------------------------------------ */

/* The columns of times, which other programs on the machine may disturb. */
static const bool is_time[COLUMNS] = {[5] = true, [6] = true, [10] = true, [11] = true};

/* Returns the number of columns of values, with or without times. */
static int count_columns(bool times)
{
    int n = 0;
    for (int k = 1; k < COLUMNS; k++)
        n += times || !is_time[k];
    return n;
}

/* Fills the last columns with the values. */
static void fill_columns(const pb_grid *g, int row, bool times, char cell[COLUMNS][CELL])
{
    int column = g->columns - count_columns(times);
    for (int k = 1; k < COLUMNS; k++)
        if (times || !is_time[k])
            *pb_grid_at(g, row, column++) = pb_strdup(cell[k]);
}

static int fill_grid(const pb_report *r, const pb_grid *g, const pb_table_style *style, bool lines)
{
    char cell[COLUMNS][CELL] = {0};
    *pb_grid_at(g, 0, 0) = pb_strdup("method");
    fill_heading(r, cell);
    fill_columns(g, 0, !style->no_times, cell);
    for (int i = 0; i < r->experiment->rows; i++) {
        memset(cell, 0, sizeof cell);
        *pb_grid_at(g, i + 1, 0) = pb_format("%s%s", r->experiment->row[i].label, pb_report_others(r, i) ? " †" : "");
        fill_row(r, i, cell);
        fill_columns(g, i + 1, !style->no_times, cell);
        g->line[i + 1] = lines ? list_settings(r, i, false) : NULL;
    }
    return fill_settings(r, g, style->columns);
}

static int sort_grid(const pb_report *r, pb_grid *g, const char *key)
{
    int *order = pb_alloc((size_t)r->experiment->rows * sizeof *order), rc = pb_report_sort(r, key, order);
    pb_grid_reorder(g, order);
    free(order);
    return rc;
}

/* Emphasizes the best and the second score on test, and the rows whose paired difference to the best has an interval
 * that contains 0. */
static void rank_scores(const pb_report *r, const pb_grid *g)
{
    int rows = r->experiment->rows, column = 1, best = -1;
    bool rising = r->experiment->primary->higher_is_better;
    double *score = pb_alloc((size_t)rows * sizeof *score);
    while (strncmp(*pb_grid_at(g, 0, column), "test ", 5) != 0)
        column++;
    for (int i = 0; i < rows; i++) {
        score[i] = pb_report_score(r, i, PB_TEST).middle;
        if (!isnan(score[i]) && (best < 0 || (rising ? score[i] > score[best] : score[i] < score[best])))
            best = i;
    }
    pb_grid_rank(g, column, score, rising);
    for (int i = 0; i < rows && best >= 0; i++) {
        pb_interval d = i == best ? (pb_interval){NAN, NAN, NAN, 0} : pb_report_between(r, i, best, PB_TEST);
        if (pb_contains_zero(d))
            g->emphasis[(size_t)(i + 1) * (size_t)g->columns + (size_t)column] |= PB_GRID_AS_GOOD;
    }
    free(score);
}

static bool has_mark(const pb_grid *g, const char *mark)
{
    for (int i = g->columns; i < g->rows * g->columns; i++)
        if (g->text[i] && strstr(g->text[i], mark))
            return true;
    return false;
}

/* Prints, under a Markdown table, what its marks mean and which rows are not complete. */
static void print_marks(const pb_report *r, const pb_grid *g, FILE *out)
{
    static const char *const mark[][3] = {
        {" †", "†", PB_OTHERS_ARE},
        {" ?", "?",
         "the interval is too wide to tell whether the ratio is above or below 1, or exceeds half of a step"},
        {" *", "\\*", "measured on a busy machine"}};
    for (size_t i = 0; i < PB_COUNT(mark); i++)
        if (has_mark(g, mark[i][0]))
            fprintf(out, "\n%s: %s\n", mark[i][1], mark[i][2]);
    for (int i = 0; i < r->experiment->rows; i++) {
        const pb_selection *s = &r->selections.row[i];
        if (!s->partial && s->finished == s->needed)
            continue;
        fprintf(out, "\n");
        pb_markdown_print(s->row->label, out);
        fprintf(out, ": %d of %d runs finished, %d failed%s\n", s->finished, s->needed, s->failed,
                s->choice && s->partial ? "; PARTIAL: chosen while runs were missing" : "");
    }
}

int pb_report_print(const pb_report *r, const pb_table_style *style, FILE *out)
{
    bool lines = style->columns || has_sweep(r->experiment);
    pb_grid g = pb_grid_new(r->experiment->rows + 1, 1 + count_keys(style->columns) + count_columns(!style->no_times));
    if (style->format == PB_PRINT_CSV) {
        pb_grid_free(&g);
        return pb_report_csv(r, style, out);
    }
    int rc = fill_grid(r, &g, style, lines);
    if (!rc)
        rank_scores(r, &g);
    if (!rc && style->sort)
        rc = sort_grid(r, &g, style->sort);
    g.kept = 1 + count_keys(style->columns);
    if (!rc && style->format == PB_PRINT_LATEX) {
        pb_grid_latex(&g, out);
        fputs(pb_latex_note, out);
    } else if (!rc && style->format == PB_PRINT_MARKDOWN) {
        pb_grid_markdown(&g, out);
        print_marks(r, &g, out);
    } else if (!rc) {
        pb_grid_print(&g, out);
        if (lines)
            print_common(r, out);
        print_notes(r, !style->no_times, out);
        pb_report_retention(r, out);
        pb_tuning_print(r, out);
    }
    pb_grid_free(&g);
    return rc;
}
