/* run: runs the cells of an experiment in child processes. */
#ifndef PB_RUN_H
#define PB_RUN_H

#include "driver/cell.h"
#include "experiment/experiment.h"
#include "results/selection.h"

typedef struct pb_run_options {
    int jobs;     /* cells that run side by side and share the threads; 0: as the file says */
    int threads;  /* of all cells together; 0: one for each core                            */
    bool quiet;   /* no progress                                                            */
    bool timing;  /* whether the timing pass runs                                           */
    bool retry;   /* whether timings and measurements of retention that failed before are tried again */
    bool partial; /* choose among the finished runs even if some are missing                */
} pb_run_options;

/* Opens data and model once, checks them, and computes every cell's hash (pb_experiment_seal).  Returns -1 with an
 * error, and nothing is open then.  The caller closes it with pb_bench_close. */
int pb_bench_open(pb_bench *b, pb_experiment *e, const char *db);

/* Frees what pb_bench_open opened.  The experiment remains the caller's. */
void pb_bench_close(pb_bench *b);

/* Trains the cells that the database does not have, chooses each row's setting by validation, scores the chosen ones on
 * the test split, measures their retention if the file has [retention], and times them.  Several processes may run
 * experiments on one database: each cell is done once.  Returns 0 when all is done; 1 if a cell failed, a row has no
 * choice because runs are missing, or no row has a result; -1 with an error. */
int pb_run_experiment(pb_experiment *e, const char *db, const pb_run_options *o);

#endif
