/* run: an experiment's cells, in child processes. */
#ifndef PB_RUN_H
#define PB_RUN_H

#include "driver/cell.h"
#include "experiment/experiment.h"
#include "results/selection.h"

typedef struct pb_run_options {
    int jobs;    /* cells side by side, threads divided; 0: as the file says */
    int threads; /* in all; 0 = one per core                                 */
    bool quiet;
    bool timing;  /* the timing pass at the end                               */
    bool retry;   /* time again what could not be timed before                */
    bool partial; /* choose among the runs that are finished                  */
} pb_run_options;

/* Opens data and model once, to check them and to know every cell's hash.  -1 with an error. */
int pb_bench_open(pb_bench *b, pb_experiment *e, const char *db);
void pb_bench_close(pb_bench *b);

/* Trains what is missing, chooses by validation, scores the chosen on test, times them.  Drivers on one database share
 * the work.  0 done; 1 some cell failed, or a row has no choice as runs are missing; -1 with an error. */
int pb_run_experiment(pb_experiment *e, const char *db, const pb_run_options *o);

#endif
