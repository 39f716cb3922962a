/* rank: the rows of an experiment against its baseline, or of several data sets against each other. */
#ifndef PB_RANK_H
#define PB_RANK_H

#include "report/report.h"

/* One row beside the baseline, on test. */
typedef struct pb_baseline_row {
    const char *label;
    double score;           /* mean over its seeds; NaN: not scored on test                              */
    pb_interval difference; /* to the baseline, of the n seeds that both have; NaN: none                 */
    double p, holm;         /* by permutation over examples, and adjusted; NaN: no stored predictions    */
} pb_baseline_row;

/* All rows but the baseline are one family. */
typedef struct pb_baseline_ranking {
    const pb_report *report; /* the caller's                       */
    pb_baseline_row *rival;  /* [rows], as the experiment has them */
    int *order;              /* [rows], best first                 */
    int family, examples;    /* tests adjusted together            */
} pb_baseline_ranking;

/* -1 with an error, and nothing to free: the baseline was not scored on test, predictions that do not fit. */
int pb_baseline_ranking_make(pb_baseline_ranking *v, const pb_report *r);
void pb_baseline_ranking_free(pb_baseline_ranking *v);
void pb_baseline_ranking_print(const pb_baseline_ranking *v, FILE *out);
void pb_baseline_ranking_json(const pb_baseline_ranking *v, FILE *out); /* an object a row */

/* The rows that all experiments have, over their data sets. */
typedef struct pb_ranking {
    const pb_report *report; /* [sets], the caller's                                        */
    int sets, rows;
    const char **label;   /* [rows]                                                      */
    double *score, *rank; /* [sets, rows] means on test; [rows] means of ranks, 1 is best */
    int *order;           /* [rows], best first                                          */
    pb_friedman test;
    double p; /* of the test, by permutation */
} pb_ranking;

/* -1 with an error, and nothing to free: two of the same data, other metrics, fewer than two shared rows, fewer data
 * sets than could show a difference of so many rows (pb_stats_friedman_least). */
int pb_ranking_make(pb_ranking *k, const pb_report *r, int sets);
void pb_ranking_free(pb_ranking *k);
void pb_ranking_print(const pb_ranking *k, FILE *out);
void pb_ranking_json(const pb_ranking *k, FILE *out); /* an object a row, and one of the tests */

#endif
