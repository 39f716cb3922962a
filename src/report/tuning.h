/* tuning: how the best validation score of a row depends on the number of settings that were tried. */
#ifndef PB_TUNING_H
#define PB_TUNING_H

#include "report/report.h"

/* The trials of a row.  A trial is a setting; its score is the mean validation score over the seeds. */
typedef struct pb_tuning {
    int trials;    /* number of trials with a finished run */
    int diverged;  /* how many of them diverged; they count as the worst of the others */
    double *score; /* [trials] negated if lower is better */
    double best;   /* the best score */
    double near;   /* share of the trials within one point of the best */
} pb_tuning;

/* Returns the trials of a row.  Their number is 0 if the row has one setting or no finished run.  The caller frees them
 * with pb_tuning_free. */
pb_tuning pb_tuning_of(const pb_report *r, int row);
void pb_tuning_free(pb_tuning *t);

/* Returns the expected best score of `budget` trials drawn without replacement (Dodge et al. 2019, Tang et al. 2020),
 * in the sign of the metric; NaN if there were fewer trials. */
double pb_tuning_expected(const pb_report *r, const pb_tuning *t, int budget);

/* Prints the expected best score against the budget, one line for each row; prints nothing if no row was tuned. */
void pb_tuning_print(const pb_report *r, FILE *out);

/* Appends {"trials": .., "diverged": .., "near": .., "validation": [..], "expected": [..]} for a row that was tuned,
 * else null. */
void pb_tuning_json(const pb_report *r, int row, pb_text *text);

#endif
