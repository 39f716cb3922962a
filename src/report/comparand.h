/* comparand: one side of a comparison: the runs of a row, its settings chosen, as a database has them. */
#ifndef PB_COMPARAND_H
#define PB_COMPARAND_H

#include "report/scores.h"

/* What a run must have in common with another to be compared. */
typedef struct pb_common {
    char *data, *model, *metrics, *budget; /* see table provenance */
} pb_common;

typedef struct pb_comparand {
    pb_store *store;
    char *db, *experiment, *row, *choice;
    pb_choice found;     /* which choice it is; id 0: a run by itself */
    const pb_task *task; /* of its runs                      */
    pb_common common;
    int seeds;
    long long *run;    /* [seeds]                          */
    uint64_t *seed;    /* [seeds], rising                  */
    pb_values *values; /* [seeds] of the runs           */
} pb_comparand;

/* `spec` is [DATABASE.db:][EXPERIMENT/]ROW, or a run's number or the beginning of its hash; `db` where it names none.
 * Of a row: the seeds of its newest choice that was scored on test, of a complete sweep if there is any.  -1 with an
 * error, and nothing open: no such runs, several experiments that have the row, runs of a program that did not keep
 * what is compared. */
int pb_comparand_open(pb_comparand *s, const char *spec, const char *db);
/* -1 with an error: something could not be read, even if nobody looked at it. */
int pb_comparand_close(pb_comparand *s);

/* A line that says which choice of which sweep it is. */
void pb_comparand_print(const pb_comparand *s, FILE *out);

/* -1 with an error that names what differs between two sides, if they may not be compared. */
int pb_comparand_comparable(const pb_comparand *a, const pb_comparand *b);

/* The primary metric on test of the n seeds given (indices).  -1 with an error. */
int pb_comparand_scores(const pb_comparand *s, const int *seed, int n, pb_scores *out);

/* What each process of the timing pass measured, of the first seed that was timed: *x [n], the caller's; n, 0 if none
 * was, -1 with an error. */
int pb_comparand_times(const pb_comparand *s, const char *key, double **x);

/* A value of the whole run of a seed (its index); NaN if there is none. */
double pb_comparand_value(const pb_comparand *s, int seed, const char *key);

#endif
