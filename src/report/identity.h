/* identity: whether a run reproduces the run of a baseline, to the bit or up to rounding.
 *
 * Training is deterministic.  On the same kind of processor, with the same number of threads, kernels and compiler,
 * every loss, logit, prediction and metric is the same to the bit unless code that computes it has changed.  On another
 * platform rounding differs, and the first steps agree within a tolerance. */
#ifndef PB_IDENTITY_H
#define PB_IDENTITY_H

#include "report/comparand.h"

/* Number of steps whose trajectory is compared.  Rounding differences grow with every step until two runs differ as
 * much as two seeds do; see docs/statistics.md. */
enum { PB_HORIZON = 20 };

/* The outcome of one check. */
typedef struct pb_identity_result {
    enum { PB_IDENTITY_SAME, PB_IDENTITY_CHANGED, PB_IDENTITY_UNKNOWN } verdict;
    char note[512]; /* what has changed and where, or why the outcome is unknown */
} pb_identity_result;

/* The outcomes of all checks.  A check is unknown if what it needs was not recorded. */
typedef struct pb_identity {
    pb_identity_result bitwise;    /* equality to the bit; unknown also if the platform differs */
    pb_identity_result trajectory; /* agreement over the first PB_HORIZON steps */
    pb_identity_result merging;    /* merging the methods into the weights changes no more than rounding does; unknown
                                      also if the method cannot be merged */
    bool other_predictions;        /* a prediction differs or was not recorded */
    bool other_threads; /* the numbers of threads differ, and so does planned memory: each thread has scratch space */
    double merge_error[2]; /* the largest over the seeds, of `is` and of `was` */
} pb_identity;

/* Compares the runs of every seed that both comparands have.  A seed that `was` has and `is` lacks counts as a change.
 * Returns -1 with an error if a database cannot be read. */
int pb_identity_compare(const pb_comparand *is, const pb_comparand *was, double tolerance, pb_identity *out);

#endif
