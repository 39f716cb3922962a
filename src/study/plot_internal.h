/* plot_internal: what plot.c and plot_labels.c share.  Not for other files. */
#ifndef PB_PLOT_INTERNAL_H
#define PB_PLOT_INTERNAL_H

#include "study/plot.h"

#define WIDTH 760.0 /* of a figure in pixels */
#define HEIGHT 500.0
#define LETTER 7.5 /* width of a letter in a label, pixels */
#define LINE 15.0  /* height of a label                    */

typedef struct box {
    double left, right, bottom, top; /* pixels of the plot's area */
} box;

typedef struct point {
    const char *label;
    double x, y;      /* data                          */
    double low, high; /* of y's interval; NaN: none     */
    int taxon;
    double px, py; /* pixels                         */
    box mark, text;
} point;

/* Sets `text` of each point: a box for its label that covers no mark and no other label, if there is one. */
void pb_place_labels(point *spot, int n);

#endif
