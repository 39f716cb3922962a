/* plot_labels: where the labels of a figure go, so that they cover neither marks nor each other.  Lengths are in
 * points; y grows downwards. */
#ifndef PB_PLOT_LABELS_H
#define PB_PLOT_LABELS_H

#include <stdbool.h>

typedef struct pb_box {
    double left, top, right, bottom;
} pb_box;

/* A label of a point. */
typedef struct pb_label {
    double x, y;          /* of the point */
    pb_box mark;          /* of the point with its interval, which the label stands beside */
    double width, height; /* of the label */
    int rank;             /* labels of a higher rank give way to those of a lower one */
    pb_box box;           /* where the label is */
    bool shown;           /* false: it has no place, and is left out */
} pb_label;

/* Returns the area that two boxes have in common. */
double pb_box_overlap(const pb_box *a, const pb_box *b);

/* Places n labels: sets `box` and `shown` of each.  A label that is shown is inside the frame and covers no mark of a
 * label, none of the m obstacles and no other label; the labels that can have no such place are not shown. */
void pb_labels_place(pb_label *label, int n, const pb_box *obstacle, int m, const pb_box *frame);

/* Moves the middles y [n] of labels of this height, in any order, as little as that they are at least a height apart,
 * and between `top` and `bottom` if there is room. */
void pb_labels_spread(double *y, int n, double height, double top, double bottom);

#endif
