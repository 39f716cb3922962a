/* plot_curves: learning curves, tuning curves and rates, the strength of the change, and sweeps over a setting. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/plot_internal.h"
#include "report/plot_lines.h"
#include "report/tuning.h"

/* ---- the figures of one set of lines ------------------------------------------------------------------------- */

/* Draws a figure of one set of lines, which it frees, unless there is none. */
static int draw_lines(pb_sheet *s, pb_lines *l, const char *folder)
{
    int rc = 0;
    if (!l->lines) {
        pb_sheet_drop(s);
    } else {
        if (pb_lines_are_few(l))
            s->y = pb_lines_draw(s, l, 0, s->width, true);
        else
            pb_lines_draw_each(s, l);
        rc = pb_sheet_end(s, folder);
    }
    pb_lines_free(l);
    return rc;
}

/* Adds the line of a row, with room for n points. */
static pb_line *add_row(pb_lines *l, const pb_row *row, int n)
{
    return pb_lines_add(l, row->label, pb_row_category(row), n);
}

/* Writes the legend of the classes of the lines. */
static void add_legend(pb_sheet *s, const pb_lines *l)
{
    bool has[PB_CATEGORIES] = {false};
    for (int i = 0; i < l->lines; i++)
        has[l->line[i].category] = true;
    for (int i = 0; i < l->levels; i++)
        has[l->level[i].category] = true;
    pb_sheet_class_legend(s, has);
}

/* ---- learning curves ----------------------------------------------------------------------------------------- */

/* The values of one seed by step. */
typedef struct series {
    int *step;
    double *value;
    size_t n, steps, values; /* number and capacities */
} series;

static void add_step(void *ctx, int step, double value)
{
    series *s = ctx;
    pb_grow(&s->step, s->n, &s->steps, sizeof *s->step);
    pb_grow(&s->value, s->n, &s->values, sizeof *s->value);
    s->step[s->n] = step;
    s->value[s->n++] = value;
}

static void free_series(series *s)
{
    free(s->step);
    free(s->value);
}

/* Replaces each value by the mean of the `half` values before and after it, or of fewer, as many on both sides, at the
 * ends. */
static void smooth(series *s, int half)
{
    double *out = pb_alloc((s->n + 1) * sizeof *out);
    for (int i = 0; i < (int)s->n; i++) {
        int h = pb_min(half, pb_min(i, (int)s->n - 1 - i));
        for (int k = i - h; k <= i + h; k++)
            out[i] += s->value[k] / (2 * h + 1);
    }
    free(s->value);
    s->value = out;
    s->values = s->n + 1;
}

/* Adds the line of a row: at each step of its longest seed the mean and the range of the seeds that have it. */
static void add_curve(pb_lines *l, const pb_row *row, const series *seed, int seeds)
{
    int longest = 0;
    for (int i = 1; i < seeds; i++)
        longest = seed[i].n > seed[longest].n ? i : longest;
    if (!seeds || seed[longest].n < 2)
        return;
    pb_line *line = add_row(l, row, (int)seed[longest].n);
    size_t *at = pb_alloc((size_t)seeds * sizeof *at);
    for (size_t k = 0; k < seed[longest].n; k++) {
        pb_interval v = {0, INFINITY, -INFINITY, 0};
        for (int i = 0; i < seeds; i++) {
            while (at[i] < seed[i].n && seed[i].step[at[i]] < seed[longest].step[k])
                at[i]++;
            if (at[i] == seed[i].n || seed[i].step[at[i]] != seed[longest].step[k])
                continue;
            double y = seed[i].value[at[i]];
            v = (pb_interval){v.middle + y, fmin(v.low, y), fmax(v.high, y), v.n + 1};
        }
        v.middle /= v.n;
        pb_line_point(line, seed[longest].step[k], v);
    }
    free(at);
}

/* Reads the curve of a row under a key; returns the width of the window that smoothed it. */
static int read_curve(const pb_report *r, int row, const char *key, pb_lines *l)
{
    int n = 0, seeds = r->experiment->seeds, window = 1;
    series *seed = pb_alloc((size_t)seeds * sizeof *seed);
    for (int i = 0; i < seeds; i++) {
        if (!r->row[row].id[i])
            continue;
        pb_store_curve(r->store, &r->row[row].id[i], 1, key, add_step, &seed[n]); /* the store remembers an error */
        int half = (int)seed[n].n / 30;
        smooth(&seed[n], half);
        window = 2 * half + 1 > window ? 2 * half + 1 : window;
        n += seed[n].n > 0;
    }
    add_curve(l, r->row[row].row, seed, n);
    for (int i = 0; i < seeds; i++)
        free_series(&seed[i]);
    free(seed);
    return window;
}

static int draw_curves(const pb_report *r, const pb_look *look, const char *folder, const char *name, const char *key,
                       const char *y_name)
{
    const pb_experiment *e = r->experiment;
    pb_sheet s;
    pb_lines l = {.x_name = "step",
                  .whole_x = true,
                  .y_name = y_name,
                  .unit = "",
                  .key = key,
                  .band = e->seeds > 1,
                  .baseline = e->baseline};
    int window = 1;
    pb_sheet_begin(&s, look, name, r, 1);
    for (int i = 0; i < e->rows; i++) {
        int w = read_curve(r, i, key, &l);
        window = w > window ? w : window;
    }
    add_legend(&s, &l);
    char seeds[40];
    int most = pb_sheet_seeds(r, 1, PB_VALIDATION, seeds);
    pb_text_add(&s.caption, "Learning curves: %s, the mean of n = %s", y_name, seeds);
    if (window > 1)
        pb_text_add(&s.caption, ", smoothed over %d steps", window);
    if (most > 1)
        pb_text_add(&s.caption, "; the band is the range of the seeds");
    if (!pb_lines_are_few(&l) && pb_lines_baseline(&l))
        pb_text_add(&s.caption, "; the dashed line is %s", pb_visible(e->baseline));
    pb_text_add(&s.caption, ".");
    return draw_lines(&s, &l, folder);
}

int pb_plot_curves(const pb_report *r, const pb_look *look, const char *folder)
{
    return draw_curves(r, look, folder, "curves", "train.loss", "training loss");
}

int pb_plot_validation(const pb_report *r, const pb_look *look, const char *folder)
{
    char key[96];
    bool text = r->experiment->task->answer_kind == PB_ANSWER_TEXT;
    char *name = text ? pb_strdup("validation perplexity") : pb_format("validation %s", r->experiment->primary->name);
    int rc = draw_curves(r, look, folder, "validation",
                         text ? "accuracy.validation.perplexity" : pb_report_primary(r, PB_VALIDATION, key), name);
    free(name);
    return rc;
}

/* ---- tuning -------------------------------------------------------------------------------------------------- */

/* A value without an interval. */
static pb_interval point_at(double y)
{
    return (pb_interval){y, NAN, NAN, 1};
}

int pb_plot_tuning(const pb_report *r, const pb_look *look, const char *folder)
{
    const pb_experiment *e = r->experiment;
    pb_sheet s;
    char key[96], *name = pb_format("expected best validation %s", e->primary->name);
    pb_lines l = {.x_name = "trials",
                  .whole_x = true,
                  .y_name = name,
                  .unit = "",
                  .key = pb_report_primary(r, PB_VALIDATION, key),
                  .baseline = e->baseline};
    pb_sheet_begin(&s, look, "tuning", r, 1);
    for (int i = 0; i < e->rows; i++) {
        pb_tuning tuning = pb_tuning_of(r, i);
        pb_line *line = tuning.trials > 1 ? add_row(&l, &e->row[i], tuning.trials) : NULL;
        for (int k = 1; line && k <= tuning.trials; k++)
            pb_line_point(line, k, point_at(pb_tuning_expected(r, &tuning, k)));
        pb_tuning_free(&tuning);
    }
    add_legend(&s, &l);
    pb_text_add(&s.caption,
                "The best validation %s to be expected of a number of trials, each the mean over the seeds with which "
                "it was tried.",
                e->primary->name);
    int rc = draw_lines(&s, &l, folder);
    free(name);
    return rc;
}

/* ---- the learning rate ---------------------------------------------------------------------------------------- */

/* Returns the value of a tuned setting in a choice such as "lr=0.001 lora.rank=8"; NaN if it is not in it. */
static double tuned(const char *choice, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = choice; at && *at; at = strchr(at, ' '), at = at ? at + 1 : NULL)
        if (!strncmp(at, key, n) && at[n] == '=')
            return strtod(at + n + 1, NULL);
    return NAN;
}

static void put_best(pb_line *line, double x, double y, bool rising)
{
    int at = 0;
    while (at < line->n && line->x[at] < x)
        at++;
    if (at < line->n && line->x[at] == x) {
        if (rising ? y > line->v[at].middle : y < line->v[at].middle)
            line->v[at].middle = y;
        return;
    }
    for (int k = line->n++; k > at; k--) {
        line->x[k] = line->x[k - 1];
        line->v[k] = line->v[k - 1];
    }
    line->x[at] = x;
    line->v[at] = point_at(y);
}

/* Validation against the learning rate, of the rows that tune it. */
int pb_plot_rate(const pb_report *r, const pb_look *look, const char *folder)
{
    const pb_experiment *e = r->experiment;
    bool rising = e->primary->higher_is_better;
    pb_sheet s;
    char key[96], *name = pb_format("validation %s", e->primary->name);
    pb_lines l = {.x_name = "learning rate",
                  .y_name = name,
                  .unit = "",
                  .key = pb_report_primary(r, PB_VALIDATION, key),
                  .log_x = true,
                  .baseline = e->baseline};
    pb_sheet_begin(&s, look, "rate", r, 1);
    for (int i = 0; i < e->rows; i++) {
        const pb_selection *of = &r->selections.row[i];
        pb_line *line = add_row(&l, &e->row[i], e->row[i].choices);
        for (int k = 0; k < e->row[i].choices; k++) {
            double x = tuned(e->cell[of->first + k * e->seeds].choice, "lr");
            if (x > 0 && isfinite(of->mean[k]))
                put_best(line, x, rising ? of->mean[k] : -of->mean[k], rising);
        }
        if (line->n < 2)
            pb_lines_drop_last(&l);
    }
    add_legend(&s, &l);
    pb_text_add(&s.caption,
                "Validation %s against the learning rate, of the best of the other tuned settings; the mean over the "
                "seeds with which a setting was tried.",
                e->primary->name);
    int rc = draw_lines(&s, &l, folder);
    free(name);
    return rc;
}

/* ---- the strength of the change ------------------------------------------------------------------------------- */

/* Returns a value of a row at a strength; NaN if it has none. */
static pb_interval value_at(const pb_report *r, int row, const char *key, double strength)
{
    char *full = pb_format("%s.s%g", key, strength);
    pb_interval value = pb_report_value(r, row, -1, full);
    free(full);
    return value;
}

/* Adds the values of every row under `l->key` against the strength or, if `against` is not NULL, against those under
 * `against`. */
static void read_strengths(const pb_report *r, pb_lines *l, const char *against)
{
    const pb_experiment *e = r->experiment;
    for (int i = 0; i < e->rows; i++) {
        pb_line *line = add_row(l, &e->row[i], e->strengths);
        for (int k = 0; k < e->strengths; k++) {
            double x = against ? value_at(r, i, against, e->strength[k]).middle : e->strength[k];
            pb_interval v = value_at(r, i, l->key, e->strength[k]);
            if (!isnan(x) && !isnan(v.middle))
                pb_line_point(line, x, v);
        }
        if (!line->n)
            pb_lines_drop_last(l);
    }
}

/* Draws panels below one another, or beside one another if the figure is wide enough, the last one with names. */
static int draw_panels(pb_sheet *s, pb_lines *l, int n, const char *folder)
{
    int shown = 0, rc = 0;
    pb_lines *has[4];
    for (int i = 0; i < n; i++)
        if (l[i].lines)
            has[shown++] = &l[i];
    bool wide = shown * 150 <= s->width, few = shown && pb_lines_are_few(has[0]);
    double names = shown ? pb_lines_room(s, has[0]) - PB_LINES_MARGIN : 0, y = s->y;
    for (int i = 0; i < shown; i++) {
        bool last = i == shown - 1;
        double each = (s->width - names) / shown;
        if (!few)
            pb_lines_draw_each(s, has[i]);
        else if (wide)
            y = fmax(y, pb_lines_draw(s, has[i], each * i, last ? s->width : each * (i + 1), last));
        else
            s->y = pb_lines_draw(s, has[i], 0, s->width, true);
    }
    s->y = fmax(s->y, y);
    rc = shown ? pb_sheet_end(s, folder) : pb_sheet_drop(s);
    for (int i = 0; i < n; i++)
        pb_lines_free(&l[i]);
    return rc;
}

/* Score and loss against the strength, and the path that the model takes from the base to its end. */
int pb_plot_strength(const pb_report *r, const pb_look *look, const char *folder)
{
    char *score = pb_format("test %s", r->experiment->primary->name);
    pb_sheet s;
    pb_lines l[] = {{"strength of the change", score, "", "retention.score"},
                    {"strength of the change", "loss delta on general text", "", "retention.loss_delta"},
                    {"loss delta on general text", score, "", "retention.score"}};
    pb_sheet_begin(&s, look, "strength", r, 1);
    for (size_t i = 0; i < PB_COUNT(l); i++)
        read_strengths(r, &l[i], i == 2 ? "retention.loss_delta" : NULL);
    add_legend(&s, &l[0]);
    char seeds[40];
    pb_sheet_seeds(r, 1, PB_TEST, seeds);
    pb_text_add(&s.caption,
                "Score and loss on general text against the strength of the trained change: 0 is the base with the "
                "trained head, 1 the trained model. Mean over n = %s, with the 95 %% interval for other seeds.",
                seeds);
    int rc = draw_panels(&s, l, (int)PB_COUNT(l), folder);
    free(score);
    return rc;
}

/* ---- sweeps over a setting ------------------------------------------------------------------------------------ */

/* The value of the axis' setting in each row, NaN if a row does not have it, and the line that the row belongs to: rows
 * whose labels differ in that value only, such as lora:8 and lora:64, are on one line. */
typedef struct axis {
    const pb_report *report;
    double *x;   /* [rows] */
    char **name; /* [rows] of the row's line */
    int *order;  /* [known] rows that have a value, by x */
    int known;
} axis;

/* Returns a row's label without the value of the axis' setting at its end, "lora" for "lora:8" and "lora:rank=8".  The
 * caller frees it. */
static char *line_of(const pb_report *r, int row)
{
    const pb_experiment *e = r->experiment;
    const char *label = e->row[row].label, *value = pb_report_setting(r, row, e->axis);
    const char *dot = strrchr(e->axis, '.'), *key = dot ? dot + 1 : e->axis;
    size_t n = strlen(label), m = value ? strlen(value) : 0, k = strlen(key);
    if (!m || m >= n || strcmp(label + n - m, value) != 0)
        return pb_strdup(label);
    n -= m;
    if (label[n - 1] == '=' && n > k && !strncmp(label + n - 1 - k, key, k))
        n -= 1 + k;
    while (n > 1 && strchr(":,-=", label[n - 1]))
        n--;
    return pb_format("%.*s", (int)n, label);
}

/* Returns true if no row before this one is on its line. */
static bool begins_line(const axis *a, int row)
{
    for (int i = 0; i < row; i++)
        if (!isnan(a->x[i]) && !strcmp(a->name[i], a->name[row]))
            return false;
    return !isnan(a->x[row]);
}

static axis read_axis(const pb_report *r)
{
    int rows = r->experiment->rows;
    axis a = {.report = r,
              .x = pb_alloc((size_t)rows * sizeof *a.x),
              .name = pb_alloc((size_t)rows * sizeof *a.name),
              .order = pb_alloc((size_t)rows * sizeof *a.order)};
    for (int i = 0; i < rows; i++) {
        const char *value = pb_report_setting(r, i, r->experiment->axis);
        char *end = NULL;
        double x = value ? strtod(value, &end) : NAN;
        a.x[i] = value && end > value && !*end ? x : NAN; /* a text has no place on the axis */
        a.name[i] = line_of(r, i);
        if (isnan(a.x[i]))
            continue;
        int at = a.known++;
        for (; at > 0 && a.x[a.order[at - 1]] > a.x[i]; at--)
            a.order[at] = a.order[at - 1];
        a.order[at] = i;
    }
    return a;
}

static void free_axis(axis *a)
{
    for (int i = 0; i < a->report->experiment->rows; i++)
        free(a->name[i]);
    free(a->name);
    free(a->x);
    free(a->order);
}

/* Reads the lines of a value: rows without the setting are levels. */
static void read_sweep(const axis *a, pb_lines *l)
{
    const pb_experiment *e = a->report->experiment;
    l->level = pb_alloc((size_t)(e->rows + 1) * sizeof *l->level);
    for (int i = 0; i < e->rows; i++) {
        pb_interval v = pb_report_measured(a->report, i, l->key);
        if (isnan(a->x[i]) && !isnan(v.middle))
            l->level[l->levels++] = (pb_level){e->row[i].label, pb_row_category(&e->row[i]), v.middle};
        if (!begins_line(a, i))
            continue;
        pb_line *line = pb_lines_add(l, a->name[i], pb_row_category(&e->row[i]), e->rows);
        for (int k = 0; k < a->known; k++) {
            int row = a->order[k];
            pb_interval y = pb_report_measured(a->report, row, l->key);
            if (!isnan(y.middle) && !strcmp(a->name[row], a->name[i]))
                pb_line_point(line, a->x[row], y);
        }
        if (!line->n)
            pb_lines_drop_last(l);
    }
}

/* Accuracy, latency and FLOPs against the setting that [experiment] axis names, "prefix.length". */
int pb_plot_sweep(const pb_report *r, const pb_look *look, const char *folder)
{
    const pb_experiment *e = r->experiment;
    if (!*e->axis)
        return 0;
    axis a = read_axis(r);
    char key[96], *score = pb_format("test %s", e->primary->name);
    pb_sheet s;
    pb_lines l[] = {{e->axis, score, "", pb_report_primary(r, PB_TEST, key)},
                    {e->axis, "prefill time / base", "", "overhead.prefill_ratio.b1"},
                    {e->axis, "FLOPs of the prefill", "", "overhead.flops"}};
    pb_sheet_begin(&s, look, "sweep", r, 1);
    for (size_t i = 0; i < PB_COUNT(l); i++) {
        l[i].log_x = true;
        read_sweep(&a, &l[i]);
    }
    add_legend(&s, &l[0]);
    pb_text_add(&s.caption, "Against %s; rows without this setting are the lines over the whole width.",
                pb_visible(e->axis));
    pb_sheet_caption_scores(&s);
    int rc = draw_panels(&s, l, (int)PB_COUNT(l), folder);
    free(score);
    free_axis(&a);
    return rc;
}
