/* pareto: the Pareto front of an experiment's rows, and how stable it is under the bootstrap. */
#ifndef PB_PARETO_H
#define PB_PARETO_H

#include "report/report.h"

enum { PB_PARETO_AXES = 16, PB_PARETO_RESAMPLES = 2000 };

typedef struct pb_pareto {
    const pb_report *report; /* belongs to the caller */
    char *key[PB_PARETO_AXES];
    bool rising[PB_PARETO_AXES]; /* true if higher is better */
    bool timed[PB_PARETO_AXES];  /* true if it is a time, on which rows may be tied (pb_pareto_ties) */
    int axes;
    int rows, *row;       /* [rows] indices of the report's rows that were scored on test */
    int seeds, *seed;     /* [seeds] indices of the seeds that all of these rows have */
    int examples;         /* 0 if a row has no stored predictions or the test score is not an axis */
    uint64_t draws;       /* seed of the bootstrap */
    double *point;        /* [rows, axes] means over the seeds */
    bool *on;             /* [rows] true if the row is on the front */
    double *share;        /* [rows] share of the bootstrap samples in which the row is on the front */
    pb_scores *score;     /* [rows] */
    pb_pareto_time *time; /* [rows, axes] */
} pb_pareto;

/* Computes the Pareto front.  `axes` is a comma-separated list of the keys of docs/metrics.md, or NULL for the default
 * axes that were measured.  Returns 0; the caller frees the result with pb_pareto_free.  Returns -1 with an error, and
 * nothing to free, if no run has a value of an axis, if no row was scored on test, or if the scored rows have no seed
 * in common. */
int pb_pareto_make(pb_pareto *f, const pb_report *r, const char *axes, uint64_t draws);
void pb_pareto_free(pb_pareto *f);

/* Prints the front as a table with notes. */
void pb_pareto_print(const pb_pareto *f, FILE *out);

/* Prints one JSON object for each row of the experiment, one on a line. */
void pb_pareto_json(const pb_pareto *f, FILE *out);

#endif
