/* compare: two sides, axis by axis, with a verdict each. */
#ifndef PB_COMPARE_H
#define PB_COMPARE_H

#include "stats/stats.h"
#include "report/comparand.h"

typedef enum pb_verdict { PB_SAME, PB_BETTER, PB_WORSE, PB_UNDECIDED } pb_verdict;
extern const char *const pb_verdict_name[]; /* "same", "better", "worse", "undecided" */

/* What is no difference: half a width around none. */
typedef struct pb_margins {
    double accuracy;   /* of the primary metric, in its unit; < 0: 0.01 of a metric of 0..1, 1 of one of 0..100 */
    double ratio;      /* of times; < 0: they are not compared */
    double trajectory; /* of losses and logits over the first steps (identity.h) */
} pb_margins;
extern const pb_margins pb_margins_default;
/* Sets them by "0.01", "0.01,0.1" or "0.01,0.1,1e-4" (score, times, trajectory); NULL: as they are.  -1 with an
 * error. */
int pb_margins_read(pb_margins *m, const char *text);

/* One axis: `what` by the letters of docs/metrics.md. */
typedef struct pb_axis {
    char key[64];
    enum { PB_SCORE, PB_EXACT, PB_RATIO } kind;
    double a, b;
    pb_interval difference; /* a - b; of times: a / b; of exact numbers without interval */
    double margin;
    double p;           /* of times: two-sided, that there is no difference; else NaN     */
    pb_verdict verdict; /* on a, beside b                                                 */
    char note[160];     /* of a score: p values, what would decide; of times: p           */
} pb_axis;

typedef struct pb_comparison {
    pb_axis axis[24];
    int axes, seeds, examples;
} pb_comparison;

/* For a look at many rows, of which one is off by chance: better or worse becomes undecided of a time, unless Holm's
 * correction over the times of all `n` comparisons leaves it and the ratio itself, not only its interval, is outside
 * the margin. */
void pb_comparisons_adjust(pb_comparison *c, int n);

/* Compares two comparands over the seeds that both have; pb_comparand_comparable must hold.  Returns -1 with an error
 * if they share no seed or their predictions do not fit. */
int pb_compare(const pb_comparand *a, const pb_comparand *b, const pb_margins *m, pb_comparison *out);

/* As text, a line an axis; as JSON, one object an axis. */
void pb_comparison_print(const pb_comparison *c, const pb_comparand *a, const pb_comparand *b, FILE *out);
void pb_comparison_json(const pb_comparison *c, const pb_comparand *a, const pb_comparand *b, FILE *out);

#endif
