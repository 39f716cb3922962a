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

/* What the help of a command that takes a database in place of a file says. */
#define PB_WORDS_OF_REPORTS "EXPERIMENT.ini|DB[:NAME]"
#define PB_HELP_OF_DATABASE                                                                                            \
    "A database, FILE.db, in place of a file stands for the experiments whose runs it has, FILE.db:NAME for one of\n"  \
    "them, whichever version of the code made the runs; neither file, data nor model is needed, and --set changes\n"   \
    "experiment.title, experiment.baseline and experiment.axis alone.\n\n"

/* Returns the pb_print_format that --format names, text if it is not given, or PB_PRINT_CSV + 1 for json.  `last` is
 * the last of these that the command has.  Returns -1 with an error. */
int pb_args_format(const pb_args *a, int last);

/* Returns whether a positional argument is DATABASE.db or DATABASE.db:EXPERIMENT, and not the file of an experiment. */
bool pb_reports_of_database(const char *word);

/* Returns the path in DATABASE[:EXPERIMENT]; `*name` is the experiment, or NULL.  The caller frees both. */
char *pb_reports_split(const char *word, char **name);

/* Opens the reports of the experiment that is the first positional argument: of all its tasks, or of that of --task.
 * The argument is a file, whose runs are in the database of --db, or DATABASE.db:EXPERIMENT, or DATABASE.db if it has
 * one experiment; then the rows are those that are stored (pb_stored_experiment_read).  With `any_version` as
 * pb_report_make.  The caller closes them with pb_reports_close.  Returns -1 with an error, and nothing open. */
int pb_reports_open(pb_reports *x, const pb_args *a, bool any_version);

/* Does so for a command that needs one task, and refuses an experiment with several unless --task names one. */
int pb_reports_open_one(pb_reports *x, const pb_args *a, bool any_version);

/* Is called with the reports of an experiment and with whether there are those of others too.  A nonzero return ends
 * the iteration and is returned by it. */
typedef int pb_each_reports(void *ctx, const pb_reports *x, bool several);

/* Calls `each` with the reports of the experiment that pb_reports_open opens, or of all experiments of a database.
 * With `one` as pb_reports_open_one.  Returns -1 with an error. */
int pb_reports_each(const pb_args *a, bool any_version, bool one, pb_each_reports *each, void *ctx);

/* Prints the name of a task or of an experiment above its part of the output, unless the format is CSV; `what` it is
 * stands before the name in text. */
void pb_reports_heading(const char *what, const char *name, int format, bool first);

/* Prints the table of the only task, of each task if `per_task`, or that of all tasks.  Returns -1 with an error. */
int pb_reports_print(const pb_reports *x, const pb_table_style *style, bool per_task);

/* Prints a JSON object for each row of each task and, if there are several tasks, one for each row over all of them.
 * Returns -1 with an error. */
int pb_reports_json(const pb_reports *x);

/* Closes the reports.  Returns -1 with an error if any earlier read of the database failed, even if the caller ignored
 * it. */
int pb_reports_close(pb_reports *x);

#endif
