/* plot: the figures of a report, drawn by gnuplot. */
#ifndef PB_PLOT_H
#define PB_PLOT_H

#include "report/report.h"

/* Draws the axes of every row at a glance, accuracy against trainable parameters, training memory and FLOPs of
 * inference, overhead bars, tuning, the strength of the change and learning curves, as SVG and PDF, into `folder`
 * (plots/EXPERIMENT if it is NULL), beside the gnuplot scripts.  Returns -1 with an error if gnuplot is missing or
 * refuses a script. */
int pb_plot(const pb_report *r, const char *folder);

/* Creates the folder and draws a test figure elsewhere, so that a missing gnuplot or a write-protected folder is
 * detected before hours of computation.  Returns -1 with an error. */
int pb_plot_try(const pb_experiment *e, const char *folder);

#endif
