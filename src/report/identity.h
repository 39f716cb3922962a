/* identity: is a run of today the run of the baseline, to the bit or at least to rounding.
 *
 * Training is deterministic: on the same kind of processor, with the same number of threads, kernels and compiler,
 * every loss, logit, prediction and metric comes out the same to the bit as long as no code that computes it has
 * changed.  Elsewhere rounding differs, and the first steps agree to a tolerance. */
#ifndef PB_IDENTITY_H
#define PB_IDENTITY_H

#include "report/comparand.h"

/* Rounding grows from step to step until two runs are as far apart as two seeds are: see docs/statistics.md. */
enum { PB_HORIZON = 20 };

typedef struct pb_identity_result {
    enum { PB_IDENTITY_SAME, PB_IDENTITY_CHANGED, PB_IDENTITY_UNKNOWN } verdict;
    char note[512]; /* of what was changed where, or why it is not known */
} pb_identity_result;

typedef struct pb_identity {
    pb_identity_result identity;   /* unknown: not recorded, or another processor, compiler, .. */
    pb_identity_result trajectory; /* over the first PB_HORIZON steps; unknown: not recorded */
    pb_identity_result
        merging; /* does folding the methods into the weights change more than rounding does; unknown: not recorded,
                         or a method that cannot be folded */
    bool other_predictions; /* some example is answered in another way, or was not recorded */
    bool other_threads;     /* then planned memory differs too: each thread has its own scratch space */
    double merge_error[2];  /* the largest over the seeds, of `is` and `was` */
} pb_identity;

/* Holds every seed that both sides have against each other; a seed that `was` has and `is` lacks is a change.  -1 with
 * an error: a database cannot be read. */
int pb_identity_compare(const pb_comparand *is, const pb_comparand *was, double tolerance, pb_identity *out);

#endif
