/* compare: compares two comparands axis by axis, with a verdict for each axis. */
#ifndef PB_COMPARE_H
#define PB_COMPARE_H

#include "stats/stats.h"
#include "report/comparand.h"

typedef enum pb_verdict { PB_SAME, PB_BETTER, PB_WORSE, PB_UNDECIDED } pb_verdict;
extern const char *const pb_verdict_name[]; /* "same", "better", "worse", "undecided" */

/* Equivalence margins: half the width of the interval around "no difference". */
typedef struct pb_margins {
    double accuracy;   /* for the primary metric, in its unit; < 0: 0.01 on a scale of 0..1, 1 on a scale of 0..100 */
    double ratio;      /* for times; < 0: times are not compared */
    double trajectory; /* for losses and logits of the first steps (identity.h) */
} pb_margins;
extern const pb_margins pb_margins_default;

/* Sets the margins of score, times and trajectory from a text such as "0.01", "0.01,0.1" or "0.01,0.1,1e-4".  NULL
 * leaves them unchanged.  Returns -1 with an error. */
int pb_margins_read(pb_margins *m, const char *text);

/* The comparison on one axis, whose key is one of docs/metrics.md. */
typedef struct pb_axis {
    char key[64];
    enum { PB_SCORE, PB_EXACT, PB_RATIO } kind;
    double a, b;
    pb_interval difference; /* a - b, or a / b for times; exact numbers have no interval */
    double margin;
    double p;           /* for times: two-sided, of no difference; else NaN */
    pb_verdict verdict; /* on a relative to b */
    char note[160];     /* for scores: p values and what would decide; for times: p */
} pb_axis;

typedef struct pb_comparison {
    pb_axis axis[24];
    int axes, seeds, examples;
} pb_comparison;

/* Adjusts the verdicts on times of n comparisons for multiple testing.  A timing verdict stays undecided unless it
 * survives Holm's correction over all timings and the ratio itself is outside the margin. */
void pb_comparisons_adjust(pb_comparison *c, int n);

/* Compares two comparands over the seeds that both have.  They must be comparable (pb_comparand_comparable).  Returns
 * -1 with an error if they share no seed or if the numbers of their predictions differ. */
int pb_compare(const pb_comparand *a, const pb_comparand *b, const pb_margins *m, pb_comparison *out);

/* Prints a comparison as text, one line for each axis. */
void pb_comparison_print(const pb_comparison *c, const pb_comparand *a, const pb_comparand *b, FILE *out);

/* Prints a comparison as JSON, one object for each axis, one on a line. */
void pb_comparison_json(const pb_comparison *c, const pb_comparand *a, const pb_comparand *b, FILE *out);

#endif
