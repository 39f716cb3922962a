/* plot_rows: figures with a line for each row of the experiment, the best score on top, and a panel for each value:
 * the axes at a glance, the overhead of inference, and memory by class. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/plot_internal.h"

#define NARROWEST 60.0 /* width of a panel */
#define STRIPE "#f5f5f5"

/* ---- names --------------------------------------------------------------------------------------------------- */

int pb_ranked_rows(const pb_report *r, const char *key, int *row)
{
    return pb_report_order(r, key, row);
}

pb_name_column pb_names_of(const pb_sheet *s, const int *row, int rows, double lines)
{
    pb_name_column c = {.row = row, .rows = rows, .pitch = lines * s->small};
    for (int i = 0; i < rows; i++)
        c.left = fmax(c.left, pb_text_width(s->report->experiment->row[row[i]].label, s->small));
    c.left = 3 + fmin(c.left, 0.3 * s->width) + 8;
    return c;
}

void pb_names_write(pb_sheet *s, const pb_name_column *c, double top)
{
    for (int i = 0; i < c->rows; i++) {
        double y = top + c->pitch * i;
        if (i % 2)
            pb_sheet_rectangle(s, (pb_box){0, y, s->width, y + c->pitch}, STRIPE);
        char *name = pb_text_fit(s->report->experiment->row[c->row[i]].label, s->small, c->left - 10);
        pb_sheet_write(s, 3, y + c->pitch / 2, "left", s->small, PB_INK, name);
        free(name);
    }
}

/* ---- panels of values ---------------------------------------------------------------------------------------- */

/* A panel: a value of each row, and a second one that is drawn open below it. */
typedef struct column {
    const char *key, *second; /* second: NULL if there is none */
    const char *title, *unit;
    double reference; /* a vertical line; NaN: none */
} column;

enum { COLUMNS = 5 };

typedef struct chart {
    pb_sheet sheet;
    const pb_report *report;
    column column[COLUMNS];
    int columns;
    pb_name_column names;
    double width, gap; /* of a panel; between panels and at the right edge, for the numbers at their ends */
} chart;

static bool is_known(const pb_report *r, const char *key)
{
    for (int i = 0; key && i < r->experiment->rows; i++)
        if (!isnan(pb_report_measured(r, i, key).middle))
            return true;
    return false;
}

static void add_column(chart *c, column add)
{
    if (!is_known(c->report, add.second))
        add.second = NULL;
    if (is_known(c->report, add.key) && c->columns < COLUMNS)
        c->column[c->columns++] = add;
}

static bool has_second(const chart *c)
{
    for (int k = 0; k < c->columns; k++)
        if (c->column[k].second)
            return true;
    return false;
}

/* The range of a panel: of scores and ratios of times one that no single value or interval stretches, of exact costs
 * one with all values. */
static pb_range range_of(const chart *c, const column *k)
{
    int n = 0, rows = c->names.rows;
    pb_interval *v = pb_alloc((size_t)(2 * rows) * sizeof *v);
    for (int i = 0; i < rows; i++) {
        v[n++] = pb_report_measured(c->report, c->names.row[i], k->key);
        if (k->second)
            v[n++] = pb_report_measured(c->report, c->names.row[i], k->second);
    }
    bool measured = pb_report_split(k->key) >= 0 || !isnan(k->reference);
    pb_range s = measured ? pb_range_robust(v, n) : pb_range_of_costs(v, n);
    pb_range_widen(&s, k->reference);
    free(v);
    bool positive = s.low >= 0;
    pb_range_pad(&s, 0.06);
    if (positive && !s.log)
        s.low = fmax(s.low, 0);
    return s;
}

/* Adds a value that is outside the range: a sign at the frame, and the number. */
static void add_outside(chart *c, const pb_box *a, const pb_range *range, double y, double x, const char *colour)
{
    char text[PB_TICK_SIZE];
    bool left = x < range->low;
    double edge = left ? a->left : a->right, inside = edge + (left ? 8 : -8);
    pb_sheet_arrow(&c->sheet, inside, y, edge, y, colour);
    pb_sheet_write(&c->sheet, inside + (left ? 1 : -1), y, left ? "left" : "right", c->sheet.small, colour,
                   pb_tick_text(text, x, "", 3));
}

/* Adds the data block of the marks of a class, and what plots it; `dy` moves them within their rows. */
static void add_marks(chart *c, const pb_box *a, const pb_range *range, const column *k, bool second, int category,
                      pb_text *plots)
{
    const char *key = second ? k->second : k->key, *colour = pb_class_colour[category];
    double dy = !k->second ? 0 : second ? 0.2 : -0.2;
    int n = 0, block = pb_sheet_block(&c->sheet);
    pb_text later = c->sheet.figure.commands; /* a data block has nothing but data */
    c->sheet.figure.commands = (pb_text){0};
    for (int i = 0; i < c->names.rows; i++) {
        const pb_row *row = &c->report->experiment->row[c->names.row[i]];
        pb_interval v = pb_report_measured(c->report, c->names.row[i], key);
        if (isnan(v.middle) || pb_row_category(row) != category)
            continue;
        double share = (i + 0.5 + dy) / c->names.rows, y = a->top + share * (a->bottom - a->top);
        pb_sheet_datum(&c->sheet, c->report->experiment->task_name, row->label, key, NAN, v);
        double x = pb_range_position(range, v.middle), at = fmin(fmax(pb_range_at(range, v.middle), 0), 1);
        pb_sheet_tip(&c->sheet, a->left + at * (a->right - a->left), y, row->label, key, v);
        if (!pb_range_contains(range, x)) {
            add_outside(c, a, range, y, v.middle, colour);
            continue;
        }
        pb_sheet_interval(&c->sheet, a, range, true, y, v, colour);
        pb_text_add(&later, "%.9g %.6f\n", x, 1 - share);
        n++;
    }
    pb_text signs = c->sheet.figure.commands;
    c->sheet.figure.commands = later;
    if (!n)
        pb_text_add(&c->sheet.figure.commands, "NaN NaN\n");
    pb_sheet_block_end(&c->sheet);
    if (signs.length)
        pb_text_bytes(&c->sheet.figure.commands, signs.data, signs.length);
    pb_text_free(&signs);
    if (n)
        pb_text_add(plots, "%s$d%d using 1:2 with points pt %d ps %g*PS lw 0.9*LW lc rgb '%s'",
                    plots->length ? ", " : "", block, (second ? pb_class_open_mark : pb_class_mark)[category], PB_MARK,
                    colour);
}

static void add_panel(chart *c, int number, double left, double top)
{
    pb_sheet *s = &c->sheet;
    const column *k = &c->column[number];
    pb_box a = {left, top, left + c->width, top + c->names.pitch * c->names.rows};
    pb_range range = range_of(c, k);
    double line = pb_sheet_line_height(s);
    int lines = pb_sheet_lines(k->title, s->small, c->width + c->gap - 4);
    pb_sheet_write_lines(s, a.left, top - (lines - 0.3) * line, c->width + c->gap - 4, "left", s->small, PB_INK,
                         k->title);
    pb_sheet_panel(s, &a, &(pb_panel_axis){&range, NULL, k->unit}, &(pb_panel_axis){NULL});
    if (!isnan(k->reference)) {
        double x = a.left + (a.right - a.left) * pb_range_at(&range, k->reference);
        pb_sheet_line(s, x, a.top, x, a.bottom, 0.6, PB_SOFT);
    }
    pb_text plots = {0};
    for (int category = 0; category < PB_CATEGORIES; category++) {
        add_marks(c, &a, &range, k, false, category, &plots);
        if (k->second)
            add_marks(c, &a, &range, k, true, category, &plots);
    }
    pb_sheet_plot(s, plots.data);
    pb_text_free(&plots);
    pb_sheet_key(s, k->key);
    if (k->second)
        pb_sheet_key(s, k->second);
}

/* Lays the panels out in as many lines as they need to be wide enough. */
static void add_panels(chart *c)
{
    pb_sheet *s = &c->sheet;
    c->gap = 1.75 * s->small;
    double room = s->width - c->names.left - c->gap, line = pb_sheet_line_height(s);
    int most = (int)fmax(1, floor((room + c->gap) / (NARROWEST + c->gap))), lines = (c->columns + most - 1) / most;
    int each = (c->columns + lines - 1) / lines;
    c->width = (room - c->gap * (each - 1)) / each;
    int heads = 1;
    for (int k = 0; k < c->columns; k++)
        heads = pb_sheet_lines(c->column[k].title, s->small, c->width + c->gap - 4) > heads ? 2 : heads;
    for (int k = 0; k < c->columns; k++) {
        double top = s->y + (heads + 0.2) * line;
        if (k % each == 0)
            pb_names_write(s, &c->names, top);
        add_panel(c, k, c->names.left + (k % each) * (c->width + c->gap), top);
        if (k % each == each - 1 || k == c->columns - 1)
            s->y = top + c->names.pitch * c->names.rows + 1.5 * line + 4;
    }
}

/* Draws a chart whose columns are set, with the rows that have a value under `key`, the best first. */
static int draw_chart(chart *c, const char *key, const char *folder)
{
    int *row = pb_alloc((size_t)c->report->experiment->rows * sizeof *row);
    int rows = pb_ranked_rows(c->report, key, row), rc = 0;
    if (c->columns && rows) {
        c->names = pb_names_of(&c->sheet, row, rows, has_second(c) ? 1.9 : 1.45);
        bool has[PB_CATEGORIES] = {false};
        for (int i = 0; i < rows; i++)
            has[pb_row_category(&c->report->experiment->row[row[i]])] = true;
        pb_sheet_class_legend(&c->sheet, has);
        add_panels(c);
        rc = pb_sheet_end(&c->sheet, folder);
    } else {
        pb_sheet_drop(&c->sheet);
    }
    free(row);
    return rc;
}

int pb_plot_axes(const pb_report *r, const pb_look *look, const char *folder)
{
    char key[96];
    static const char *const cost[] = {"storage.trainable", "memory.train.total", "compute.train_flops"};
    pb_report_primary(r, PB_TEST, key);
    if (!is_known(r, key))
        return 0;
    chart c = {.report = r};
    pb_sheet_begin(&c.sheet, look, "axes", r, 1);
    char *score = pb_format("test %s", r->experiment->primary->name);
    add_column(&c, (column){key, NULL, score, "", NAN});
    for (size_t i = 0; i < PB_COUNT(cost); i++) {
        pb_cost known = pb_cost_of(cost[i]);
        add_column(&c, (column){cost[i], NULL, known.title, known.unit, NAN});
    }
    add_column(&c, (column){"overhead.prefill_ratio.b1", NULL, "prefill time / base", "", 1});
    pb_text_add(&c.sheet.caption,
                "The five axes of every row, the best score on top: accuracy, storage, memory, computation and, where "
                "it was timed, inference overhead.");
    pb_sheet_caption_scores(&c.sheet);
    int rc = draw_chart(&c, key, folder);
    free(score);
    return rc;
}

/* Returns the number of processes that timed a row, the first one that was timed. */
static int count_processes(const pb_report *r, const char *key)
{
    int n = 0;
    for (int i = 0; i < r->experiment->rows && n <= 0; i++) {
        double *x;
        n = pb_report_times(r, i, key, &x); /* the store remembers an error */
        free(x);
    }
    return n;
}

int pb_plot_overhead(const pb_report *r, const pb_look *look, const char *folder)
{
    char key[96];
    static const column panel[] = {
        {"overhead.prefill_ratio.b1", "overhead.prefill_ratio.b1.merged", "prefill of 1 text / base", "", 1},
        {"overhead.prefill_ratio.b32", "overhead.prefill_ratio.b32.merged", "prefill of 32 texts / base", "", 1},
        {"overhead.decode_ratio.b1", "overhead.decode_ratio.b1.merged", "decoding of 1 text / base", "", 1},
        {"overhead.decode_ratio.b32", "overhead.decode_ratio.b32.merged", "decoding of 32 texts / base", "", 1}};
    chart c = {.report = r};
    pb_sheet_begin(&c.sheet, look, "overhead", r, 1);
    for (size_t i = 0; i < PB_COUNT(panel); i++)
        add_column(&c, panel[i]);
    pb_text_add(&c.sheet.caption,
                "Time over that of the base model: filled marks unmerged, open marks merged. Mean over n = %d "
                "processes of one seed; the 95 %% interval is for other processes on this machine. An arrow head at "
                "the frame: the interval, or the value, is beyond it.",
                count_processes(r, panel[0].key));
    return draw_chart(&c, is_known(r, pb_report_primary(r, PB_TEST, key)) ? key : "overhead.prefill_ratio.b1", folder);
}

/* ---- memory by class ----------------------------------------------------------------------------------------- */

static const struct {
    const char *key, *name;
} part[] = {{"memory.train.weights", "weights"},      {"memory.train.gradients", "gradients"},
            {"memory.train.optimizer", "optimizer"},  {"memory.train.activations", "activations"},
            {"memory.train.workspace", "workspace"},  {"memory.train.features", "features"},
            {"memory.train.best", "copy of the best"}};

static double total_memory(const pb_report *r, int row)
{
    return pb_report_value(r, row, -1, "memory.train.total").middle;
}

/* Adds the bars of a part: left and right end, and y.  Returns its block, or -1 if no row has any of it. */
static int add_bars(pb_sheet *s, const pb_report *r, const pb_name_column *names, size_t k, const pb_box *a,
                    const pb_range *range, double *left)
{
    int block = pb_sheet_block(s), n = 0;
    for (int i = 0; i < names->rows; i++) {
        pb_interval v = pb_report_value(r, names->row[i], -1, part[k].key);
        pb_sheet_datum(s, r->experiment->task_name, r->experiment->row[names->row[i]].label, part[k].key, NAN, v);
        if (!(v.middle > 0))
            continue;
        pb_text_add(&s->figure.commands, "%.9g %.9g %.6f\n", left[i], left[i] + v.middle, 1 - (i + 0.5) / names->rows);
        double middle = pb_range_at(range, left[i] + v.middle / 2);
        pb_sheet_tip(s, a->left + middle * (a->right - a->left), a->top + (i + 0.5) * names->pitch,
                     r->experiment->row[names->row[i]].label, part[k].key, v);
        left[i] += v.middle;
        n++;
    }
    if (!n)
        pb_text_add(&s->figure.commands, "NaN NaN NaN\n");
    pb_sheet_block_end(s);
    return n ? block : -1;
}

/* Writes the total behind each bar, whose end is `left`.  A line leads to it from the end of a bar that is shorter,
 * because the preparation needs more than training. */
static void add_totals(pb_sheet *s, const pb_report *r, const pb_name_column *names, const pb_box *a,
                       const pb_range *range, const double *left)
{
    bool prepared = false;
    for (int i = 0; i < names->rows; i++) {
        char text[PB_TICK_SIZE];
        double total = total_memory(r, names->row[i]), y = 1 - (i + 0.5) / names->rows;
        pb_sheet_write(s, a->left + (a->right - a->left) * pb_range_at(range, total) + 3,
                       a->top + names->pitch * (i + 0.5), "left", s->small, PB_INK, pb_tick_text(text, total, "B", 3));
        if (total <= left[i])
            continue;
        pb_text_add(&s->figure.commands,
                    "set arrow from first %.9g, first %.6f to first %.9g, first %.6f nohead lw LW lc rgb '" PB_SOFT
                    "'\n",
                    left[i], y, total, y);
        prepared = true;
    }
    pb_sheet_key(s, "memory.train.total");
    if (prepared)
        pb_text_add(&s->caption,
                    " A line behind a bar: what the preparation before the first step needs is more than training.");
}

static void add_memory_panel(pb_sheet *s, const pb_report *r, const pb_name_column *names)
{
    double line = pb_sheet_line_height(s), *left = pb_alloc((size_t)names->rows * sizeof *left);
    pb_box a = {names->left, s->y, s->width - 40, s->y + names->rows * names->pitch};
    pb_range range = {0, 0, false, false};
    for (int i = 0; i < names->rows; i++)
        pb_range_widen(&range, total_memory(r, names->row[i]));
    pb_text plots = {0};
    pb_names_write(s, names, s->y);
    pb_sheet_panel(s, &a, &(pb_panel_axis){&range, "training memory by class", "B"}, &(pb_panel_axis){NULL});
    for (size_t k = 0; k < PB_COUNT(part); k++) {
        int block = add_bars(s, r, names, k, &a, &range, left);
        if (block >= 0)
            pb_text_add(&plots,
                        "%s$d%d using (($1+$2)/2):3:1:2:($3-%.5f):($3+%.5f) with boxxyerror fs solid border lc rgb "
                        "'#ffffff' lw 0.3*LW fc rgb '%s'",
                        plots.length ? ", " : "", block, 0.36 / names->rows, 0.36 / names->rows, pb_shade[k]);
        pb_sheet_key(s, part[k].key);
    }
    add_totals(s, r, names, &a, &range, left);
    pb_sheet_plot(s, plots.data);
    s->y = a.bottom + 2.8 * line;
    pb_text_free(&plots);
    free(left);
}

int pb_plot_memory(const pb_report *r, const pb_look *look, const char *folder)
{
    pb_legend entry[PB_COUNT(part)];
    int entries = 0, *row = pb_alloc((size_t)r->experiment->rows * sizeof *row);
    int rows = pb_ranked_rows(r, "memory.train.total", row), rc = 0;
    pb_sheet s;
    pb_sheet_begin(&s, look, "memory", r, 1);
    for (size_t k = 0; k < PB_COUNT(part); k++) {
        double most = 0;
        for (int i = 0; i < rows; i++)
            most = fmax(most, pb_report_value(r, row[i], -1, part[k].key).middle);
        if (most > 0)
            entry[entries++] = (pb_legend){part[k].name, pb_shade[k], 0};
    }
    if (rows) {
        pb_name_column names = pb_names_of(&s, row, rows, 1.45);
        pb_sheet_legend(&s, entry, entries);
        pb_text_add(&s.caption,
                    "Exact bytes of training by class, which the plan of the batches gives and the run is held to; the "
                    "same for every seed. The least on top.");
        add_memory_panel(&s, r, &names);
        rc = pb_sheet_end(&s, folder);
    } else {
        pb_sheet_drop(&s);
    }
    free(row);
    return rc;
}
