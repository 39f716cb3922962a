/* plot: the figures of a report, drawn by gnuplot.
 *
 * Beside the pictures of a figure are its script (NAME.gp), from which gnuplot alone draws it again, its caption
 * (NAME.txt), its data (NAME.tsv) and the SQL of the stored values that they are computed from (NAME.sql). */
#ifndef PB_PLOT_H
#define PB_PLOT_H

#include "report/plot_style.h"
#include "report/report.h"

/* Draws the figures of a task that the look asks for into `folder` (plots/EXPERIMENT if it is NULL).  Returns the
 * number of figures, or -1 with an error if gnuplot is missing or refuses a script. */
int pb_plot(const pb_report *r, const pb_look *look, const char *folder);

/* Draws the figures of several tasks together, in the same way; `name` is that of their experiment. */
int pb_plot_suite(const pb_report *r, int tasks, const char *name, const pb_look *look, const char *folder);

/* Checks the name of the figure that the look asks for: that of a figure, or "accuracy:KEY" with the key of a cost.
 * Returns -1 with an error that lists the figures. */
int pb_plot_check(const pb_look *look);

/* Returns the name of figure i, in the order of the page of `report`; NULL past the last. */
const char *pb_plot_name(int i);

/* Creates the folder and draws a test figure elsewhere, so that a missing gnuplot or a write-protected folder is
 * detected before hours of computation.  Returns -1 with an error. */
int pb_plot_try(const pb_experiment *e, const char *folder);

#endif
