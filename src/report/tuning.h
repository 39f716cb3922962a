/* tuning: what the trials of a row say of tuning it. */
#ifndef PB_TUNING_H
#define PB_TUNING_H

#include "report/report.h"

/* A row's trials: validation means over the seeds. */
typedef struct pb_tuning {
    int trials;        /* finished                                                          */
    int diverged;      /* of them; they count as the worst of the others                    */
    double *score;     /* [trials] in the order of the trials; the more the better          */
    double best, near; /* the best score; the share of trials within a point of it          */
} pb_tuning;

/* Trials 0: the row was not tuned, or nothing of it has finished.  The caller frees. */
pb_tuning pb_tuning_of(const pb_report *r, int row);
void pb_tuning_free(pb_tuning *t);

/* The best to be expected of `budget` trials, in the metric's own sign; NaN if there were fewer. */
double pb_tuning_expected(const pb_report *r, const pb_tuning *t, int budget);

/* The table of expected best against budget; nothing where no row was tuned. */
void pb_tuning_print(const pb_report *r, FILE *out);

/* {"trials": .., "diverged": .., "near": .., "validation": [..], "expected": [..]} of a row that was tuned, else
 * null. */
void pb_tuning_json(const pb_report *r, int row, pb_text *text);

#endif
