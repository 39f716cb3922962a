/* report: the results of an experiment, read from stored runs, and its table. */
#ifndef PB_REPORT_H
#define PB_REPORT_H

#include "experiment/experiment.h"
#include "report/scores.h"
#include "results/selection.h"

/* The runs of a row's chosen setting, one for each seed. */
typedef struct pb_report_row {
    const pb_row *row;
    const char *choice;             /* NULL if no setting is chosen yet */
    const long long *id;            /* [seeds] ids of the runs; 0 for a seed without a finished run */
    pb_values *values;              /* [seeds] values of these runs */
    int finished, diverged, failed; /* numbers of runs of the choice; failed: of all cells of the row */
    int other_text; /* number of runs whose retention was measured on other text than the experiment's, left out here */
    pb_scores scores[PB_SPLITS]; /* of the seeds that have a score, once they were asked for; x is NULL before */
} pb_report_row;

typedef struct pb_report {
    pb_store *store; /* belongs to the caller */
    const pb_experiment *experiment;
    pb_selections selections;
    pb_report_row *row; /* [experiment->rows] */
} pb_report;

/* Reads the runs of each row's choice.  With `any_version`, runs that another version of the code made stand in for
 * missing ones (PB_SELECT_ANY_VERSION).  The experiment must be sealed.  The caller frees the report with
 * pb_report_free before it closes the store.  Returns -1 with an error, and nothing to free. */
int pb_report_make(pb_report *r, pb_store *s, const pb_experiment *e, bool any_version);
void pb_report_free(pb_report *r);

/* Returns how many runs of the row's sweep another version of the code made: than this program or, in the experiment of
 * a database, than the newest row. */
int pb_report_others(const pb_report *r, int row);

/* What † behind the name of a row with such runs stands for. */
#define PB_OTHERS_ARE "made by another version of the code"

/* Returns mean and 95 % interval of a value; split -1 stands for a value of the whole run.  The interval of the primary
 * metric covers other seeds and other examples (pb_stats_row) if predictions are stored.  All other intervals are
 * Student's t intervals over the seeds. */
pb_interval pb_report_value(const pb_report *r, int row, int split, const char *key);

/* Returns the same of the primary metric on a split. */
pb_interval pb_report_score(const pb_report *r, int row, pb_split split);

/* Returns mean and 95 % interval of the paired difference to the baseline, over the seeds that both have
 * (pb_stats_pair). */
pb_interval pb_report_difference(const pb_report *r, int row, int split, const char *key);

/* Returns the same of the primary metric on a split, for a row less any other one. */
pb_interval pb_report_between(const pb_report *r, int row, int other, pb_split split);

/* Returns a value that one run of the row has, such as a timing, which is taken for one seed; NaN if no run has it. */
double pb_report_single(const pb_report *r, int row, const char *key);

/* Reads what each process of the timing pass measured of the row under `key`, as pb_timing_processes does. */
int pb_report_times(const pb_report *r, int row, const char *key, double **x);

/* Writes the indices of the row's seeds whose run is finished, chosen, not diverged and scored on the split, into seed.
 * Returns their number, which is at most experiment->seeds.  `seed` may be NULL. */
int pb_report_seeds(const pb_report *r, int row, pb_split split, int *seed);

/* Reads the primary metric of n seeds of those of pb_report_seeds, given by their indices, example by example; from the
 * store only the first time.  The caller frees it with pb_scores_free.  Returns -1 with an error. */
int pb_report_scores(const pb_report *r, int row, const int *seed, int n, pb_split split, pb_scores *out);

/* Reduces seed [n] to the elements that are also in other [m]; both are in ascending order.  Returns the new length. */
int pb_report_common(int n, int *seed, int m, const int *other);

/* Reads the scores of a row (a) and of another one (b) for the seeds that both have.  The number of examples is 0 if
 * they share no seed or if no predictions are stored.  The caller frees both with pb_scores_free.  Returns -1 with an
 * error. */
int pb_report_pair(const pb_report *r, int row, int other_row, pb_split split, pb_scores *a, pb_scores *b);

/* Returns the index of the baseline's row. */
int pb_report_baseline(const pb_report *r);

/* Writes the key of the primary metric on a split, such as "accuracy.test.accuracy", into `out` and returns it. */
const char *pb_report_primary(const pb_report *r, pb_split split, char out[96]);

/* Returns the value of a setting that is in force for a row; `key` is written as a person does (experiment/settings.h).
 * That is the value of the row's choice or, if nothing is chosen yet, the value that all its settings share.  Returns
 * NULL if the row has no such setting, or if none is in force. */
const char *pb_report_setting(const pb_report *r, int row, const char *key);

/* Prints a line for each row that has several settings or missing runs: which setting is chosen in which sweep, or what
 * is missing.  Each line begins with `prefix`. */
void pb_report_sweeps(const pb_report *r, const char *prefix, FILE *out);

/* Prints a line if seeds of the row's choice are not finished or diverged, so that its means are over fewer. */
void pb_report_seeds_left(const pb_report *r, int row, const char *prefix, FILE *out);

/* Returns the split of a key such as "accuracy.test.mcc"; -1 for the key of a value of the whole run. */
int pb_report_split(const char *key);

/* Returns true if more is better of the value with this key, as of scores and speeds, and false if less is. */
bool pb_report_rising(const pb_report *r, const char *key);

/* Fills order [rows] with the indices of the rows in the order of the value with this key, the best first, rows without
 * a value last.  Returns how many have one. */
int pb_report_order(const pb_report *r, const char *key, int *order);

/* Does so for a key that a user gives to sort by.  Returns -1 with an error if no row has a value. */
int pb_report_sort(const pb_report *r, const char *key, int *order);

/* Refuses a key that a user gives and under which no run has a value: an error that begins with the option's name and
 * names the nearest key.  Returns -1. */
int pb_report_refuse_key(const pb_report *r, const char *option, const char *key);

/* Returns whether the value with this key is a time or a ratio of times, which has an interval that matters; the other
 * costs are exact. */
bool pb_report_is_time(const char *key);

/* Returns the value with this key, of whichever split it is, with its interval over the seeds or, for a ratio of times,
 * over the processes. */
pb_interval pb_report_measured(const pb_report *r, int row, const char *key);

/* The formats of a table. */
typedef enum pb_print_format { PB_PRINT_TEXT, PB_PRINT_MARKDOWN, PB_PRINT_LATEX, PB_PRINT_CSV } pb_print_format;

/* How a table is printed. */
typedef struct pb_table_style {
    const char *columns; /* KEY[,KEY..]: settings or values of whole runs to show as columns; NULL: none  */
    const char *sort;    /* the rows stand in the order of this value, the best first; NULL: in the file's order */
    bool no_times;       /* without the columns of times */
    bool headless;       /* CSV without the line of keys, behind another table */
    int format;          /* pb_print_format; Markdown and LaTeX without notes on single runs */
} pb_table_style;

/* Prints the table of the experiment with its notes.  CSV has the values as numbers, with the ends of their intervals
 * in columns of their own.  As text with columns, or if a row is a sweep, a line under each row lists the settings that
 * the file sets, with the values in force.  Returns -1 with an error, and prints nothing,
 * if no row has one of the columns or the value to sort by. */
int pb_report_print(const pb_report *r, const pb_table_style *style, FILE *out);

/* Prints the table as CSV (RFC 4180), without notes: a line of keys, then a line for each row, with the name of the
 * task in front.  Returns -1 with an error as pb_report_print does. */
int pb_report_csv(const pb_report *r, const pb_table_style *style, FILE *out);

/* What the marks of a table in LaTeX mean, as lines of comment. */
extern const char pb_latex_note[];

/* Prints one JSON object for each row, one on a line: its settings, and mean, low, high and n of each key.  Returns -1
 * with an error, and prints nothing, if a database cannot be read. */
int pb_report_json(const pb_report *r, FILE *out);

#endif
