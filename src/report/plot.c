/* plot: see plot.h.  A figure is a gnuplot script that contains its data.  Labels are next to what they name, and
 * shapes and grey levels distinguish rows without colour. */
#include "report/plot_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/gnuplot.h"
#include "report/tuning.h"

/* Looks of lines, and shapes of the points on them. */
static const char *const line[] = {"lc rgb '#000000' dt 1", "lc rgb '#000000' dt 2", "lc rgb '#808080' dt 1",
                                   "lc rgb '#808080' dt 2", "lc rgb '#404040' dt 3", "lc rgb '#a0a0a0' dt 4"};
static const int line_shape[] = {7, 5, 9, 11, 13, 4};

static void add_title(pb_figure *f, const pb_report *r)
{
    pb_text_add(&f->commands, "%sset title t(%d)\n", pb_plot_style, pb_plot_title(f, r));
}

/* ---- accuracy against a cost -------------------------------------------------------------------------- */

static double at(const pb_plot_range *r, double x)
{
    return r->log ? (log(x) - log(r->low)) / (log(r->high) - log(r->low)) : (x - r->low) / (r->high - r->low);
}

/* Collects the rows with a result.  Rows without a cost, in which nothing is trained, are drawn as a level. */
static int collect_points(const pb_report *r, const char *cost, point *spot, pb_plot_range *x, pb_plot_range *y)
{
    int n = 0;
    for (int i = 0; i < r->experiment->rows; i++) {
        pb_interval v = pb_report_score(r, i, PB_TEST);
        double c = pb_report_value(r, i, -1, cost).middle;
        if (isnan(v.middle) || isnan(c))
            continue;
        const pb_row *row = r->row[i].row;
        spot[n++] = (point){
            .label = row->label, .x = c, .y = v.middle, .low = v.low, .high = v.high, .category = pb_row_category(row)};
        if (c > 0)
            pb_range_widen(x, c);
        pb_range_widen(y, v.middle);
        pb_range_widen(
            y, fmax(v.low, v.middle - 0.05)); /* a wide interval is clipped so that it does not stretch the figure */
        pb_range_widen(y, fmin(v.high, v.middle + 0.05));
    }
    return n;
}

static void to_pixels(point *spot, int n, const pb_plot_range *x, const pb_plot_range *y)
{
    for (int i = 0; i < n; i++) {
        point *s = &spot[i];
        s->px = s->x > 0 ? at(x, s->x) * AREA_WIDTH : 0;
        s->py = at(y, s->y) * AREA_HEIGHT;
        double low = isnan(s->low) ? s->py : at(y, s->low) * AREA_HEIGHT;
        double high = isnan(s->high) ? s->py : at(y, s->high) * AREA_HEIGHT;
        s->mark = (box){s->px - 5, s->px + 5, fmin(fmax(low, 0), s->py - 5), fmax(fmin(high, AREA_HEIGHT), s->py + 5)};
    }
    pb_place_labels(spot, n);
}

/* Adds a thin line from a point to a label that is not next to it. */
static void add_leader(pb_text *t, const point *s)
{
    double x = fmin(fmax(s->px, s->text.left), s->text.right), y = fmin(fmax(s->py, s->text.bottom), s->text.top);
    if (s->x > 0 && hypot(x - s->px, y - s->py) > LINE)
        pb_text_add(t, "set arrow from graph %.4f,%.4f to graph %.4f,%.4f nohead lw 0.7 lc rgb '#909090'\n",
                    x / AREA_WIDTH, y / AREA_HEIGHT, s->px / AREA_WIDTH, s->py / AREA_HEIGHT);
}

static void add_labels(pb_figure *f, const point *spot, int n)
{
    pb_text *t = &f->commands;
    for (int i = 0; i < n; i++) {
        const point *s = &spot[i];
        pb_text_add(t, "set label t(%d) at graph %.4f,%.4f center front\n", pb_figure_text(f, s->label),
                    (s->text.left + s->text.right) / 2 / AREA_WIDTH, (s->text.bottom + s->text.top) / 2 / AREA_HEIGHT);
        add_leader(t, s);
        if (s->x <= 0)
            pb_text_add(t, "set arrow from graph 0,first %g to graph 1,first %g nohead dt 2 lc rgb '#808080'\n", s->y,
                        s->y);
    }
}

static void add_points(pb_text *t, const point *spot, int n)
{
    pb_text_add(t, "plot ");
    for (int i = 0, drawn = 0; i < n; i++) {
        const point *s = &spot[i];
        if (s->x <= 0)
            continue;
        pb_text_add(t, "%s$p%d using 1:2:3:4 with yerrorbars pt %d ps 1.1 lw 1.3 lc rgb '%s'", drawn++ ? ", \\\n " : "",
                    i, pb_category_shape[s->category], pb_category_grey[s->category]);
    }
    pb_text_add(t, "\n");
}

static int draw_against(const pb_report *r, const char *folder, const char *name, const char *cost, const char *title)
{
    int rows = r->experiment->rows;
    point *spot = pb_alloc((size_t)rows * sizeof *spot);
    pb_plot_range x = {INFINITY, -INFINITY, true}, y = {INFINITY, -INFINITY, false};
    int n = collect_points(r, cost, spot, &x, &y), rc = 0;
    if (n && x.low <= x.high) {
        x.log = x.high / x.low > LONG_AXIS;
        pb_range_pad(&x, 0.12);
        pb_range_pad(&y, 0.08);
        to_pixels(spot, n, &x, &y);
        pb_figure f = {.count = 0};
        const char *score = r->experiment->primary->name;
        char *label = r->experiment->seeds == 1
                          ? pb_format("test %s of one seed and its 95 %% interval", score)
                          : pb_format("test %s, mean of %d seeds and its 95 %% interval", score, r->experiment->seeds);
        add_title(&f, r);
        pb_text_add(&f.commands,
                    "set xlabel t(%d)\nset ylabel t(%d)\n"
                    "%sset format x '%%.0s%%c'\nset xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n",
                    pb_figure_text(&f, title), pb_figure_text(&f, label), x.log ? "set logscale x\n" : "", x.low,
                    x.high, y.low, y.high);
        free(label);
        for (int i = 0; i < n; i++)
            pb_text_add(&f.commands, "$p%d << EOD\n%.9g %.9g %.9g %.9g\nEOD\n", i, spot[i].x, spot[i].y,
                        isnan(spot[i].low) ? spot[i].y : spot[i].low, isnan(spot[i].high) ? spot[i].y : spot[i].high);
        add_labels(&f, spot, n);
        add_points(&f.commands, spot, n);
        rc = pb_figure_draw(&f, folder, name, WIDTH, HEIGHT);
        pb_figure_free(&f);
    }
    free(spot);
    return rc;
}

/* ---- overhead bars ------------------------------------------------------------------------------------- */

/* Adds a bar with its interval, if there is a measurement.  Returns the number of bars added. */
static int add_bar(pb_text *t, const pb_report *r, int row, int batch, const char *suffix, double x)
{
    char key[3][96];
    static const char *const end[] = {"", ".low", ".high"};
    double v[3];
    for (int i = 0; i < 3; i++) {
        snprintf(key[i], sizeof key[i], "overhead.prefill_ratio.b%d%s%s", batch, suffix, end[i]);
        v[i] = pb_report_single(r, row, key[i]);
    }
    if (isnan(v[0]))
        return 0;
    pb_text_add(t, "%g %.5g %.5g %.5g\n", x, v[0], isnan(v[1]) ? v[0] : v[1], isnan(v[2]) ? v[0] : v[2]);
    return 1;
}

static int draw_overhead(const pb_report *r, const char *folder)
{
    static const struct {
        int batch;
        const char *suffix, *title, *fill;
    } series[] = {{1, "", "one text, unmerged", "#303030"},
                  {1, ".merged", "one text, merged", "#787878"},
                  {32, "", "32 texts, unmerged", "#b0b0b0"},
                  {32, ".merged", "32 texts, merged", "#e0e0e0"}};
    pb_figure f = {.count = 0};
    pb_text *t = &f.commands;
    int bars = 0;
    add_title(&f, r);
    pb_text_add(
        t, "set ylabel 'time of a forward pass / base model, 95 %% interval'\nset yrange [0:*]\n"
           "set key top left horizontal samplen 1\nset style fill solid border lc rgb '#303030'\nset boxwidth 0.18\n"
           "set xtics rotate by -35 (");
    for (int i = 0; i < r->experiment->rows; i++)
        pb_text_add(t, "%st(%d) %d", i ? ", " : "", pb_figure_tic(&f, r->row[i].row->label), i);
    pb_text_add(t, ")\nset xrange [-0.6:%g]\nset offsets 0,0,0.35,0\n", r->experiment->rows - 0.4);
    for (size_t k = 0; k < PB_COUNT(series); k++) {
        pb_text_add(t, "$s%zu << EOD\n", k);
        for (int i = 0; i < r->experiment->rows; i++)
            bars += add_bar(t, r, i, series[k].batch, series[k].suffix, i + 0.2 * ((double)k - 1.5));
        pb_text_add(t, "-9 0 0 0\nEOD\n"); /* outside the range, so that the block is never empty */
    }
    pb_text_add(t, "plot ");
    for (size_t k = 0; k < PB_COUNT(series); k++)
        pb_text_add(t,
                    "$s%zu using 1:2 with boxes fc rgb '%s' title '%s', "
                    "$s%zu using 1:3:(0):($4-$3) with vectors nohead lw 1.5 lc rgb '#000000' notitle, \\\n ",
                    k, series[k].fill, series[k].title, k);
    pb_text_add(t, "1 with lines dt 2 lc rgb '#000000' notitle\n");
    int rc = bars ? pb_figure_draw(&f, folder, "overhead", WIDTH, HEIGHT) : 0;
    pb_figure_free(&f);
    return rc;
}

/* ---- learning curves ----------------------------------------------------------------------------------- */

typedef struct curve {
    pb_text points;
    pb_plot_range x, y; /* what the panel has to show of it */
    double last_x, last_y;
    int count;
} curve;

static curve new_curve(void)
{
    return (curve){.x = {INFINITY, -INFINITY, false}, .y = {INFINITY, -INFINITY, false}};
}

static void add_point(void *ctx, int step, double mean)
{
    curve *c = ctx;
    if (!c->count++) {
        pb_range_widen(&c->x, 0);
        pb_range_widen(&c->y, mean);
    }
    c->last_x = step;
    c->last_y = mean;
    pb_text_add(&c->points, "%d %.17g\n", step, mean);
}

/* Widens the ranges by the last point: a curve is shown from its first point to its last one. */
static void end_curve(curve *c)
{
    if (!c->count)
        return;
    pb_range_widen(&c->x, c->last_x);
    pb_range_widen(&c->y, c->last_y);
}

/* Reads the mean over the seeds of the row's choice, step by step. */
static curve read_curve(const pb_report *r, int row, const char *key)
{
    curve c = new_curve();
    pb_store_curve(r->store, r->row[row].id, r->experiment->seeds, key, add_point,
                   &c); /* the store remembers an error */
    end_curve(&c);
    return c;
}

static int by_height(const void *a, const void *b)
{
    const point *x = a, *y = b;
    return (x->y > y->y) - (x->y < y->y);
}

/* Adds labels at the right ends of the curves, without overlap and below the top of the axis `y`. */
static void add_ends(pb_figure *f, point *end, int n, pb_plot_range y)
{
    double step = (y.high - y.low) * LINE / (HEIGHT - 120), least = -INFINITY, most = y.high;
    qsort(end, (size_t)n, sizeof *end, by_height);
    for (int i = 0; i < n; i++) {
        end[i].y = fmax(end[i].y, least);
        least = end[i].y + step;
    }
    for (int i = n - 1; i >= 0; i--) {
        end[i].y = fmin(end[i].y, most);
        most = end[i].y - step;
        pb_text_add(&f->commands, "set label t(%d) at first %g,first %g left offset 0.6,0\n",
                    pb_figure_text(f, end[i].label), end[i].x, end[i].y);
    }
}

/* A panel of curves. */
typedef struct panel {
    curve (*read)(const pb_report *r, int row, const char *key);
    const char *key, *x, *y; /* of `read`; names of the axes */
    int number;
} panel;

static int add_panel(pb_figure *f, const pb_report *r, const panel *p)
{
    int rows = r->experiment->rows, n = 0;
    point *end = pb_alloc((size_t)rows * sizeof *end);
    pb_plot_range x = {INFINITY, -INFINITY, false}, y = x;
    pb_text plot = {0}, *t = &f->commands;
    for (int i = 0; i < rows; i++) {
        curve c = p->read(r, i, p->key);
        if (c.count > 1) {
            pb_text_add(t, "$c%d_%d << EOD\n%sEOD\n", p->number, i, c.points.data);
            pb_text_add(&plot, "%s$c%d_%d using 1:2 with %s lw 1.4 %s", n ? ", \\\n " : "plot ", p->number, i,
                        c.count < 20 ? "linespoints pt 7 ps 0.6" : "lines", line[n % (int)PB_COUNT(line)]);
            end[n++] = (point){.label = r->row[i].row->label, .x = c.last_x, .y = c.last_y};
            pb_range_widen(&x, c.x.low);
            pb_range_widen(&x, c.x.high);
            pb_range_widen(&y, c.y.low);
            pb_range_widen(&y, c.y.high);
        }
        pb_text_free(&c.points);
    }
    if (n) {
        pb_range_pad(&y, 0.08);
        pb_text_add(t, "unset label\nset xlabel t(%d)\nset ylabel t(%d)\nset xrange [%g:%g]\nset yrange [%g:%g]\n",
                    pb_figure_text(f, p->x), pb_figure_text(f, p->y), x.low, x.high + 0.35 * (x.high - x.low), y.low,
                    y.high);
        add_ends(f, end, n, y);
        pb_text_add(t, "%s\n", plot.data);
    }
    pb_text_free(&plot);
    free(end);
    return n;
}

static int draw_curves(const pb_report *r, const char *folder)
{
    const pb_experiment *e = r->experiment;
    char key[96], *title = pb_format("validation %s", e->primary->name);
    panel loss = {read_curve, "train.loss", "step", "training loss", 0};
    panel score = {read_curve, pb_report_primary(r, PB_VALIDATION, key), "step", title, 1};
    if (e->task->answer_kind == PB_ANSWER_TEXT)
        score = (panel){read_curve, "accuracy.validation.perplexity", "step", "validation perplexity", 1};
    pb_figure f = {.count = 0};
    pb_text_add(&f.commands, "%sset multiplot layout 1,2 title t(%d)\n", pb_plot_style, pb_plot_title(&f, r));
    int n = add_panel(&f, r, &loss) + add_panel(&f, r, &score);
    pb_text_add(&f.commands, "unset multiplot\n");
    int rc = n ? pb_figure_draw(&f, folder, "curves", 1.5 * WIDTH, HEIGHT) : 0;
    pb_figure_free(&f);
    free(title);
    return rc;
}

/* ---- tuning -------------------------------------------------------------------------------------------- */

/* Reads the expected best score of 1, 2, .. trials. */
static curve read_tuning(const pb_report *r, int row, const char *key)
{
    (void)key;
    pb_tuning tuning = pb_tuning_of(r, row);
    curve c = new_curve();
    for (int i = 1; i <= tuning.trials; i++)
        add_point(&c, i, pb_tuning_expected(r, &tuning, i));
    end_curve(&c);
    pb_tuning_free(&tuning);
    return c;
}

static int draw_tuning(const pb_report *r, const char *folder)
{
    char *y = pb_format("expected best validation %s", r->experiment->primary->name);
    pb_figure f = {.count = 0};
    add_title(&f, r);
    int n = add_panel(&f, r, &(panel){read_tuning, "", "trials", y, 0});
    int rc = n ? pb_figure_draw(&f, folder, "tuning", WIDTH, HEIGHT) : 0;
    pb_figure_free(&f);
    free(y);
    return rc;
}

/* ---- the strength of the change ------------------------------------------------------------------------ */

/* Returns a value of a row at a strength; NaN if it has none. */
static double value_at(const pb_report *r, int row, const char *key, double strength)
{
    char *full = pb_format("%s.s%g", key, strength);
    double value = pb_report_value(r, row, -1, full).middle;
    free(full);
    return value;
}

/* Reads the values under `key` against the strength or, if `against` is not NULL, against those under `against`. */
static curve strengths_of(const pb_report *r, int row, const char *key, const char *against)
{
    const pb_experiment *e = r->experiment;
    curve c = new_curve();
    for (int i = 0; i < e->strengths; i++) {
        double x = against ? value_at(r, row, against, e->strength[i]) : e->strength[i];
        double y = value_at(r, row, key, e->strength[i]);
        if (isnan(x) || isnan(y))
            continue;
        pb_text_add(&c.points, "%.9g %.9g\n", x, y);
        pb_range_widen(&c.x, x);
        pb_range_widen(&c.y, y);
        c.last_x = x;
        c.last_y = y;
        c.count++;
    }
    return c;
}

static curve read_strength(const pb_report *r, int row, const char *key)
{
    return strengths_of(r, row, key, NULL);
}

static curve read_path(const pb_report *r, int row, const char *key)
{
    return strengths_of(r, row, key, "retention.loss_delta");
}

/* Score and loss against the strength, and the path that the model takes from the base to its end. */
static int draw_strength(const pb_report *r, const char *folder)
{
    char *score = pb_format("test %s", r->experiment->primary->name);
    const panel panels[] = {
        {read_strength, "retention.score", "strength of the change", score, 0},
        {read_strength, "retention.loss_delta", "strength of the change", "loss delta on general text", 1},
        {read_path, "retention.score", "loss delta on general text", score, 2}};
    pb_figure f = {.count = 0};
    pb_text_add(&f.commands, "%sset multiplot layout 1,3 title t(%d)\n", pb_plot_style, pb_plot_title(&f, r));
    int n = 0;
    for (size_t i = 0; i < PB_COUNT(panels); i++)
        n += add_panel(&f, r, &panels[i]);
    pb_text_add(&f.commands, "unset multiplot\n");
    int rc = n ? pb_figure_draw(&f, folder, "strength", 2 * WIDTH, HEIGHT) : 0;
    pb_figure_free(&f);
    free(score);
    return rc;
}

/* ---- a setting on the axis ------------------------------------------------------------------------------ */

/* The value of the axis' setting in each row, NaN if a row does not have it, and the line that the row belongs to: rows
 * whose labels differ in that value only, such as lora:8 and lora:64, are on one line. */
typedef struct axis {
    const pb_report *report;
    double *x;   /* [rows] */
    char **name; /* [rows] of the row's line */
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

/* Returns the value of the axis' setting that is in force for a row; NaN if the row does not have it. */
static double setting_of(const pb_report *r, int row)
{
    const char *value = pb_report_setting(r, row, r->experiment->axis);
    return value ? strtod(value, NULL) : NAN;
}

/* Adds the points of the line that begins with a row, as data block $aPANEL_ROW.  Returns their number. */
static int add_line(pb_figure *f, const axis *a, int first, int number, const char *key)
{
    pb_text *t = &f->commands;
    int n = 0;
    pb_text_add(t, "$a%d_%d << EOD\n", number, first);
    for (int i = first; i < a->report->experiment->rows; i++) {
        pb_interval v = pb_report_measured(a->report, i, key);
        if (isnan(v.middle) || isnan(a->x[i]) || strcmp(a->name[i], a->name[first]) != 0)
            continue;
        n++;
        pb_text_add(t, "%.9g %.9g %.9g %.9g\n", a->x[i], v.middle, isnan(v.low) ? v.middle : v.low,
                    isnan(v.high) ? v.middle : v.high);
    }
    pb_text_add(t, "EOD\n");
    return n;
}

/* Adds a value of every row against its setting; rows without the setting are dashed levels. */
static int add_axis_panel(pb_figure *f, const axis *a, int number, const char *key, const char *title)
{
    int n = 0, lines = 0;
    pb_text plots = {0};
    for (int i = 0; i < a->report->experiment->rows; i++) {
        pb_interval v = pb_report_measured(a->report, i, key);
        if (isnan(a->x[i]) && !isnan(v.middle))
            pb_text_add(&plots, "%s%.9g with lines dt 2 lc rgb '#808080' notitle", plots.length ? ", " : "", v.middle);
        if (!begins_line(a, i))
            continue;
        int points = add_line(f, a, i, number, key);
        int look = lines++ % (int)PB_COUNT(line);
        n += points;
        if (points)
            pb_text_add(
                &plots,
                "%s$a%d_%d using 1:2 smooth unique with lines %s notitle, $a%d_%d using 1:2:3:4 with yerrorbars "
                "%s pt %d title t(%d)",
                plots.length ? ", " : "", number, i, line[look], number, i, line[look], line_shape[look],
                pb_figure_text(f, a->name[i]));
    }
    if (n)
        pb_text_add(&f->commands, "set title t(%d)\nset format y '%s'\n%s\nplot %s\n", pb_figure_text(f, title),
                    number == 2 ? "%.0s%c" : "%g", lines > 1 && number == 0 ? "set key bottom right" : "unset key",
                    plots.data);
    pb_text_free(&plots);
    return n;
}

static bool is_long(const axis *a)
{
    double least = INFINITY, most = -INFINITY;
    for (int i = 0; i < a->report->experiment->rows; i++) {
        least = fmin(least, a->x[i]); /* fmin and fmax ignore NaN */
        most = fmax(most, a->x[i]);
    }
    return least > 0 && most / least > LONG_AXIS;
}

/* Adds the panels that have points: accuracy, latency and FLOPs.  Returns their number. */
static int add_axis_panels(pb_figure *f, const axis *a)
{
    const pb_report *r = a->report;
    char key[96], *metric = pb_format("test %s", r->experiment->primary->name);
    int shown = add_axis_panel(f, a, 0, pb_report_primary(r, PB_TEST, key), metric) > 0;
    shown += add_axis_panel(f, a, 1, "overhead.prefill_ratio.b1", "prefill time, ratio to the base") > 0;
    shown += add_axis_panel(f, a, 2, "overhead.flops", "FLOPs of the prefill") > 0;
    free(metric);
    return shown;
}

/* The axes against the setting that [experiment] axis names, "prefix.length". */
static int draw_axis(const pb_report *r, const char *folder)
{
    const pb_experiment *e = r->experiment;
    if (!*e->axis)
        return 0;
    axis a = {
        .report = r, .x = pb_alloc((size_t)e->rows * sizeof *a.x), .name = pb_alloc((size_t)e->rows * sizeof *a.name)};
    for (int i = 0; i < e->rows; i++) {
        a.x[i] = setting_of(r, i);
        a.name[i] = line_of(r, i);
    }
    pb_figure f = {.count = 0};
    int shown = add_axis_panels(&f, &a);
    pb_text panels = f.commands; /* the commands before them depend on their number */
    f.commands = (pb_text){0};
    pb_text_add(&f.commands, "%sset xlabel t(%d)\n%sset multiplot layout 1,%d title t(%d)\n%sunset multiplot\n",
                pb_plot_style, pb_figure_text(&f, e->axis), is_long(&a) ? "set logscale x\n" : "", shown,
                pb_plot_title(&f, r), panels.data ? panels.data : "");
    pb_text_free(&panels);
    int rc = shown ? pb_figure_draw(&f, folder, "axis", (0.2 + 0.5 * shown) * WIDTH, HEIGHT) : 0;
    pb_figure_free(&f);
    for (int i = 0; i < e->rows; i++)
        free(a.name[i]);
    free(a.name);
    free(a.x);
    return rc;
}

/* ---- all figures --------------------------------------------------------------------------------------- */

static char *folder_of(const pb_experiment *e, const char *folder)
{
    return folder ? pb_strdup(folder) : pb_format("plots/%s", e->name);
}

int pb_plot_try(const pb_experiment *e, const char *folder)
{
    char *to = folder_of(e, folder);
    int rc = pb_make_dirs(to) || pb_gnuplot_try() ? -1 : 0;
    if (!rc && access(to, W_OK | X_OK))
        rc = pb_error("%s: figures cannot be written: %s; want a writable folder", to, strerror(errno));
    free(to);
    return rc;
}

int pb_plot(const pb_report *r, const char *folder)
{
    char *to = folder_of(r->experiment, folder);
    int rc = pb_make_dirs(to) || pb_plot_axes(r, to) ||
             draw_against(r, to, "accuracy-parameters", "storage.trainable", "trainable parameters") ||
             draw_against(r, to, "accuracy-memory", "memory.train.total", "training memory, bytes") ||
             draw_against(r, to, "accuracy-inference", "overhead.flops", "FLOPs per example, unmerged") ||
             draw_overhead(r, to) || draw_axis(r, to) || draw_tuning(r, to) || draw_strength(r, to) ||
             draw_curves(r, to);
    free(to);
    return rc ? -1 : 0;
}
