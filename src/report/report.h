/* report: the table of an experiment, from stored runs. */
#ifndef PB_REPORT_H
#define PB_REPORT_H

#include "experiment/experiment.h"
#include "report/scores.h"
#include "results/selection.h"

/* The runs of a row's choice, one a seed. */
typedef struct pb_report_row {
    const pb_row *row;
    const char *choice;             /* NULL: nothing is chosen yet      */
    const long long *id;            /* [seeds]; 0: no finished run      */
    pb_values *values;              /* [seeds] of those runs            */
    int finished, diverged, failed; /* of the choice's seeds; failed: of all the row's cells */
} pb_report_row;

typedef struct pb_report {
    pb_store *store; /* the caller's */
    const pb_experiment *experiment;
    pb_selections selections;
    pb_report_row *row; /* [experiment->rows] */
} pb_report;

/* Reads the runs of each row's choice.  Needs a sealed experiment.  The caller frees the report before the store.  -1
 * with an error, and nothing to free. */
int pb_report_make(pb_report *r, pb_store *s, const pb_experiment *e);
void pb_report_free(pb_report *r);

/* Mean and 95 % interval of a value of the whole run; split -1: of none.  Of the primary metric for other seeds and
 * other examples (pb_stats_row), where predictions are stored; else Student's t over the seeds. */
pb_interval pb_report_value(const pb_report *r, int row, int split, const char *key);

/* The same of the differences to the baseline, of the seeds that both have (pb_stats_pair). */
pb_interval pb_report_difference(const pb_report *r, int row, int split, const char *key);

/* The value of one run only has (timings are taken for one seed), NaN if none has. */
double pb_report_single(const pb_report *r, int row, const char *key);

/* Indices [n] of the row's seeds whose run is finished, chosen and scored on the split (diverged ones are not); how
 * many, at most experiment->seeds. */
int pb_report_seeds(const pb_report *r, int row, pb_split split, int *seed);

/* The primary metric of those n seeds (indices), example by example.  -1 with an error. */
int pb_report_scores(const pb_report *r, int row, const int *seed, int n, pb_split split, pb_scores *out);

/* Keeps of seed [n] what is in other [m] as well, both rising; how many. */
int pb_report_common(int n, int *seed, int m, const int *other);

/* Of a row and of the baseline, of the seeds that both have; examples 0: those are none, or no predictions are
 * stored.  -1 with an error. */
int pb_report_pair(const pb_report *r, int row, pb_split split, pb_scores *a, pb_scores *b);

/* The row that others are compared with. */
int pb_report_baseline(const pb_report *r);

/* The primary metric's key on a split, "accuracy.test.accuracy". */
const char *pb_report_primary(const pb_report *r, pb_split split, char out[96]);

/* Prints a line for each row that has several settings, or runs that are missing: which setting is chosen in which
 * sweep, or what is missing. */
void pb_report_sweeps(const pb_report *r, FILE *out);

void pb_report_print(const pb_report *r, FILE *out);
/* One JSON object a line and row: settings, and each key with mean, low, high, n. */
int pb_report_json(const pb_report *r, FILE *out);

#endif
