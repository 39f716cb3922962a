/* sheet: see sheet.h. */
#include "report/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARROW 4.0   /* length of the sign of an interval that leaves the frame */
#define MARGIN 3.0  /* around the figure */
#define LEGEND 14.0 /* between two entries of a legend, with the mark of the second */

int pb_row_category(const pb_row *row)
{
    return row->spec.parts > 1 ? PB_HYBRID : (int)row->spec.part[0].method->traits.category;
}

/* ---- begin ----------------------------------------------------------------------------------------------- */

static char *title_of(const pb_report *r, int tasks)
{
    const pb_experiment *e = r->experiment;
    int others = 0;
    for (int t = 0; t < tasks; t++)
        for (int i = 0; i < r[t].experiment->rows; i++)
            others += pb_report_others(&r[t], i) != 0;
    bool task = *e->title && e->of_several && tasks == 1;
    return pb_format("%s%s%s%s", *e->title ? e->title : e->name, task ? ": " : "", task ? e->task_name : "",
                     others ? " (†: runs of another version of the code)" : "");
}

/* Returns the number of the script's font for a size: one of the look's, and of one and two points less. */
static int font_of(const pb_sheet *s, double size)
{
    return (int)lround(s->size - size);
}

void pb_sheet_begin(pb_sheet *s, const pb_look *look, const char *name, const pb_report *r, int tasks)
{
    *s =
        (pb_sheet){.look = look, .report = r, .reports = tasks, .name = name, .width = look->width, .size = look->size};
    s->small = s->size - 1;
    pb_text_add(&s->figure.commands, "set multiplot\nset border 3 lw 0.5*LW lc rgb '" PB_SOFT "'\n"
                                     "set grid lw 0.4*LW lc rgb '" PB_GRID "' lt 1\nset errorbars 0\nunset key\n");
    char *title = title_of(r, tasks);
    int lines = pb_sheet_write_lines(s, MARGIN, MARGIN + s->size * PB_LEADING / 2, s->width - 2 * MARGIN, "left",
                                     s->size, PB_INK, title);
    s->y = MARGIN + lines * s->size * PB_LEADING + 4;
    pb_text_add(&s->data, "task\trow\tkey\tx\tvalue\tlow\thigh\tn\n");
    free(title);
}

double pb_sheet_line_height(const pb_sheet *s)
{
    return s->small * PB_LEADING;
}

/* ---- texts, marks and lines ------------------------------------------------------------------------------ */

void pb_sheet_write(pb_sheet *s, double x, double y, const char *align, double size, const char *colour,
                    const char *text)
{
    pb_text_add(&s->figure.commands, "set label t(%d) at screen X(%.2f),Y(%.2f) %s front font F%d tc rgb '%s'\n",
                pb_figure_text(&s->figure, text), x, y, align, font_of(s, size), colour);
}

void pb_sheet_write_upright(pb_sheet *s, double x, double y, double size, const char *text)
{
    pb_text_add(&s->figure.commands,
                "set label t(%d) at screen X(%.2f),Y(%.2f) center rotate by 90 front font F%d tc rgb '" PB_INK "'\n",
                pb_figure_text(&s->figure, text), x, y, font_of(s, size));
}

/* Returns the number of bytes of the longest beginning of the text that ends before a blank and fits, or of the first
 * word if none does. */
static size_t line_end(const char *text, double size, double width)
{
    size_t best = 0;
    for (size_t i = 0;; i++)
        if (text[i] == ' ' || !text[i]) {
            char *start = pb_format("%.*s", (int)i, text);
            bool fits = pb_text_width(start, size) <= width;
            free(start);
            if (best && !fits)
                return best;
            best = i;
            if (!text[i] || !fits)
                return best;
        }
}

/* Returns where the next line of a text begins. */
static const char *next_line(const char *text, double size, double width)
{
    for (text += line_end(text, size, width); *text == ' '; text++)
        continue;
    return text;
}

int pb_sheet_lines(const char *text, double size, double width)
{
    int lines = 0;
    for (; *text; text = next_line(text, size, width))
        lines++;
    return lines;
}

int pb_sheet_write_lines(pb_sheet *s, double x, double y, double width, const char *align, double size,
                         const char *colour, const char *text)
{
    int lines = 0;
    for (; *text; text = next_line(text, size, width)) {
        size_t n = line_end(text, size, width);
        char *whole = pb_format("%.*s", (int)n, text), *line = pb_text_fit(whole, size, width);
        pb_sheet_write(s, x, y + lines++ * size * PB_LEADING, align, size, colour, line);
        free(line);
        free(whole);
    }
    return lines;
}

void pb_sheet_mark(pb_sheet *s, double x, double y, int type, const char *colour)
{
    pb_text_add(&s->figure.commands,
                "set label '' at screen X(%.2f),Y(%.2f) front point pt %d ps %g*PS lw 0.8*LW lc rgb '%s'\n", x, y, type,
                PB_MARK, colour);
}

void pb_sheet_line(pb_sheet *s, double x0, double y0, double x1, double y1, double width, const char *colour)
{
    pb_text_add(&s->figure.commands,
                "set arrow from screen X(%.2f),Y(%.2f) to screen X(%.2f),Y(%.2f) nohead lw %g*LW lc rgb '%s'\n", x0, y0,
                x1, y1, width, colour);
}

void pb_sheet_arrow(pb_sheet *s, double x0, double y0, double x1, double y1, const char *colour)
{
    pb_text_add(&s->figure.commands,
                "set arrow from screen X(%.2f),Y(%.2f) to screen X(%.2f),Y(%.2f) head filled size screen X(%g),22 "
                "front lw 0.8*LW lc rgb '%s'\n",
                x0, y0, x1, y1, ARROW, colour);
}

void pb_sheet_rectangle(pb_sheet *s, pb_box b, const char *colour)
{
    pb_text_add(&s->figure.commands,
                "set object rectangle from screen X(%.2f),Y(%.2f) to screen X(%.2f),Y(%.2f) back fc rgb '%s' fs solid "
                "noborder\n",
                b.left, b.bottom, b.right, b.top, colour);
}

/* ---- legends --------------------------------------------------------------------------------------------- */

void pb_sheet_legend(pb_sheet *s, const pb_legend *entry, int n)
{
    double height = pb_sheet_line_height(s), x = MARGIN, d = s->small / 2;
    for (int i = 0; i < n; i++) {
        double width = pb_text_width(entry[i].name, s->small);
        if (x > MARGIN && x + LEGEND + width > s->width - MARGIN) {
            x = MARGIN;
            s->y += height;
        }
        double y = s->y + height / 2;
        if (entry[i].mark)
            pb_sheet_mark(s, x + PB_MARK, y, entry[i].mark, entry[i].colour);
        else
            pb_sheet_rectangle(s, (pb_box){x, y - d, x + 2 * d, y + d}, entry[i].colour);
        pb_sheet_write(s, x + 2 * PB_MARK + 2, y, "left", s->small, PB_INK, entry[i].name);
        x += LEGEND + 2 * PB_MARK + width;
    }
    s->y += n ? height + 3 : 0;
}

void pb_sheet_class_legend(pb_sheet *s, const bool has[PB_CATEGORIES])
{
    pb_legend entry[PB_CATEGORIES];
    int n = 0;
    for (int c = 0; c < PB_CATEGORIES; c++)
        if (has[c])
            entry[n++] = (pb_legend){pb_category_name[c], pb_class_colour[c], pb_class_mark[c]};
    pb_sheet_legend(s, entry, n);
}

/* ---- panels ---------------------------------------------------------------------------------------------- */

/* Returns whether the text of a tick would leave the sheet, below a horizontal axis from `left` on. */
static bool leaves(const pb_sheet *s, const pb_panel_axis *axis, const pb_tick *tick, double left, double length)
{
    double x = left + length * pb_range_at(axis->scale, tick->at), half = pb_text_width(tick->text, s->small) / 2;
    return x - half < 0 || x + half > s->width;
}

static void add_ticks(pb_sheet *s, const pb_panel_axis *axis, char which, double left, double length)
{
    pb_text *t = &s->figure.commands;
    pb_tick tick[PB_TICKS];
    int n = axis->scale ? pb_ticks(axis->scale, length, s->small, which == 'y', axis->unit, tick) : 0;
    pb_text_add(t, "%sset %crange [%.9g:%.9g]\n",
                axis->scale && axis->scale->log ? (which == 'x' ? "set logscale x\n" : "set logscale y\n")
                : which == 'x'                  ? "unset logscale x\n"
                                                : "unset logscale y\n",
                which, axis->scale ? axis->scale->low : 0, axis->scale ? axis->scale->high : 1);
    if (!axis->scale || axis->bare)
        pb_text_add(t, "unset %ctics\n", which);
    if (!axis->scale)
        return;
    pb_text_add(t, "set %ctics (", which);
    for (int i = 0; i < n; i++) {
        bool bare = axis->bare || (which == 'x' && leaves(s, axis, &tick[i], left, length));
        pb_text_add(t, "%s'%s' %.9g", i ? ", " : "", bare ? "" : tick[i].text, tick[i].at);
    }
    pb_text_add(t, ") nomirror out scale %g offset %s textcolor rgb '" PB_SOFT "' font F%d\n", axis->bare ? 0 : 0.4,
                which == 'y' ? "0.6,0" : "0,0.4", font_of(s, s->small));
}

void pb_sheet_panel(pb_sheet *s, const pb_box *a, const pb_panel_axis *x, const pb_panel_axis *y)
{
    double line = pb_sheet_line_height(s);
    pb_text_add(&s->figure.commands,
                "set lmargin at screen X(%.2f)\nset rmargin at screen X(%.2f)\nset tmargin at screen Y(%.2f)\n"
                "set bmargin at screen Y(%.2f)\nset border %d\n",
                a->left, a->right, a->top, a->bottom, (x->scale && !x->bare) + 2 * (y->scale && !y->bare));
    add_ticks(s, x, 'x', a->left, a->right - a->left);
    add_ticks(s, y, 'y', a->top, a->bottom - a->top);
    if (x->name)
        pb_sheet_write_lines(s, (a->left + a->right) / 2, a->bottom + 2 * line, a->right - a->left + 30, "center",
                             s->small, PB_INK, x->name);
    if (y->name)
        pb_sheet_write_upright(s, MARGIN + line / 2, (a->top + a->bottom) / 2, s->small, y->name);
    if (x->scale && x->scale->zero)
        pb_text_add(
            &s->figure.commands,
            "set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead dt (2,3) lw 0.6*LW lc rgb '" PB_SOFT
            "'\n",
            pb_range_break(x->scale), pb_range_break(x->scale));
}

void pb_sheet_plot(pb_sheet *s, const char *plots)
{
    pb_text_add(&s->figure.commands, "plot %s\nunset label\nunset arrow\nunset object\n",
                plots && *plots ? plots : "NaN notitle");
}

int pb_sheet_block(pb_sheet *s)
{
    pb_text_add(&s->figure.commands, "$d%d << EOD\n", s->blocks);
    return s->blocks++;
}

void pb_sheet_block_end(pb_sheet *s)
{
    pb_text_add(&s->figure.commands, "EOD\n");
}

void pb_sheet_interval(pb_sheet *s, const pb_box *a, const pb_range *scale, bool along_x, double across, pb_interval v,
                       const char *colour)
{
    if (!isfinite(v.low) || !isfinite(v.high) || v.low == v.high)
        return;
    double from = along_x ? a->left : a->bottom, to = along_x ? a->right : a->top, sign = along_x ? 1 : -1, end[2];
    for (int k = 0; k < 2; k++) {
        double share = scale->log && (k ? v.high : v.low) <= 0 ? -1 : pb_range_at(scale, k ? v.high : v.low);
        end[k] = from + (to - from) * fmin(fmax(share, 0), 1);
        if (share >= 0 && share <= 1)
            continue;
        double tip = k ? to : from, tail = tip + (k ? -1 : 1) * sign * 2 * ARROW;
        if (along_x)
            pb_sheet_arrow(s, tail, across, tip, across, colour);
        else
            pb_sheet_arrow(s, across, tail, across, tip, colour);
    }
    if (along_x)
        pb_sheet_line(s, end[0], across, end[1], across, 0.8, colour);
    else
        pb_sheet_line(s, across, end[0], across, end[1], 0.8, colour);
}

/* ---- what is written beside a figure --------------------------------------------------------------------- */

void pb_sheet_key(pb_sheet *s, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = s->keys.data; at && (at = strstr(at, key)); at += n)
        if ((at == s->keys.data || at[-1] == '\n') && (!at[n] || at[n] == '\n'))
            return; /* it is there */
    pb_text_add(&s->keys, "%s%s", s->keys.length ? "\n" : "", key);
}

void pb_sheet_datum(pb_sheet *s, const char *task, const char *row, const char *key, double x, pb_interval v)
{
    const double number[] = {x, v.middle, v.low, v.high};
    pb_text_add(&s->data, "%s\t%s\t%s", pb_visible(task), pb_visible(row), key);
    for (size_t i = 0; i < PB_COUNT(number); i++)
        if (isfinite(number[i]))
            pb_text_add(&s->data, "\t%.9g", number[i]);
        else
            pb_text_add(&s->data, "\t");
    pb_text_add(&s->data, "\t%d\n", v.n);
}

void pb_sheet_tip(pb_sheet *s, double x, double y, const char *row, const char *what, pb_interval v)
{
    pb_text_add(&s->tips, "%.2f %.2f %s: %s %.6g", x, y, pb_visible(row), what, v.middle);
    if (isfinite(v.low) && isfinite(v.high))
        pb_text_add(&s->tips, ", 95 %% interval %.6g to %.6g", v.low, v.high);
    pb_text_add(&s->tips, "\n");
}

int pb_sheet_seeds(const pb_report *r, int reports, pb_split split, char out[40])
{
    int least = 0, most = 0;
    for (int t = 0; t < reports; t++)
        for (int i = 0; i < r[t].experiment->rows; i++) {
            int n = pb_report_seeds(&r[t], i, split, NULL);
            least = n && (!least || n < least) ? n : least;
            most = n > most ? n : most;
        }
    if (least < most)
        snprintf(out, 40, "%d to %d seeds", least, most);
    else
        snprintf(out, 40, "%d seed%s", most, most == 1 ? "" : "s");
    return most;
}

void pb_sheet_caption_scores(pb_sheet *s)
{
    const pb_report *r = s->report;
    const pb_experiment *e = r->experiment;
    int *seed = pb_alloc((size_t)e->seeds * sizeof *seed), examples = 0;
    for (int i = 0; i < e->rows && !examples; i++) {
        pb_scores score;
        int n = pb_report_seeds(r, i, PB_TEST, seed);
        if (n && !pb_report_scores(r, i, seed, n, PB_TEST, &score)) {
            examples = score.examples;
            pb_scores_free(&score);
        }
    }
    char seeds[40];
    int most = pb_sheet_seeds(r, 1, PB_TEST, seeds);
    pb_text_add(&s->caption, " Scores are test %s, the mean over n = %s", e->primary->name, seeds);
    for (int i = 0; i < e->seeds && most == e->seeds && !strstr(seeds, " to "); i++)
        pb_text_add(&s->caption, "%s%llu%s", i ? ", " : " (", (unsigned long long)e->seed[i],
                    i + 1 < e->seeds ? "" : ")");
    if (examples)
        pb_text_add(&s->caption, " on %d examples", examples);
    pb_text_add(&s->caption, "; their 95 %% interval is for other %s%s.", most > 1 ? "seeds" : "",
                examples && most > 1 ? " and other examples"
                : examples           ? "examples"
                                     : "");
    pb_text_add(&s->caption, " An arrow head at the frame: the interval, or the value, is beyond it.");
    free(seed);
}

/* ---- end ------------------------------------------------------------------------------------------------- */

int pb_sheet_drop(pb_sheet *s)
{
    pb_figure_free(&s->figure);
    pb_text_free(&s->caption);
    pb_text_free(&s->data);
    pb_text_free(&s->keys);
    pb_text_free(&s->tips);
    return 0;
}

static int write_beside(const pb_sheet *s, const char *folder, const char *ending, const char *text)
{
    char *path = pb_format("%s/%s.%s", folder, s->name, ending);
    int rc = pb_write_file(path, text, strlen(text));
    free(path);
    return rc;
}

/* The SQL of the stored values of the runs that the rows of the reports consist of. */
static int write_sql(const pb_sheet *s, const char *folder)
{
    const pb_report *r = s->report;
    long long *run = NULL;
    size_t n = 0, capacity = 0;
    for (int k = 0; k < s->reports; k++)
        for (int i = 0; i < r[k].experiment->rows; i++)
            for (int seed = 0; seed < r[k].experiment->seeds; seed++)
                if (r[k].row[i].id[seed]) {
                    pb_grow(&run, n, &capacity, sizeof *run);
                    run[n++] = r[k].row[i].id[seed];
                }
    char *sql = pb_store_values_sql(run, (int)n, s->keys.data ? s->keys.data : "");
    int rc = write_beside(s, folder, "sql", sql);
    free(sql);
    free(run);
    return rc;
}

int pb_sheet_end(pb_sheet *s, const char *folder)
{
    s->figure.width = s->width;
    s->figure.height = s->y + MARGIN;
    pb_text *t = &s->figure.commands; /* what is written after the last panel is drawn with an empty one */
    pb_box all = {0, 0, s->width, s->y + MARGIN};
    pb_sheet_panel(s, &all, &(pb_panel_axis){NULL}, &(pb_panel_axis){NULL});
    pb_text_add(t, "unset grid\n");
    pb_sheet_plot(s, NULL);
    pb_text_add(t, "unset multiplot\n");
    pb_text_add(&s->caption, "\n");
    int rc = write_beside(s, folder, "txt", s->caption.data) || write_beside(s, folder, "tsv", s->data.data) ||
             write_sql(s, folder) ||
             (s->look->tips && write_beside(s, folder, "tips", s->tips.data ? s->tips.data : "")) ||
             pb_figure_draw(&s->figure, folder, s->name, s->look);
    pb_sheet_drop(s);
    return rc ? -1 : 1;
}
