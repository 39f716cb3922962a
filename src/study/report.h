/* report: the table of an experiment, from stored runs.  Floor 6. */
#ifndef PB_REPORT_H
#define PB_REPORT_H

#include "study/config.h"
#include "stats/stats.h"
#include "study/store.h"

/* The runs of a row's choice, one a seed. */
typedef struct pb_report_row {
    const pb_row *row;
    const char *choice;             /* NULL: nothing finished          */
    long long *id;                  /* [seeds]; 0: no finished run      */
    int finished, diverged, failed; /* of the choice's seeds; failed: of all the row's cells */
} pb_report_row;

typedef struct pb_report {
    pb_store *store; /* the caller's */
    const pb_experiment *experiment;
    pb_report_row *row; /* [experiment->rows] */
} pb_report;

/* Needs a sealed experiment.  The caller frees the report before the store. */
pb_report pb_report_make(pb_store *s, const pb_experiment *e);
void pb_report_free(pb_report *r);

/* Mean and 95 % interval over the seeds of a value of the whole run; split -1: of none. */
pb_interval pb_report_value(const pb_report *r, int row, int split, const char *key);

/* The same of the differences to the baseline, seed by seed. */
pb_interval pb_report_difference(const pb_report *r, int row, int split, const char *key);

/* The value of one run only has (timings are taken for one seed), NaN if none has. */
double pb_report_single(const pb_report *r, int row, const char *key);

/* The primary metric's key on a split, "accuracy.test.accuracy". */
const char *pb_report_primary(const pb_report *r, pb_split split, char out[96]);

void pb_report_print(const pb_report *r, FILE *out);
/* One JSON object a line and row: settings, and each key with mean, low, high, n. */
int pb_report_json(const pb_report *r, FILE *out);

#endif
