/* plot_internal: what the files plot*.c share.  Not for other rooms. */
#ifndef PB_PLOT_INTERNAL_H
#define PB_PLOT_INTERNAL_H

#include "report/plot.h"
#include "report/sheet.h"

/* Draws a figure into a folder.  Returns 1, 0 if the results have nothing to show in it, or -1 with an error. */
typedef int pb_draw_figure(const pb_report *r, const pb_look *look, const char *folder);
pb_draw_figure pb_plot_axes, pb_plot_overhead, pb_plot_memory, pb_plot_curves, pb_plot_validation, pb_plot_tuning,
    pb_plot_rate, pb_plot_strength, pb_plot_sweep, pb_plot_differences, pb_plot_parameters, pb_plot_training_memory,
    pb_plot_inference;

/* Draws accuracy against the cost with this key, as figure `name`, which must not be a name that a user chose. */
int pb_plot_against(const pb_report *r, const pb_look *look, const char *folder, const char *name, const char *cost);

/* The same for figures of several tasks. */
typedef int pb_draw_suite(const pb_report *r, int tasks, const pb_look *look, const char *folder);
pb_draw_suite pb_plot_ranks, pb_plot_wins, pb_plot_tasks;

/* How a cost is named on an axis. */
typedef struct pb_cost {
    const char *key, *title, *unit; /* unit: "" or "B" */
} pb_cost;

/* Returns the name and unit of a key; the title of a key that the figures do not know is the key. */
pb_cost pb_cost_of(const char *key);

/* A name column with the rows in an order, for figures with a line for each row. */
typedef struct pb_name_column {
    const int *row; /* [rows] of the report */
    int rows;
    double left, pitch; /* where the panels begin, and the height of a row */
} pb_name_column;

/* Returns how wide the column of these rows' names is; `lines` is the height of a row in lines of text. */
pb_name_column pb_names_of(const pb_sheet *s, const int *row, int rows, double lines);

/* Writes the names below `top`, and a shade behind every second row. */
void pb_names_write(pb_sheet *s, const pb_name_column *c, double top);

/* Writes into `row` the rows that have a value under `key`, the best first.  Returns their number. */
int pb_ranked_rows(const pb_report *r, const char *key, int *row);

#endif
