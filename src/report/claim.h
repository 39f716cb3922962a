/* claim: one claim about the rows of an experiment, and how it is judged.
 *
 * A claim says in which region an effect lies: a value of row A, its difference to that of row B, or the ratio of the
 * two.  It is confirmed if the 95 % interval of the effect lies in the region, and refuted if it lies outside; if the
 * interval contains a boundary of the region, the data do not decide.  p is the two-sided p of the hypothesis that the
 * effect is at the nearest boundary, so one rule serves "more than", "at most so much less than", "equal within a
 * margin" and "between". */
#ifndef PB_CLAIM_H
#define PB_CLAIM_H

#include "stats/stats.h"

/* What a claim says of an effect: low < effect < high.  If `closed`, the effect may be a boundary itself. */
typedef struct pb_relation {
    enum { PB_CLAIM_VALUE, PB_CLAIM_DIFFERENCE, PB_CLAIM_RATIO } of;
    double low, high; /* -INFINITY, INFINITY: no boundary */
    bool closed;
} pb_relation;

/* Reads a relation: "A > X", "A < X", "A = X +- M" or "A in X..Y" of a value; "A > B", "A > B - M", "A < B + M",
 * "A = B" or "A = B +- M" of a difference; "A / B > X", "A / B < X", "A / B = X +- M" or "A / B in X..Y" of a ratio.
 * Returns -1 with an error. */
int pb_relation_parse(pb_relation *out, const char *text);

/* The estimate of an effect.  `middle` is NaN if it is unknown. */
typedef struct pb_estimate {
    double middle, low, high; /* the 95 % interval; NaN if there is none, as of exact numbers */
    double centre;            /* of the interval, before it is cut to values that are possible */
    double error, freedom;    /* the standard error and its degrees of freedom                */
    bool logarithmic; /* centre and error are those of the logarithm, on whose scale the interval is symmetric */
    bool exact;       /* it is computed, and not estimated from a sample              */
} pb_estimate;

/* Returns the estimate of an exact number. */
pb_estimate pb_estimate_exact(double x);

/* Returns the estimate with an interval that has this centre and half width, before it is cut, if its standard error is
 * `error`.  The degrees of freedom are those with which Student's t interval is as wide; the normal distribution's if
 * it is narrower. */
pb_estimate pb_estimate_of(pb_interval v, double centre, double half, double error);

/* Returns the paired Student's t estimate of a mean of n values; NaN values are left out. */
pb_estimate pb_estimate_of_mean(int n, const double *x);

/* Returns the same of the geometric mean of n positive values: that of the mean of their logarithms. */
pb_estimate pb_estimate_of_geometric(int n, const double *x);

/* Returns whether the effect is in the region. */
bool pb_relation_holds(const pb_relation *r, double effect);

/* Returns the two-sided p of the hypothesis that the effect is at the boundary that is nearest to its estimate; NaN for
 * an exact number and if there is no interval. */
double pb_relation_p(const pb_relation *r, const pb_estimate *e);

typedef enum pb_claim_verdict {
    PB_CLAIM_CONFIRMED,
    PB_CLAIM_REFUTED,
    PB_CLAIM_UNDECIDED,
    PB_CLAIM_NOT_RUN,
    PB_CLAIM_VERDICTS
} pb_claim_verdict;
extern const char *const pb_claim_verdict_name[]; /* "confirmed", "refuted", "undecided", "not run" */

/* Returns the verdict on an estimate, given its p after the correction for the number of claims. */
pb_claim_verdict pb_relation_verdict(const pb_relation *r, const pb_estimate *e, double adjusted);

#endif
