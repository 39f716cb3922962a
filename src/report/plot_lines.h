/* plot_lines: lines over a common axis, with bands or intervals: in one panel with their names at their ends if they
 * are few, else in a panel each. */
#ifndef PB_PLOT_LINES_H
#define PB_PLOT_LINES_H

#include "report/sheet.h"

typedef struct pb_line {
    char *label;
    int category; /* of the row, or of the first row on the line */
    int n;
    double *x;      /* [n] ascending */
    pb_interval *v; /* [n] */
} pb_line;

/* The value of a row that does not have the axis: a thin line over the whole width. */
typedef struct pb_level {
    const char *label; /* the row's, which the experiment owns */
    int category;
    double y;
} pb_level;

/* A set of lines, which owns them. */
typedef struct pb_lines {
    const char *x_name, *y_name, *unit; /* unit of y: "" or "B" */
    const char *key;                    /* of the values, for the data beside the figure */
    bool log_x;                         /* if the range is long */
    bool whole_x;                       /* x are whole numbers */
    bool band;            /* the intervals are a band around the line; else each is a line through its mark */
    const char *baseline; /* label of the line that is dashed in every panel; NULL: none */
    pb_line *line;
    int lines;
    pb_level *level; /* [levels] */
    int levels;
} pb_lines;

/* Adds a line with room for n points, and no points yet. */
pb_line *pb_lines_add(pb_lines *l, const char *label, int category, int n);

/* Adds a point to a line. */
void pb_line_point(pb_line *line, double x, pb_interval v);

/* Removes the last line. */
void pb_lines_drop_last(pb_lines *l);

/* Frees the lines. */
void pb_lines_free(pb_lines *l);

/* Returns the line of the baseline, or NULL if it has none. */
const pb_line *pb_lines_baseline(const pb_lines *l);

/* Returns whether the lines are few enough for one panel. */
bool pb_lines_are_few(const pb_lines *l);

#define PB_LINES_MARGIN 8.0 /* at the right of a panel without names */

/* Returns the width that the names at the right of a panel need. */
double pb_lines_room(const pb_sheet *s, const pb_lines *l);

/* Draws the lines in one panel between `left` and `right`, with their names at its right if `named`, at the first free
 * y of the sheet, which stays where it is.  Returns the y below the panel. */
double pb_lines_draw(pb_sheet *s, const pb_lines *l, double left, double right, bool named);

/* Draws each line in a panel of its own, in as many columns as fit, and moves the sheet's first free y below them. */
void pb_lines_draw_each(pb_sheet *s, const pb_lines *l);

#endif
