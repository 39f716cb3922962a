/* reports: the stored results of an experiment, a report for each of its tasks. */
#ifndef PB_REPORTS_H
#define PB_REPORTS_H

#include "cli/cmd.h"
#include "report/report.h"

typedef struct pb_reports {
    pb_run_contexts context;
    pb_report *task; /* [tasks] */
    int tasks;
} pb_reports;

/* Returns the pb_print_format that --format names, text if it is not given, or PB_PRINT_CSV + 1 for json.  `last` is
 * the last of these that the command has.  Returns -1 with an error. */
int pb_args_format(const pb_args *a, int last);

/* Opens the reports of the experiment that is the first positional argument: of all its tasks, or of that of --task.
 * With `any_version` as pb_report_make.  The caller closes them with pb_reports_close.  Returns -1 with an error, and
 * nothing open. */
int pb_reports_open(pb_reports *x, const pb_args *a, bool any_version);

/* Does so for a command that needs one task, and refuses an experiment with several unless --task names one. */
int pb_reports_open_one(pb_reports *x, const pb_args *a, bool any_version);

/* Prints the name of a task above its part of the output, unless the format is CSV. */
void pb_reports_heading(const pb_experiment *e, int format, bool first);

/* Prints the table of the only task, of each task if `per_task`, or that of all tasks.  Returns -1 with an error. */
int pb_reports_print(const pb_reports *x, const pb_table_style *style, bool per_task);

/* Prints a JSON object for each row of each task and, if there are several tasks, one for each row over all of them.
 * Returns -1 with an error. */
int pb_reports_json(const pb_reports *x);

/* Closes the reports.  Returns -1 with an error if any earlier read of the database failed, even if the caller ignored
 * it. */
int pb_reports_close(pb_reports *x);

#endif
