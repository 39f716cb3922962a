/* plot_internal: what the files plot*.c share.  Not for other rooms. */
#ifndef PB_PLOT_INTERNAL_H
#define PB_PLOT_INTERNAL_H

#include "report/plot.h"

#define WIDTH 760.0 /* of a figure, in pixels */
#define HEIGHT 500.0
#define AREA_WIDTH (WIDTH - 110) /* of the area inside the axes */
#define AREA_HEIGHT (HEIGHT - 110)
#define LETTER 8.4 /* width of a character of a label, in pixels */
#define LINE 15.0  /* height of a label, in pixels */

#define LONG_AXIS 20.0 /* a cost whose range exceeds this ratio has a logarithmic axis */

enum { PB_CATEGORIES = PB_HYBRID + 1 };

/* The commands that every figure begins with. */
extern const char pb_plot_style[];

/* Shape (gnuplot's pt) and grey level of the points of a category of methods. */
extern const int pb_category_shape[PB_CATEGORIES];
extern const char *const pb_category_grey[PB_CATEGORIES];

/* Returns the category of a row; a composition is a hybrid. */
int pb_row_category(const pb_row *row);

struct pb_figure;

/* Adds the experiment's title, or its name, to the texts of a figure and returns its number.  The title says if runs
 * are of another version of the code. */
int pb_plot_title(struct pb_figure *f, const pb_report *r);

/* The range of an axis. */
typedef struct pb_plot_range {
    double low, high;
    bool log;
} pb_plot_range;

/* Widens the range to contain x; NaN has no effect. */
void pb_range_widen(pb_plot_range *r, double x);

/* Adds this share of the range at both ends. */
void pb_range_pad(pb_plot_range *r, double share);

/* Draws the figure `axes` into the folder, if a row is scored on test.  Returns -1 with an error as pb_figure_draw
 * does. */
int pb_plot_axes(const pb_report *r, const char *folder);

typedef struct box {
    double left, right, bottom, top; /* pixels inside the axes */
} box;

typedef struct point {
    const char *label;
    double x, y;      /* in data units */
    double low, high; /* interval of y; NaN if there is none */
    int category;
    double px, py; /* in pixels */
    box mark, text;
} point;

/* Returns the width of a label in pixels, LETTER pixels for each character. */
double pb_label_width(const char *label);

/* Places the labels of n points: sets `text` of each to a box inside the axes that overlaps no mark, no interval, no
 * dashed level (a point without x > 0) and no other label, if there is such a box.  Reads label, x, px, py and mark. */
void pb_place_labels(point *spot, int n);

#endif
