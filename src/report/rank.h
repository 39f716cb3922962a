/* rank: compares the rows of an experiment with its baseline, or ranks rows over several data sets. */
#ifndef PB_RANK_H
#define PB_RANK_H

#include "report/report.h"

/* ---- one experiment ---------------------------------------------------------------------------------------- */

/* The comparison of one row with the baseline, on test. */
typedef struct pb_baseline_row {
    const char *label;
    double score;           /* mean over the row's seeds; NaN if it was not scored on test */
    pb_interval difference; /* to the baseline, over the n seeds that both have; NaN if there are none */
    double p, holm;         /* of a permutation test over examples, and adjusted; NaN without stored predictions */
} pb_baseline_row;

/* The comparisons of all rows with the baseline.  They are one family of tests. */
typedef struct pb_baseline_ranking {
    const pb_report *report; /* belongs to the caller */
    pb_baseline_row *row;    /* [rows] in the order of the experiment */
    int *order;              /* [rows] indices of the rows, the best first */
    int family, examples;    /* number of tests that are adjusted together, number of test examples */
    bool pseudo;             /* The metric is not a mean, so that the tests are over jackknife pseudo-values. */
} pb_baseline_ranking;

/* Compares all rows with the baseline.  The caller frees the result with pb_baseline_ranking_free.  Returns -1 with an
 * error, and nothing to free, if the baseline was not scored on test or if predictions do not match. */
int pb_baseline_ranking_make(pb_baseline_ranking *v, const pb_report *r);
void pb_baseline_ranking_free(pb_baseline_ranking *v);

/* Prints the comparisons as a table with notes. */
void pb_baseline_ranking_print(const pb_baseline_ranking *v, FILE *out);

/* Prints one JSON object for each row, one on a line. */
void pb_baseline_ranking_json(const pb_baseline_ranking *v, FILE *out);

/* ---- several data sets ------------------------------------------------------------------------------------- */

/* The mean ranks over data sets of the rows that all experiments have (Demsar 2006). */
typedef struct pb_ranking {
    const pb_report *report; /* [sets] one for each data set; belongs to the caller */
    int sets, rows;
    const char **label; /* [rows] */
    double *score;      /* [sets, rows] means on test */
    double *rank;       /* [rows] mean ranks; 1 is best */
    int *order;         /* [rows] indices of the rows, the best first */
    pb_friedman test;
    double p; /* of Friedman's test, by permutation */
} pb_ranking;

/* Ranks the rows.  The caller frees the ranking with pb_ranking_free.  Returns -1 with an error, and nothing to free,
 * if two experiments have the same data, if they share fewer than two rows, or if there are
 * too few data sets to detect any difference among so many rows (pb_stats_friedman_least). */
int pb_ranking_make(pb_ranking *k, const pb_report *r, int sets);
void pb_ranking_free(pb_ranking *k);

/* Prints the ranking as a table with the tests. */
void pb_ranking_print(const pb_ranking *k, FILE *out);

/* Prints one JSON object for each row and one for the tests, one on a line. */
void pb_ranking_json(const pb_ranking *k, FILE *out);

#endif
