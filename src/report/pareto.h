/* pareto: which rows of an experiment no other row beats on all axes, and how surely. */
#ifndef PB_PARETO_H
#define PB_PARETO_H

#include "report/report.h"

enum { PB_PARETO_AXES = 16, PB_PARETO_RESAMPLES = 2000 };

typedef struct pb_pareto {
    const pb_report *report; /* the caller's                                             */
    char *key[PB_PARETO_AXES];
    bool rising[PB_PARETO_AXES]; /* more is better                                        */
    int axes;
    int rows, *row;   /* [rows] of the report, those that were scored on test         */
    int seeds, *seed; /* [seeds] that all of them have, as indices                    */
    int examples;     /* 0: some row has no stored predictions, or test is no axis    */
    uint64_t draws;   /* the bootstrap's seed                                         */
    double *point;    /* [rows, axes], means over the seeds                           */
    bool *on;         /* [rows]                                                       */
    double *share;    /* [rows] of the bootstrap samples in which it is on the front  */
    pb_scores *score; /* [rows]                                                       */
} pb_pareto;

/* `axes`: keys of docs/metrics.md with commas between; NULL: the usual ones.  -1 with an error, and nothing to free:
 * an axis that no run has a value of, no row that was scored on test, no seed that all such rows have. */
int pb_pareto_make(pb_pareto *f, const pb_report *r, const char *axes, uint64_t draws);
void pb_pareto_free(pb_pareto *f);

/* As a table with notes; as JSON, one object a row of the experiment. */
void pb_pareto_print(const pb_pareto *f, FILE *out);
void pb_pareto_json(const pb_pareto *f, FILE *out);

#endif
