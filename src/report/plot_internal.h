/* plot_internal: what plot.c and plot_labels.c share.  Not for other files. */
#ifndef PB_PLOT_INTERNAL_H
#define PB_PLOT_INTERNAL_H

#include "report/plot.h"

#define WIDTH 760.0 /* of a figure in pixels */
#define HEIGHT 500.0
#define AREA_WIDTH (WIDTH - 110) /* of what is inside the axes */
#define AREA_HEIGHT (HEIGHT - 110)
#define LETTER 8.4 /* width of a letter in a label, pixels */
#define LINE 15.0  /* height of a label                    */

typedef struct box {
    double left, right, bottom, top; /* pixels of the plot's area */
} box;

typedef struct point {
    const char *label;
    double x, y;      /* data                          */
    double low, high; /* of y's interval; NaN: none     */
    int category;
    double px, py; /* pixels                         */
    box mark, text;
} point;

/* The width of a label in pixels, at LETTER pixels a character. */
double pb_label_width(const char *label);

/* Sets `text` of each of the n points: the box of its label, inside the axes, that covers no mark, no interval, no
 * dashed level (a point without x > 0) and no other label, where there is such a box.  Reads label, x, px, py, mark. */
void pb_place_labels(point *spot, int n);

#endif
