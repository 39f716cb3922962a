/* plot_internal: what plot.c and plot_labels.c share.  Not for other rooms. */
#ifndef PB_PLOT_INTERNAL_H
#define PB_PLOT_INTERNAL_H

#include "report/plot.h"

#define WIDTH 760.0 /* of a figure, in pixels */
#define HEIGHT 500.0
#define AREA_WIDTH (WIDTH - 110) /* of the area inside the axes */
#define AREA_HEIGHT (HEIGHT - 110)
#define LETTER 8.4 /* width of a character of a label, in pixels */
#define LINE 15.0  /* height of a label, in pixels */

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
