/* task_table: the test scores of an experiment's rows over its tasks, and their mean.
 *
 * As in the papers, the table has a column of the primary metric of each task, and their unweighted mean.  Scores whose
 * largest value is 1 are printed times 100, those that end at 100 as they are.  A metric that is neither, or of which
 * less is better, is printed in its own unit, and then there is no mean. */
#ifndef PB_TASK_TABLE_H
#define PB_TASK_TABLE_H

#include "report/report.h"

/* Returns the mean over all tasks of a row's test score, on a scale that ends at 100, or of its paired difference to
 * the baseline.  Its interval holds for other seeds and examples of the same tasks (pb_stats_mean_of).  NaN if the row
 * has no score on one of them: the mean is never one over fewer tasks; and if a metric has no such scale. */
pb_interval pb_task_mean(const pb_report *r, int tasks, int row, bool difference);

/* Prints the table of r [tasks], the reports of one experiment, whose rows are the same.  Style's `sort` is the name of
 * a task or "mean"; `columns` is refused.  Returns -1 with an error, and prints nothing. */
int pb_task_table_print(const pb_report *r, int tasks, const pb_table_style *style, FILE *out);

/* Prints a JSON object for each row of experiment `name`, one on a line, with the score on each task and the mean. */
void pb_task_table_json(const char *name, const pb_report *r, int tasks, FILE *out);

#endif
