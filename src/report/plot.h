/* plot: the figures of a report, by gnuplot. */
#ifndef PB_PLOT_H
#define PB_PLOT_H

#include "report/report.h"

/* Draws accuracy against trainable parameters and against training memory, overhead bars and
 * learning curves, as SVG and PDF, into `folder` (NULL: plots/EXPERIMENT) beside the gnuplot
 * scripts that made them.  -1 with an error: no gnuplot, or it refused a script. */
int pb_plot(const pb_report *r, const char *folder);

/* Makes the folder and draws an empty figure elsewhere, so that a missing gnuplot or a folder that cannot be written
 * is known before hours of work.  -1 with an error. */
int pb_plot_try(const pb_experiment *e, const char *folder);

#endif
