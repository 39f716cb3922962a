/* plot_lines: see plot_lines.h. */
#include "report/plot_lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FEW 8           /* lines that one panel can show */
#define LONG 20.0       /* a ratio that makes an axis logarithmic */
#define SMALLEST 74.0   /* width of a small panel */
#define GAP 10.0        /* between small panels */
#define BAND 0.25       /* tint of a band */
#define MARKED 20       /* lines of fewer points have marks on them */
#define BESIDE 1.6      /* between the intervals of two lines at one x */
#define LABEL_ROOM 0.32 /* most of the width that names at the ends of lines take */

/* ---- lines --------------------------------------------------------------------------------------------------- */

pb_line *pb_lines_add(pb_lines *l, const char *label, int category, int n)
{
    l->line = pb_realloc(l->line, (size_t)(l->lines + 1) * sizeof *l->line);
    pb_line *line = &l->line[l->lines++];
    *line = (pb_line){.label = pb_strdup(label), .category = category};
    line->x = pb_alloc((size_t)(n + 1) * sizeof *line->x);
    line->v = pb_alloc((size_t)(n + 1) * sizeof *line->v);
    return line;
}

void pb_line_point(pb_line *line, double x, pb_interval v)
{
    line->x[line->n] = x;
    line->v[line->n++] = v;
}

void pb_lines_drop_last(pb_lines *l)
{
    const pb_line *last = &l->line[--l->lines];
    free(last->label);
    free(last->x);
    free(last->v);
}

void pb_lines_free(pb_lines *l)
{
    while (l->lines)
        pb_lines_drop_last(l);
    free(l->line);
    free(l->level);
}

const pb_line *pb_lines_baseline(const pb_lines *l)
{
    for (int i = 0; i < l->lines && l->baseline; i++)
        if (!strcmp(l->line[i].label, l->baseline))
            return &l->line[i];
    return NULL;
}

bool pb_lines_are_few(const pb_lines *l)
{
    return l->lines <= FEW;
}

/* ---- ranges -------------------------------------------------------------------------------------------------- */

static pb_range range_of_x(const pb_lines *l)
{
    pb_range s = pb_range_empty;
    for (int i = 0; i < l->lines; i++)
        for (int k = 0; k < l->line[i].n; k++)
            pb_range_widen(&s, l->line[i].x[k]);
    s.log = l->log_x && s.low > 0 && s.high / s.low > LONG;
    s.whole = l->whole_x;
    pb_range_pad(&s, 0.04);
    return s;
}

/* The range of y: logarithmic if all values are positive and span a long ratio.  Bands do not stretch it by more than
 * half. */
static pb_range range_of_y(const pb_lines *l)
{
    pb_range s = pb_range_empty;
    for (int i = 0; i < l->lines; i++)
        for (int k = 0; k < l->line[i].n; k++)
            pb_range_widen(&s, l->line[i].v[k].middle);
    for (int i = 0; i < l->levels; i++)
        pb_range_widen(&s, l->level[i].y);
    s.log = s.low > 0 && s.high / s.low > LONG;
    double beyond = (s.high - s.low) / 2, least = s.low - beyond, most = s.high + beyond;
    for (int i = 0; i < l->lines && !s.log; i++)
        for (int k = 0; k < l->line[i].n; k++) {
            const pb_interval *v = &l->line[i].v[k];
            if (!isfinite(v->low) || !isfinite(v->high))
                continue;
            pb_range_widen(&s, fmax(v->low, least));
            pb_range_widen(&s, fmin(v->high, most));
        }
    pb_range_pad(&s, 0.05);
    return s;
}

/* ---- one line ------------------------------------------------------------------------------------------------ */

/* Adds the data block of a line: x, y and the ends of the band, which is cut at the frame.  Returns its number. */
static int add_block(pb_sheet *s, const pb_line *line, const pb_range *y)
{
    int block = pb_sheet_block(s);
    for (int k = 0; k < line->n; k++) {
        const pb_interval *v = &line->v[k];
        double low = isfinite(v->low) ? v->low : v->middle, high = isfinite(v->high) ? v->high : v->middle;
        pb_text_add(&s->figure.commands, "%.9g %.9g %.9g %.9g\n", line->x[k], v->middle, fmax(low, y->low),
                    fmin(high, y->high));
    }
    pb_sheet_block_end(s);
    return block;
}

static void plot_band(pb_text *plots, int block, int category)
{
    char tint[8];
    pb_text_add(plots, "%s$d%d using 1:3:4 with filledcurves fc rgb '%s' fs transparent solid 0.5 noborder",
                plots->length ? ", " : "", block, pb_tint(tint, pb_class_colour[category], BAND));
}

static void plot_line(pb_text *plots, int block, const pb_line *line, const char *dash)
{
    const char *colour = pb_class_colour[line->category];
    pb_text_add(plots, "%s$d%d using 1:2 with lines lw 1.1*LW lc rgb '%s' %s", plots->length ? ", " : "", block, colour,
                dash);
    if (line->n < MARKED)
        pb_text_add(plots, ", $d%d using 1:2 with points pt %d ps %g*PS lw 0.8*LW lc rgb '%s'", block,
                    pb_class_mark[line->category], 0.8 * PB_MARK, colour);
}

/* Says what the marks of a line are. */
static void add_tips(pb_sheet *s, const pb_lines *l, const pb_line *of, const pb_box *a, const pb_range *x,
                     const pb_range *y)
{
    for (int k = 0; of->n < MARKED && k < of->n; k++) {
        double right = pb_range_at(x, of->x[k]), up = pb_range_at(y, of->v[k].middle);
        char *what = pb_format("%s %.6g, %s", l->x_name, of->x[k], l->y_name);
        pb_sheet_tip(s, a->left + right * (a->right - a->left), a->bottom + up * (a->top - a->bottom), of->label, what,
                     of->v[k]);
        free(what);
    }
}

static void add_data(pb_sheet *s, const pb_lines *l)
{
    for (int i = 0; i < l->lines; i++)
        for (int k = 0; k < l->line[i].n; k++)
            pb_sheet_datum(s, s->report->experiment->task_name, l->line[i].label, l->key, l->line[i].x[k],
                           l->line[i].v[k]);
    pb_sheet_key(s, l->key);
}

/* ---- all lines in one panel ---------------------------------------------------------------------------------- */

/* A name at the right of a panel, and the end of the line that it names. */
typedef struct end_name {
    const char *label;
    int category;
    double x, y;
} end_name;

/* Collects the ends of the lines and of the levels.  Returns their number. */
static int collect_ends(const pb_lines *l, const pb_box *a, const pb_range *x, const pb_range *y, end_name *end)
{
    int n = 0;
    for (int i = 0; i < l->lines; i++) {
        const pb_line *of = &l->line[i];
        if (of->n)
            end[n++] = (end_name){of->label, of->category,
                                  a->left + (a->right - a->left) * pb_range_at(x, of->x[of->n - 1]),
                                  pb_range_at(y, of->v[of->n - 1].middle)};
    }
    for (int i = 0; i < l->levels; i++)
        end[n++] = (end_name){l->level[i].label, l->level[i].category, a->right, pb_range_at(y, l->level[i].y)};
    for (int i = 0; i < n; i++)
        end[i].y = a->bottom + (a->top - a->bottom) * fmin(fmax(end[i].y, 0), 1);
    return n;
}

/* Writes the names of the lines beside their ends, with a thin line to each. */
static void add_names(pb_sheet *s, const pb_lines *l, const pb_box *a, const pb_range *x, const pb_range *y,
                      double room)
{
    size_t most = (size_t)(l->lines + l->levels) + 1;
    end_name *end = pb_alloc(most * sizeof *end);
    double height = s->small * 1.15, *at = pb_alloc(most * sizeof *at);
    int n = collect_ends(l, a, x, y, end);
    for (int i = 0; i < n; i++)
        at[i] = end[i].y;
    pb_labels_spread(at, n, height, a->top - height / 2, a->bottom + height / 2);
    for (int i = 0; i < n; i++) {
        char *name = pb_text_fit(end[i].label, s->small, room - 15);
        pb_sheet_line(s, end[i].x + (end[i].x < a->right ? 3 : 1), end[i].y, a->right + 10, at[i], 0.4, "#909090");
        pb_sheet_write(s, a->right + 12, at[i], "left", s->small, pb_class_colour[end[i].category], name);
        free(name);
    }
    free(at);
    free(end);
}

double pb_lines_room(const pb_sheet *s, const pb_lines *l)
{
    double room = PB_LINES_MARGIN;
    for (int i = 0; i < l->lines + l->levels; i++) {
        const char *label = i < l->lines ? l->line[i].label : l->level[i - l->lines].label;
        room = fmax(room, fmin(pb_text_width(label, s->small), LABEL_ROOM * s->width) + 16);
    }
    return room;
}

/* Adds the intervals of a line, which stand `beside` its marks: those of several lines would cover one another. */
static void add_intervals(pb_sheet *s, const pb_line *of, double beside, const pb_box *a, const pb_range *x,
                          const pb_range *y)
{
    for (int k = 0; k < of->n; k++)
        pb_sheet_interval(s, a, y, false, a->left + (a->right - a->left) * pb_range_at(x, of->x[k]) + beside, of->v[k],
                          pb_class_colour[of->category]);
}

double pb_lines_draw(pb_sheet *s, const pb_lines *l, double left, double right, bool named)
{
    double line = pb_sheet_line_height(s), room = named ? pb_lines_room(s, l) : PB_LINES_MARGIN, scale = 4.2 * s->small;
    pb_box a = {left + scale, s->y + 1.5 * line, right - room, 0};
    a.bottom = a.top + fmin(0.75 * (a.right - a.left), 0.42 * s->width);
    pb_range x = range_of_x(l), y = range_of_y(l);
    pb_sheet_write(s, left + 3, s->y + line / 2, "left", s->small, PB_INK, l->y_name);
    pb_sheet_panel(s, &a, &(pb_panel_axis){&x, l->x_name, ""}, &(pb_panel_axis){&y, NULL, l->unit});
    for (int i = 0; i < l->levels; i++) {
        double level = a.bottom + (a.top - a.bottom) * pb_range_at(&y, l->level[i].y);
        pb_sheet_line(s, a.left, level, a.right, level, 0.6, pb_class_colour[l->level[i].category]);
    }
    pb_text bands = {0}, plots = {0};
    int dash[PB_CATEGORIES] = {0};
    for (int i = 0; i < l->lines; i++) {
        const pb_line *of = &l->line[i];
        int block = add_block(s, of, &y);
        if (l->band)
            plot_band(&bands, block, of->category);
        if (!l->band)
            add_intervals(s, of, BESIDE * (i - (l->lines - 1) / 2.0), &a, &x, &y);
        plot_line(&plots, block, of, pb_dash[dash[of->category]++ % PB_DASHES]);
        add_tips(s, l, of, &a, &x, &y);
    }
    if (named)
        add_names(s, l, &a, &x, &y, room);
    if (bands.length)
        pb_text_add(&bands, ", ");
    pb_text_add(&bands, "%s", plots.data ? plots.data : "");
    pb_sheet_plot(s, bands.data);
    add_data(s, l);
    pb_text_free(&bands);
    pb_text_free(&plots);
    return a.bottom + 2.8 * line;
}

/* ---- a panel for each line ----------------------------------------------------------------------------------- */

/* The places of small panels. */
typedef struct grid {
    int columns, lines;
    double left, width, height; /* of a panel */
} grid;

static grid grid_of(const pb_sheet *s, int n)
{
    grid g = {.left = 3 + 3.8 * s->small};
    double room = s->width - g.left - 1.5 * s->small;
    g.columns = (int)fmax(1, floor((room + GAP) / (SMALLEST + GAP)));
    g.lines = (n + g.columns - 1) / g.columns;
    g.columns = (n + g.lines - 1) / g.lines;
    g.width = (room - GAP * (g.columns - 1)) / g.columns;
    g.height = 0.62 * fmin(g.width, 110);
    return g;
}

static void add_small_panel(pb_sheet *s, const pb_lines *l, int i, const grid *g, const pb_range *x, const pb_range *y,
                            int baseline)
{
    const pb_line *of = &l->line[i];
    double line = pb_sheet_line_height(s), left = g->left + (i % g->columns) * (g->width + GAP);
    pb_box a = {left, s->y + line, left + g->width, s->y + line + g->height};
    bool last = i + g->columns >= l->lines, first = i % g->columns == 0;
    char *name = pb_text_fit(of->label, s->small, g->width - 4);
    pb_sheet_mark(s, left + 3, s->y + line / 2 - 1, pb_class_mark[of->category], pb_class_colour[of->category]);
    pb_sheet_write(s, left + 9, s->y + line / 2 - 1, "left", s->small, PB_INK, name);
    free(name);
    int block = add_block(s, of, y);
    pb_text plots = {0};
    if (l->band)
        plot_band(&plots, block, of->category);
    if (baseline >= 0 && of != pb_lines_baseline(l))
        pb_text_add(&plots, "%s$d%d using 1:2 with lines lw 0.6*LW lc rgb '" PB_SOFT "' dt (4,3)",
                    plots.length ? ", " : "", baseline);
    plot_line(&plots, block, of, pb_dash[0]);
    add_tips(s, l, of, &a, x, y);
    pb_sheet_panel(s, &a, &(pb_panel_axis){x, NULL, "", .bare = !last},
                   &(pb_panel_axis){y, NULL, l->unit, .bare = !first});
    pb_text_add(&s->figure.commands, "set border 3\n");
    if (!l->band)
        add_intervals(s, of, 0, &a, x, y);
    pb_sheet_plot(s, plots.data);
    pb_text_free(&plots);
}

void pb_lines_draw_each(pb_sheet *s, const pb_lines *l)
{
    double line = pb_sheet_line_height(s);
    pb_range x = range_of_x(l), y = range_of_y(l);
    grid g = grid_of(s, l->lines);
    const pb_line *dashed = pb_lines_baseline(l);
    int baseline = dashed ? add_block(s, dashed, &y) : -1;
    pb_sheet_write(s, 3, s->y + line / 2, "left", s->small, PB_INK, l->y_name);
    s->y += line + 4;
    for (int i = 0; i < l->lines; i++) {
        add_small_panel(s, l, i, &g, &x, &y, baseline);
        if (i % g.columns == g.columns - 1 || i == l->lines - 1)
            s->y += line + g.height + 8;
    }
    pb_sheet_write(s, g.left + (s->width - g.left) / 2, s->y + 1.3 * line, "center", s->small, PB_INK, l->x_name);
    s->y += 2.2 * line;
    add_data(s, l);
}
