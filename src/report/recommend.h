/* recommend: the best row of an experiment within limits on its costs, and how certain the choice is.
 *
 * The row with the best mean of the primary metric on validation is chosen, because the test split is no place to
 * choose on; its score on test is then reported.  A time decides only where its 95 % interval lies on one side of the
 * limit. */
#ifndef PB_RECOMMEND_H
#define PB_RECOMMEND_H

#include "report/report.h"

enum { PB_LIMITS = 8, PB_RECOMMEND_RESAMPLES = 2000 };

/* A limit on a cost: a key of docs/metrics.md, such as memory.train.total, and the most that is allowed. */
typedef struct pb_limit {
    const char *key;
    const char *instead; /* the key of rows that lack the first one; NULL: none */
    double most;
} pb_limit;

typedef enum pb_fit {
    PB_FIT_YES,
    PB_FIT_NO,
    PB_FIT_UNRESOLVED, /* the interval of a time contains the limit */
    PB_FIT_UNKNOWN,    /* a cost was not measured, or the row was not scored on test */
} pb_fit;

typedef struct pb_recommendation {
    const pb_report *report; /* belongs to the caller */
    pb_limit limit[PB_LIMITS];
    int limits;
    pb_interval *cost; /* [rows, limits] */
    pb_fit *fit;       /* [rows]         */
    double *share;     /* [rows] share of the bootstrap samples of validation in which the row is the best of those that
                        * fit; NaN for others, or if no predictions are stored */
    pb_interval
        *difference; /* [rows] on test, less the chosen row; NaN for the chosen one and for rows that do not fit */
    int best;        /* index of the chosen row; -1: no row fits */
    int resamples, seeds, examples; /* of the bootstrap; no examples: there was none */
} pb_recommendation;

/* Chooses among the rows of a report.  The caller frees the result with pb_recommendation_free.  Returns -1 with an
 * error, and nothing to free, if no run has a value of a limit, or if stored predictions cannot be read. */
int pb_recommend(pb_recommendation *out, const pb_report *r, const pb_limit *limit, int limits, uint64_t draws);
void pb_recommendation_free(pb_recommendation *v);

/* Prints the recommendation in words, then every row with its costs and whether it fits. */
void pb_recommendation_print(const pb_recommendation *v, FILE *out);

/* Prints one JSON object for each row, one on a line. */
void pb_recommendation_json(const pb_recommendation *v, FILE *out);

/* Adds how sure the choice is: in which share of samples the chosen row is the best, which rows are as good on
 * validation, and which rows the test split does not tell apart from it.  Each sentence ends with `end`.  There must be
 * a chosen row. */
void pb_recommendation_certainty(const pb_recommendation *v, const char *end, pb_text *out);

#endif
