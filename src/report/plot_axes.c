/* plot_axes: the axes at a glance: small multiples with a panel for each axis and a line for each row, the best score
 * on top. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/gnuplot.h"
#include "report/plot_internal.h"

#define ROW 14.0    /* height of a row, in pixels */
#define ABOVE 84.0  /* above the panels: title and legend */
#define BELOW 50.0  /* below them: the scales */
#define PANEL 190.0 /* width of a panel */
#define GAP 26.0    /* between panels, and at the right edge */

/* A panel: a value of each row. */
typedef struct panel {
    const char *key, *title;
} panel;

enum { PANELS = 5 };

typedef struct sheet {
    const pb_report *report;
    panel panel[PANELS];
    int panels;
    int *row; /* [rows] of the report, the best first */
    int rows;
    double width, height, left; /* of the figure and of its column of names, in pixels */
} sheet;

/* Adds a panel if a row has its value. */
static void add_panel(sheet *s, const char *key, const char *title)
{
    for (int i = 0; i < s->report->experiment->rows; i++)
        if (!isnan(pb_report_measured(s->report, i, key).middle)) {
            s->panel[s->panels++] = (panel){key, title};
            return;
        }
}

static bool is_score(const panel *p)
{
    return pb_report_split(p->key) >= 0;
}

/* Sets s->row to the rows that have a score, the best first. */
static void rank_rows(sheet *s)
{
    const pb_experiment *e = s->report->experiment;
    s->row = pb_alloc((size_t)e->rows * sizeof *s->row);
    s->rows = pb_report_order(s->report, s->panel[0].key, s->row);
    for (int i = 0; i < s->rows; i++)
        s->left = fmax(s->left, pb_label_width(e->row[s->row[i]].label));
}

/* Returns whether nothing is trained in a row.  Its score does not stretch the panel of scores. */
static bool is_untrained(const sheet *s, int row)
{
    return pb_report_value(s->report, row, -1, "storage.trainable").middle == 0;
}

/* The range of a panel: all values, and of their intervals at most a quarter of the values' range beyond them. */
static pb_plot_range range_of(const sheet *s, const panel *p)
{
    pb_plot_range values = {INFINITY, -INFINITY, false};
    for (int i = 0; i < s->rows; i++) {
        double x = pb_report_measured(s->report, s->row[i], p->key).middle;
        if (is_score(p) ? !is_untrained(s, s->row[i]) : x > 0)
            pb_range_widen(&values, x);
    }
    if (values.low > values.high) /* nothing is trained in any row */
        values.low = 0, values.high = 1;
    pb_plot_range r = values;
    r.log = !is_score(p) && r.low > 0 && r.high / r.low > LONG_AXIS;
    double beyond = (values.high - values.low) / 4;
    for (int i = 0; i < s->rows && !r.log; i++) {
        pb_interval v = pb_report_measured(s->report, s->row[i], p->key);
        if (isnan(v.low) || v.middle < values.low || v.middle > values.high)
            continue;
        pb_range_widen(&r, fmax(v.low, values.low - beyond));
        pb_range_widen(&r, fmin(v.high, values.high + beyond));
    }
    pb_range_pad(&r, 0.05);
    if (values.low >= 0) /* a cost is not negative */
        r.low = fmax(r.low, 0);
    return r;
}

/* Adds the data block $pPANEL_CATEGORY: value, low, high and line of the rows of a category.  A value outside the
 * range, such as 0 on a logarithmic axis, is written at its end of the line. */
static int add_points(pb_figure *f, const sheet *s, int number, int category, const pb_plot_range *range)
{
    int n = 0;
    pb_text *t = &f->commands, outside = {0};
    pb_text_add(t, "$p%d_%d << EOD\n", number, category);
    for (int i = 0; i < s->rows; i++) {
        pb_interval v = pb_report_measured(s->report, s->row[i], s->panel[number].key);
        if (isnan(v.middle) || pb_row_category(&s->report->experiment->row[s->row[i]]) != category)
            continue;
        n++;
        pb_text_add(t, "%.9g %.9g %.9g %d\n", v.middle, isnan(v.low) ? v.middle : v.low,
                    isnan(v.high) ? v.middle : v.high, s->rows - i);
        if (v.middle < range->low || v.middle > range->high)
            pb_text_add(&outside, "set label '%.3g' at graph %s,first %d %s font ',9'\n", v.middle,
                        v.middle < range->low ? "0.02" : "0.98", s->rows - i, v.middle < range->low ? "left" : "right");
    }
    pb_text_add(t, "EOD\n%s", outside.data ? outside.data : "");
    pb_text_free(&outside);
    return n;
}

/* A line for each row, with its name in front of the first panel. */
static void add_lines(pb_figure *f, const sheet *s, bool names)
{
    pb_text_add(&f->commands, "set ytics (");
    for (int i = 0; i < s->rows; i++) {
        pb_text_add(&f->commands, i ? ", " : "");
        if (names)
            pb_text_add(&f->commands, "t(%d)", pb_figure_tic(f, s->report->experiment->row[s->row[i]].label));
        pb_text_add(&f->commands, "%s %d", names ? "" : "''", s->rows - i);
    }
    pb_text_add(&f->commands, ")\n");
}

/* The format of a panel's scale: with SI prefixes for large costs, and a digit after the point where the prefix changes
 * within the scale. */
static const char *scale_of(const panel *p, const pb_plot_range *r)
{
    bool changes = !r->log && r->low < 1e12 && r->high > 1.05e12;
    return is_score(p) || r->high <= 1000 ? "%g" : changes ? "%.1s%c" : "%.0s%c";
}

static void draw_panel(pb_figure *f, const sheet *s, int number)
{
    pb_text *t = &f->commands;
    pb_plot_range range = range_of(s, &s->panel[number]);
    double left = s->left + number * (PANEL + GAP);
    const char *plot = "plot";
    pb_text_add(t,
                "unset label\nset lmargin at screen %.5f\nset rmargin at screen %.5f\n%sset xrange [%.9g:%.9g]\n"
                "set format x '%s'\nset title t(%d) offset 0,-0.5\n",
                left / s->width, (left + PANEL) / s->width, range.log ? "set logscale x\n" : "unset logscale\n",
                range.low, range.high, scale_of(&s->panel[number], &range), pb_figure_text(f, s->panel[number].title));
    if (number < 2) /* the other panels are as the second */
        add_lines(f, s, number == 0);
    pb_text shown = {0};
    for (int c = 0; c < PB_CATEGORIES; c++)
        if (add_points(f, s, number, c, &range)) {
            pb_text_add(&shown, "%s $p%d_%d using 1:4:2:3 with xerrorbars pt %d ps 0.8 lw 1.2 lc rgb '%s'", plot,
                        number, c, pb_category_shape[c], pb_category_grey[c]);
            plot = ", \\\n ";
        }
    pb_text_add(t, "%s\n", shown.data);
    pb_text_free(&shown);
}

/* A line of the shapes of the categories that occur. */
static void add_legend(pb_figure *f, const sheet *s)
{
    static const char *const name[PB_CATEGORIES] = {"baseline", "additive", "selective", "reparametrization", "hybrid"};
    double x = s->left, y = 1 - (ABOVE - 36) / s->height;
    for (int c = 0; c < PB_CATEGORIES; c++) {
        bool any = false;
        for (int i = 0; i < s->rows; i++)
            any = any || pb_row_category(&s->report->experiment->row[s->row[i]]) == c;
        if (!any)
            continue;
        pb_text_add(&f->commands, "set label '%s' at screen %.5f,%.5f left offset 1,0 point pt %d ps 0.9 lc rgb '%s'\n",
                    name[c], x / s->width, y, pb_category_shape[c], pb_category_grey[c]);
        x += pb_label_width(name[c]) + 34;
    }
}

static int draw(const sheet *s, const char *folder)
{
    pb_figure f = {.count = 0};
    pb_text *t = &f.commands;
    pb_text_add(t,
                "%sset tmargin at screen %.5f\nset bmargin at screen %.5f\nset xtics font ',9' rotate by -35\n"
                "set ytics font ',9'\nset multiplot title t(%d)\nset yrange [0.4:%.1f]\n",
                pb_plot_style, 1 - ABOVE / s->height, BELOW / s->height, pb_plot_title(&f, s->report), s->rows + 0.6);
    for (int i = 0; i < s->panels; i++)
        draw_panel(&f, s, i);
    pb_text_add(t, "unset label\n"); /* the legend belongs to an empty plot of its own */
    add_legend(&f, s);
    pb_text_add(t, "unset border\nunset tics\nunset title\nunset logscale\nset xrange [0:1]\nplot NaN notitle\n"
                   "unset multiplot\n");
    int rc = pb_figure_draw(&f, folder, "axes", s->width, s->height);
    pb_figure_free(&f);
    return rc;
}

int pb_plot_axes(const pb_report *r, const char *folder)
{
    char key[96];
    sheet s = {.report = r};
    char *score = pb_format("test %s", r->experiment->primary->name);
    add_panel(&s, pb_report_primary(r, PB_TEST, key), score);
    int rc = 0;
    if (s.panels) { /* something is scored */
        add_panel(&s, "storage.trainable", "trainable parameters");
        add_panel(&s, "memory.train.total", "training memory, bytes");
        add_panel(&s, "compute.train_flops", "FLOPs of training");
        add_panel(&s, "overhead.prefill_ratio.b1", "prefill time / base");
        rank_rows(&s);
        s.left += 16;
        s.width = s.left + s.panels * (PANEL + GAP);
        s.height = ABOVE + BELOW + ROW * s.rows;
        rc = draw(&s, folder);
    }
    free(s.row);
    free(score);
    return rc;
}
