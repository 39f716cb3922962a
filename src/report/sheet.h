/* sheet: a figure as it is laid out: title, legend, panels with their scales, texts at places.
 *
 * Lengths are in points; x grows to the right and y downwards from the upper left corner.  What is written is drawn
 * with the next panel, or by pb_sheet_end. */
#ifndef PB_SHEET_H
#define PB_SHEET_H

#include "report/gnuplot.h"
#include "report/plot_labels.h"
#include "report/plot_range.h"
#include "report/report.h"

typedef struct pb_sheet {
    pb_figure figure;
    const pb_look *look;
    const pb_report *report; /* [reports] one for each task */
    int reports;
    const char *name;   /* of the figure's files */
    double width, y;    /* of the figure; the first free y below what has been laid out */
    double size, small; /* of the fonts of titles and of scales and labels */
    int blocks;         /* data blocks so far */
    pb_text caption, data, keys, tips;
} pb_sheet;

/* Begins a figure of the reports of one or several tasks with the title of their experiment, which says if runs are of
 * another version of the code.  `name` must not be a name that a user chose. */
void pb_sheet_begin(pb_sheet *s, const pb_look *look, const char *name, const pb_report *r, int tasks);

/* Returns the height of a line of text in the font of scales. */
double pb_sheet_line_height(const pb_sheet *s);

/* Writes a text in a font of `size` points; `align` is one of "left", "center" and "right" of x, `y` is its middle. */
void pb_sheet_write(pb_sheet *s, double x, double y, const char *align, double size, const char *colour,
                    const char *text);

/* Writes a text from the bottom to the top, centered at x and y. */
void pb_sheet_write_upright(pb_sheet *s, double x, double y, double size, const char *text);

/* Writes a text in lines of at most `width` points, broken at blanks, the first one at y.  Returns the number of
 * lines. */
int pb_sheet_write_lines(pb_sheet *s, double x, double y, double width, const char *align, double size,
                         const char *colour, const char *text);

/* Returns the number of lines in which that writes a text. */
int pb_sheet_lines(const char *text, double size, double width);

/* Draws a mark of gnuplot's point type, a line, an arrow with a head, and a filled rectangle. */
void pb_sheet_mark(pb_sheet *s, double x, double y, int type, const char *colour);
void pb_sheet_line(pb_sheet *s, double x0, double y0, double x1, double y1, double width, const char *colour);
void pb_sheet_arrow(pb_sheet *s, double x0, double y0, double x1, double y1, const char *colour);
void pb_sheet_rectangle(pb_sheet *s, pb_box box, const char *colour);

/* Adds a line of marks or, if `filled`, of squares, each with its name, at the first free y. */
typedef struct pb_legend {
    const char *name, *colour;
    int mark; /* gnuplot's point type; 0: a square */
} pb_legend;
void pb_sheet_legend(pb_sheet *s, const pb_legend *entry, int n);

/* Adds the legend of the classes for which `has` is true. */
void pb_sheet_class_legend(pb_sheet *s, const bool has[PB_CATEGORIES]);

/* Begins a panel: the area inside its axes, its ranges and its ticks.  A NULL scale has the range 0..1 and no ticks.
 * The axes are named on their outside if `x_name` and `y_name` are not NULL.  `unit` is "" or "B". */
typedef struct pb_panel_axis {
    const pb_range *scale;
    const char *name, *unit;
    bool bare; /* neither ticks nor a line, but the grid */
} pb_panel_axis;
void pb_sheet_panel(pb_sheet *s, const pb_box *area, const pb_panel_axis *x, const pb_panel_axis *y);

/* Ends the panel: draws what gnuplot's command `plot` shows of `plots`, which may be empty. */
void pb_sheet_plot(pb_sheet *s, const char *plots);

/* Begins a data block in the script, whose name is $d and the number that is returned, and ends it. */
int pb_sheet_block(pb_sheet *s);
void pb_sheet_block_end(pb_sheet *s);

/* Adds an interval of a value as a line within the panel, along the axis `x` or the other one, at `across` (a
 * coordinate in points of the other axis).  An end outside the range is an arrow head at the frame. */
void pb_sheet_interval(pb_sheet *s, const pb_box *area, const pb_range *scale, bool along_x, double across,
                       pb_interval v, const char *colour);

/* Adds to the table of data beside the figure: a row of the experiment, and a value with its interval. */
void pb_sheet_datum(pb_sheet *s, const char *task, const char *row, const char *key, double x, pb_interval v);

/* Notes what the mark at a place is: the row, what is shown of it, and the value with its interval.  With tips in its
 * look, a figure has them beside it as NAME.tips, a line "X Y TEXT" for each mark. */
void pb_sheet_tip(pb_sheet *s, double x, double y, const char *row, const char *what, pb_interval v);

/* Names a key whose stored values the figure shows. */
void pb_sheet_key(pb_sheet *s, const char *key);

/* Draws the figure into the folder: NAME.gp and the formats of the look, and beside them its caption (NAME.txt), its
 * data (NAME.tsv) and the SQL of the values that they are computed from (NAME.sql).  Frees the sheet.  Returns 1, or -1
 * with an error. */
int pb_sheet_end(pb_sheet *s, const char *folder);

/* Frees a sheet that is not to be drawn.  Returns 0. */
int pb_sheet_drop(pb_sheet *s);

/* Returns the class of a row; a composition is a hybrid. */
int pb_row_category(const pb_row *row);

/* Writes how many seeds the scores of the rows of r [reports] on a split are the mean of: "3 seeds", or "1 to 3 seeds"
 * if rows differ, as those with runs that are missing.  Returns the largest number. */
int pb_sheet_seeds(const pb_report *r, int reports, pb_split split, char out[40]);

/* Adds to a caption how many seeds and test examples the scores are from, and what their interval is for. */
void pb_sheet_caption_scores(pb_sheet *s);

#endif
