/* run: an experiment's cells, in child processes.  Floor 6. */
#ifndef PB_RUN_H
#define PB_RUN_H

#include "study/cell.h"
#include "study/config.h"
#include "study/store.h"

typedef struct pb_run_options {
    int jobs;    /* cells side by side, threads divided; 0: as the file says */
    int threads; /* in all; 0 = one per core                                 */
    bool quiet;
    bool timing; /* the timing pass at the end                               */
    bool retry;  /* time again what could not be timed before                */
} pb_run_options;

/* Opens data and model once, to check them and to know every cell's hash.  -1 with an error. */
int pb_bench_open(pb_bench *b, pb_experiment *e, const char *db);
void pb_bench_close(pb_bench *b);

/* Trains what is missing, chooses by validation, scores the chosen on test, times them.
 * 0 done; 1 some cell failed; -1 with an error. */
int pb_run_experiment(pb_experiment *e, const char *db, const pb_run_options *o);

/* Mean of the primary metric on validation over the seeds of one choice of a row; the more the better: losses are
 * negated.  Diverged seeds count as the worst, -INFINITY, missing ones are left out.  NaN: nothing finished. */
double pb_run_validation(pb_store *s, const pb_experiment *e, const pb_row *row, const char *choice);

/* Is the cell one of its row's choice: of all settings tried, the one with the best mean of the
 * primary metric on validation over the finished seeds? */
bool pb_run_chosen(pb_store *s, const pb_experiment *e, const pb_cell *c);

#endif
