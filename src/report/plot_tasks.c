/* plot_tasks: figures that compare rows with each other: over several tasks the critical-difference diagram, the matrix
 * of wins and the map of scores, and on one task the matrix of differences. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/plot_internal.h"
#include "report/rank.h"

#define MOST 30        /* rows of a matrix */
#define LEAST_CELL 9.0 /* sides of its cells */
#define WIDEST_CELL 44.0

/* ---- scores over tasks --------------------------------------------------------------------------------------- */

/* The rows that were scored on every task, and their scores. */
typedef struct scores {
    const pb_report *report; /* [tasks] */
    int tasks, rows;
    const char **label; /* [rows] by mean rank, the best first */
    int *category;      /* [rows] */
    double *value;      /* [rows, tasks] */
    double *rank;       /* [rows] mean over the tasks */
} scores;

static double score_of(const pb_report *r, const char *label)
{
    const pb_row *row = pb_experiment_row(r->experiment, label);
    return row ? pb_report_score(r, (int)(row - r->experiment->row), PB_TEST).middle : NAN;
}

/* The number of seeds that this score is the mean of. */
static int seeds_of(const pb_report *r, const char *label)
{
    const pb_row *row = pb_experiment_row(r->experiment, label);
    return row ? pb_report_seeds(r, (int)(row - r->experiment->row), PB_TEST, NULL) : 0;
}

static bool is_better(const scores *s, int task, double a, double b)
{
    return s->report[task].experiment->primary->higher_is_better ? a > b : a < b;
}

static void find_ranks(scores *s)
{
    for (int i = 0; i < s->rows; i++)
        for (int t = 0; t < s->tasks; t++) {
            double rank = 1;
            for (int k = 0; k < s->rows; k++) {
                double a = s->value[k * s->tasks + t], b = s->value[i * s->tasks + t];
                rank += is_better(s, t, a, b) ? 1 : k != i && a == b ? 0.5 : 0;
            }
            s->rank[i] += rank / s->tasks;
        }
}

/* Puts the rows in the order of their mean ranks. */
static void sort_by_rank(scores *s)
{
    for (int i = 1; i < s->rows; i++)
        for (int k = i; k > 0 && s->rank[k] < s->rank[k - 1]; k--) {
            double rank = s->rank[k];
            const char *label = s->label[k];
            int category = s->category[k];
            s->rank[k] = s->rank[k - 1], s->rank[k - 1] = rank;
            s->label[k] = s->label[k - 1], s->label[k - 1] = label;
            s->category[k] = s->category[k - 1], s->category[k - 1] = category;
            for (int t = 0; t < s->tasks; t++) {
                double *a = &s->value[k * s->tasks + t], *b = a - s->tasks, x = *a;
                *a = *b;
                *b = x;
            }
        }
}

static scores read_scores(const pb_report *r, int tasks)
{
    const pb_experiment *e = r[0].experiment;
    size_t rows = (size_t)e->rows;
    scores s = {.report = r,
                .tasks = tasks,
                .label = pb_alloc(rows * sizeof *s.label),
                .category = pb_alloc(rows * sizeof *s.category),
                .value = pb_alloc(rows * (size_t)tasks * sizeof *s.value),
                .rank = pb_alloc(rows * sizeof *s.rank)};
    for (int i = 0; i < e->rows; i++) {
        bool all = true;
        for (int t = 0; t < tasks; t++) {
            double x = score_of(&r[t], e->row[i].label);
            s.value[s.rows * tasks + t] = x;
            all = all && !isnan(x);
        }
        if (!all)
            continue;
        s.label[s.rows] = e->row[i].label;
        s.category[s.rows++] = pb_row_category(&e->row[i]);
    }
    find_ranks(&s);
    sort_by_rank(&s);
    return s;
}

static void free_scores(scores *s)
{
    free(s->label);
    free(s->category);
    free(s->value);
    free(s->rank);
}

/* Says how many tasks and seeds a figure is from. */
static void add_sources(pb_sheet *sheet, const scores *s)
{
    pb_text_add(&sheet->caption, " n = %d tasks (", s->tasks);
    for (int t = 0; t < s->tasks; t++)
        pb_text_add(&sheet->caption, "%s%s", t ? ", " : "", pb_visible(s->report[t].experiment->task_name));
    char seeds[40];
    pb_sheet_seeds(s->report, s->tasks, PB_TEST, seeds);
    pb_text_add(&sheet->caption, "), each the mean of %s on its test split.", seeds);
}

static void add_data(pb_sheet *sheet, const scores *s)
{
    char key[96];
    for (int t = 0; t < s->tasks; t++) {
        pb_report_primary(&s->report[t], PB_TEST, key);
        for (int i = 0; i < s->rows; i++) {
            pb_interval v = {s->value[i * s->tasks + t], NAN, NAN, seeds_of(&s->report[t], s->label[i])};
            pb_sheet_datum(sheet, s->report[t].experiment->task_name, s->label[i], key, NAN, v);
        }
        pb_sheet_key(sheet, key);
    }
}

/* ---- matrices ------------------------------------------------------------------------------------------------ */

/* A matrix of coloured cells with names at its left and above it. */
typedef struct matrix {
    int rows, columns;
    const char **left, **above; /* names */
    const int *category;        /* [rows] */
    char **text;                /* [rows, columns]; owned; NULL: an empty cell */
    double *shade;              /* [rows, columns] -1..1: worse to better; NaN: none */
} matrix;

static matrix new_matrix(int rows, int columns)
{
    size_t cells = (size_t)rows * (size_t)columns;
    return (matrix){.rows = rows,
                    .columns = columns,
                    .text = pb_alloc(cells * sizeof(char *) + 1),
                    .shade = pb_alloc(cells * sizeof(double) + 1)};
}

static void free_matrix(matrix *m)
{
    for (int i = 0; i < m->rows * m->columns; i++)
        free(m->text[i]);
    free(m->text);
    free(m->shade);
}

static double widest(const char *const *name, int n, double size, double most)
{
    double width = 0;
    for (int i = 0; i < n; i++)
        width = fmax(width, pb_text_width(name[i], size));
    return fmin(width, most);
}

/* Writes the names of the columns, upright if they are wider than the cells. */
static void add_heads(pb_sheet *s, const matrix *m, double left, double cell)
{
    double width = widest(m->above, m->columns, s->small, 90), line = pb_sheet_line_height(s);
    bool upright = width > cell - 3;
    double height = upright ? width + 6 : line;
    for (int j = 0; j < m->columns; j++) {
        char *name = pb_text_fit(m->above[j], s->small, width);
        double x = left + cell * (j + 0.5);
        if (upright)
            pb_sheet_write_upright(s, x, s->y + height - 4 - pb_text_width(name, s->small) / 2, s->small, name);
        else
            pb_sheet_write(s, x, s->y + height / 2, "center", s->small, PB_INK, name);
        free(name);
    }
    s->y += height;
}

static void add_cells(pb_sheet *s, const matrix *m, int row, double left, double cell, double height)
{
    char tint[8];
    for (int j = 0; j < m->columns; j++) {
        int at = row * m->columns + j;
        double share = m->shade[at];
        pb_box b = {left + cell * j + 0.4, s->y + 0.4, left + cell * (j + 1) - 0.4, s->y + height - 0.4};
        if (!isnan(share))
            pb_sheet_rectangle(s, b, pb_tint(tint, share < 0 ? PB_WORSE : PB_BETTER, fabs(share)));
        if (m->text[at] && pb_text_width(m->text[at], s->small - 1) < cell)
            pb_sheet_write(s, left + cell * (j + 0.5), s->y + height / 2, "center", s->small - 1,
                           isnan(share)         ? PB_SOFT
                           : fabs(share) > 0.55 ? "#ffffff"
                                                : PB_INK,
                           m->text[at]);
    }
}

static void draw_matrix(pb_sheet *s, const matrix *m)
{
    double names = widest(m->left, m->rows, s->small, 0.35 * s->width) + 14, height = 1.7 * s->small;
    double cell = fmin((s->width - names - 6) / m->columns, WIDEST_CELL);
    add_heads(s, m, names, cell);
    for (int i = 0; i < m->rows; i++) {
        char *name = pb_text_fit(m->left[i], s->small, names - 12);
        pb_sheet_mark(s, 6, s->y + height / 2, pb_class_mark[m->category[i]], pb_class_colour[m->category[i]]);
        pb_sheet_write(s, 12, s->y + height / 2, "left", s->small, PB_INK, name);
        free(name);
        add_cells(s, m, i, names, cell, height);
        s->y += height;
    }
    s->y += 3;
}

/* ---- several tasks ------------------------------------------------------------------------------------------- */

static void add_classes(pb_sheet *sheet, const int *category, int n)
{
    bool has[PB_CATEGORIES] = {false};
    for (int i = 0; i < n; i++)
        has[category[i]] = true;
    pb_sheet_class_legend(sheet, has);
}

int pb_plot_wins(const pb_report *r, int tasks, const pb_look *look, const char *folder)
{
    scores s = read_scores(r, tasks);
    int rc = 0, n = pb_min(s.rows, MOST);
    if (n >= 2) {
        pb_sheet sheet;
        pb_sheet_begin(&sheet, look, "wins", r, tasks);
        matrix m = new_matrix(n, n);
        m.left = m.above = s.label;
        m.category = s.category;
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n; k++) {
                int won = 0, lost = 0;
                for (int t = 0; t < tasks; t++) {
                    double a = s.value[i * tasks + t], b = s.value[k * tasks + t];
                    won += is_better(&s, t, a, b);
                    lost += is_better(&s, t, b, a);
                }
                m.text[i * n + k] = i == k ? NULL : pb_format("%d", won);
                m.shade[i * n + k] = i == k ? NAN : (double)(won - lost) / tasks;
            }
        add_classes(&sheet, s.category, n);
        draw_matrix(&sheet, &m);
        pb_text_add(&sheet.caption, "The number of tasks on which the row is better than the column, by mean test "
                                    "score; rows by mean rank. Blue: it wins more of them, orange: it loses more.");
        add_sources(&sheet, &s);
        add_data(&sheet, &s);
        rc = pb_sheet_end(&sheet, folder);
        free_matrix(&m);
    }
    free_scores(&s);
    return rc;
}

/* The place of each score between the worst (-1) and the best (1) of its task. */
static void shade_tasks(matrix *m, const scores *s)
{
    for (int t = 0; t < s->tasks; t++) {
        double low = INFINITY, high = -INFINITY;
        for (int i = 0; i < s->rows; i++) {
            low = fmin(low, s->value[i * s->tasks + t]);
            high = fmax(high, s->value[i * s->tasks + t]);
        }
        double sign = s->report[t].experiment->primary->higher_is_better ? 1 : -1;
        for (int i = 0; i < s->rows; i++) {
            double x = s->value[i * s->tasks + t];
            m->shade[i * s->tasks + t] = high > low ? sign * (2 * (x - low) / (high - low) - 1) : 0;
            m->text[i * s->tasks + t] = fabs(x) < 10 ? pb_format("%.3f", x) : pb_format("%.1f", x);
        }
    }
}

int pb_plot_tasks(const pb_report *r, int tasks, const pb_look *look, const char *folder)
{
    scores s = read_scores(r, tasks);
    int rc = 0;
    if (s.rows >= 2) {
        pb_sheet sheet;
        const char **task = pb_alloc((size_t)tasks * sizeof *task);
        for (int t = 0; t < tasks; t++)
            task[t] = r[t].experiment->task_name;
        pb_sheet_begin(&sheet, look, "tasks", r, tasks);
        matrix m = new_matrix(s.rows, tasks);
        m.left = s.label;
        m.above = task;
        m.category = s.category;
        shade_tasks(&m, &s);
        add_classes(&sheet, s.category, s.rows);
        draw_matrix(&sheet, &m);
        pb_text_add(&sheet.caption,
                    "Test scores by task and row, each by the task's primary metric; rows by mean rank. "
                    "Each column has its own shades: blue is its best, orange its worst.");
        add_sources(&sheet, &s);
        add_data(&sheet, &s);
        rc = pb_sheet_end(&sheet, folder);
        free_matrix(&m);
        free(task);
    }
    free_scores(&s);
    return rc;
}

/* ---- the critical-difference diagram ------------------------------------------------------------------------- */

typedef struct diagram {
    pb_sheet sheet;
    const scores *scores;
    double left, right, axis; /* of the axis of ranks */
    double critical;
} diagram;

static double x_of(const diagram *d, double rank)
{
    return d->left + (d->right - d->left) * (rank - 1) / fmax(1, d->scores->rows - 1);
}

/* Draws the axis of mean ranks, with the critical difference above it. */
static void add_rank_axis(diagram *d)
{
    pb_sheet *s = &d->sheet;
    double line = pb_sheet_line_height(s), y = s->y + 0.7 * line;
    double end = fmin(x_of(d, 1 + d->critical), s->width - 3);
    char *text = pb_format("critical difference %.2f", d->critical);
    pb_sheet_write(s, d->left, y, "left", s->small, PB_INK, text);
    free(text);
    y += line;
    pb_sheet_line(s, d->left, y, end, y, 0.8, PB_INK);
    pb_sheet_line(s, d->left, y - 2, d->left, y + 2, 0.8, PB_INK);
    pb_sheet_line(s, end, y - 2, end, y + 2, 0.8, PB_INK);
    d->axis = y + 2.2 * line;
    pb_sheet_line(s, d->left, d->axis, d->right, d->axis, 0.6, PB_SOFT);
    pb_tick tick[PB_TICKS];
    pb_range ranks = {.low = 1, .high = d->scores->rows, .whole = true};
    int n = pb_ticks(&ranks, d->right - d->left, s->small, false, "", tick);
    for (int i = 0; i < n; i++) {
        double x = x_of(d, tick[i].at);
        pb_sheet_line(s, x, d->axis, x, d->axis - 3, 0.6, PB_SOFT);
        pb_sheet_write(s, x, d->axis - 3 - line / 2, "center", s->small, PB_SOFT, tick[i].text);
    }
}

/* Draws a bar below the axis for every largest group of rows whose ranks differ by less than the critical difference.
 * Returns the y below the last one. */
static double add_groups(diagram *d)
{
    const scores *s = d->scores;
    double y = d->axis + 6;
    for (int i = 0, reached = 0; i < s->rows; i++) {
        int last = i;
        while (last + 1 < s->rows && s->rank[last + 1] - s->rank[i] < d->critical)
            last++;
        if (last <= i || last <= reached)
            continue;
        reached = last;
        pb_sheet_line(&d->sheet, x_of(d, s->rank[i]) - 2, y, x_of(d, s->rank[last]) + 2, y, 2.2, PB_INK);
        y += 5;
    }
    return y;
}

/* Joins each rank to its name: those of the better half at the left, the others at the right. */
static void add_names(diagram *d, double top)
{
    const scores *s = d->scores;
    pb_sheet *sheet = &d->sheet;
    double pitch = 1.4 * sheet->small, bottom = top;
    int half = (s->rows + 1) / 2;
    for (int i = 0; i < s->rows; i++) {
        bool left = i < half;
        double y = top + pitch * (left ? i : s->rows - 1 - i) + pitch / 2, x = x_of(d, s->rank[i]);
        double end = left ? d->left - 4 : d->right + 4, room = left ? d->left - 22 : sheet->width - d->right - 22;
        const char *colour = pb_class_colour[s->category[i]];
        char *whole = left ? pb_format("%s  %.2f", s->label[i], s->rank[i])
                           : pb_format("%.2f  %s", s->rank[i], s->label[i]);
        char *name = pb_text_fit(whole, sheet->small, room);
        pb_sheet_line(sheet, x, d->axis, x, y, 0.6, colour);
        pb_sheet_line(sheet, x, y, end, y, 0.6, colour);
        pb_sheet_mark(sheet, x, d->axis, pb_class_mark[s->category[i]], colour);
        pb_sheet_write(sheet, left ? end - 3 : end + 3, y, left ? "right" : "left", sheet->small, PB_INK, name);
        bottom = fmax(bottom, y + pitch / 2);
        free(name);
        free(whole);
    }
    sheet->y = bottom + 3;
}

/* Returns whether the tasks are different data sets, and enough to rank the rows (pb_ranking_make). */
static bool can_rank(const scores *s)
{
    if (s->rows < 2 || s->tasks < pb_stats_friedman_least(s->rows))
        return false;
    for (int i = 0; i < s->tasks; i++)
        for (int k = 0; k < i; k++)
            if (!strcmp(s->report[i].experiment->data.hex, s->report[k].experiment->data.hex))
                return false;
    return true;
}

int pb_plot_ranks(const pb_report *r, int tasks, const pb_look *look, const char *folder)
{
    scores s = read_scores(r, tasks);
    pb_ranking ranking;
    int rc = 0;
    if (can_rank(&s) && !(rc = pb_ranking_make(&ranking, r, tasks))) {
        diagram d = {.scores = &s, .critical = ranking.test.critical};
        pb_sheet_begin(&d.sheet, look, "ranks", r, tasks);
        double names = widest(s.label, s.rows, d.sheet.small, 0.24 * d.sheet.width) +
                       pb_text_width("  00.00", d.sheet.small) + 24;
        d.left = names;
        d.right = d.sheet.width - names;
        add_classes(&d.sheet, s.category, s.rows);
        add_rank_axis(&d);
        add_names(&d, add_groups(&d) + 2);
        pb_text_add(&d.sheet.caption,
                    "Mean ranks over the tasks, 1 is best. A thick bar joins rows whose ranks differ by less than "
                    "Nemenyi's critical difference at 5 %%; Friedman's test: p = %.3g by permutation.",
                    ranking.p);
        add_sources(&d.sheet, &s);
        add_data(&d.sheet, &s);
        rc = pb_sheet_end(&d.sheet, folder);
        pb_ranking_free(&ranking);
    }
    free_scores(&s);
    return rc;
}

/* ---- one task ------------------------------------------------------------------------------------------------ */

/* Returns "+1.2" or "+12", without a sign if it rounds to 0; NULL for NaN.  The caller frees it. */
static char *difference_text(double x)
{
    return isnan(x) ? NULL : fabs(x) < 0.05 ? pb_strdup("0.0") : pb_format(fabs(x) < 9.95 ? "%+.1f" : "%+.0f", x);
}

/* The paired differences of all pairs of rows, in points of the score: coloured if the interval does not contain 0. */
int pb_plot_differences(const pb_report *r, const pb_look *look, const char *folder)
{
    const pb_experiment *e = r->experiment;
    char key[96];
    int *row = pb_alloc((size_t)e->rows * sizeof *row), rc = 0;
    int all = pb_ranked_rows(r, pb_report_primary(r, PB_TEST, key), row), n = pb_min(all, MOST);
    if (n >= 2) {
        const char **label = pb_alloc((size_t)n * sizeof *label);
        int *category = pb_alloc((size_t)n * sizeof *category);
        double point = pb_score_point(e->primary, pb_report_score(r, row[0], PB_TEST).middle);
        double sign = e->primary->higher_is_better ? 1 : -1, most = point;
        matrix m = new_matrix(n, n);
        pb_sheet s;
        pb_sheet_begin(&s, look, "differences", r, 1);
        for (int i = 0; i < n; i++) {
            label[i] = e->row[row[i]].label;
            category[i] = pb_row_category(&e->row[row[i]]);
            m.shade[i * n + i] = NAN;
            for (int k = 0; k < i; k++) {
                pb_interval v = pb_report_between(r, row[i], row[k], PB_TEST);
                bool decided = !isnan(v.low) && !isnan(v.high) && !pb_contains_zero(v);
                m.shade[i * n + k] = decided ? sign * v.middle : NAN;
                m.shade[k * n + i] = -m.shade[i * n + k];
                m.text[i * n + k] = difference_text(v.middle / point);
                m.text[k * n + i] = difference_text(-v.middle / point);
                most = decided ? fmax(most, fabs(v.middle)) : most;
                char *pair = pb_format("%s - %s", label[i], label[k]);
                pb_sheet_datum(&s, e->task_name, pair, key, NAN, v);
                free(pair);
            }
        }
        for (int i = 0; i < n * n; i++)
            m.shade[i] = isnan(m.shade[i]) ? NAN : copysign(0.15 + 0.85 * fabs(m.shade[i]) / most, m.shade[i]);
        m.left = m.above = label;
        m.category = category;
        add_classes(&s, category, n);
        draw_matrix(&s, &m);
        pb_text_add(&s.caption,
                    "Paired differences of test %s, row less column, in units of %g. Blue: the row is better, orange: "
                    "worse; without colour: the 95 %% interval of the difference contains 0, which is not adjusted for "
                    "the %d pairs.",
                    e->primary->name, point, n * (n - 1) / 2);
        if (n < all)
            pb_text_add(&s.caption, " The best %d of %d rows.", n, all);
        pb_sheet_caption_scores(&s);
        pb_sheet_key(&s, key);
        rc = pb_sheet_end(&s, folder);
        free_matrix(&m);
        free(category);
        free(label);
    }
    free(row);
    return rc;
}
