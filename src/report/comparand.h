/* comparand: one of the two things that are compared: the runs of a row's chosen setting, or a single run. */
#ifndef PB_COMPARAND_H
#define PB_COMPARAND_H

#include "report/scores.h"

/* What two runs must have in common to be comparable; see table provenance.  Earlier programs did not store config and
 * tokenizer, which are then NULL and compared with nothing. */
typedef struct pb_common {
    char *data, *model, *config, *tokenizer, *metrics, *budget;
    char *primary, *positive; /* settings of the task */
} pb_common;

typedef struct pb_comparand {
    pb_store *store;
    char *db, *experiment, *row, *choice;
    pb_choice found;     /* the choice; its id is 0 for a single run */
    const pb_task *task; /* the kind of task of the runs */
    const pb_metric_info *primary;
    pb_common common;
    int seeds;
    long long *run;    /* [seeds] */
    uint64_t *seed;    /* [seeds] in ascending order */
    pb_values *values; /* [seeds] values of the runs */
} pb_comparand;

/* Opens a comparand.  `spec` is [DATABASE.db:][EXPERIMENT/]ROW, the number of a run, or the beginning of its hash; `db`
 * is the database if `spec` names none.  For a row, the comparand is the newest choice that was scored on test; choices
 * of complete sweeps have precedence.  The caller closes it with pb_comparand_close.  Returns -1 with an error, and
 * nothing open, if there are no such runs, if several experiments have the row, or if the runs are of an older program
 * that did not store what is compared. */
int pb_comparand_open(pb_comparand *s, const char *spec, const char *db);

/* Opens the row of an experiment in a database, as pb_comparand_open does. */
int pb_comparand_open_row(pb_comparand *s, const char *db, const char *experiment, const char *row);

/* Closes a comparand.  Returns -1 with an error if any earlier read failed, even if the caller ignored it. */
int pb_comparand_close(pb_comparand *s);

/* Prints a line that names the choice and its sweep. */
void pb_comparand_print(const pb_comparand *s, FILE *out);

/* Returns 0 if the two are comparable, else -1 with an error that names the difference. */
int pb_comparand_comparable(const pb_comparand *a, const pb_comparand *b);

/* Reads the primary metric on test of n seeds, given by their indices.  The caller frees it with pb_scores_free.
 * Returns -1 with an error. */
int pb_comparand_scores(const pb_comparand *s, const int *seed, int n, pb_scores *out);

/* Reads what each process of the timing pass measured, for the first seed that was timed, into *x.  The caller frees
 * *x.  Returns the number of processes, 0 if no seed was timed, and -1 with an error. */
int pb_comparand_times(const pb_comparand *s, const char *key, double **x);

/* Returns the value of the whole run of a seed, given by its index; NaN if there is none. */
double pb_comparand_value(const pb_comparand *s, int seed, const char *key);

#endif
