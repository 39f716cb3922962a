/* run: an experiment's cells, in child processes.  Floor 6. */
#ifndef PB_RUN_H
#define PB_RUN_H

#include "study/config.h"
#include "study/store.h"

typedef struct pb_run_options {
    int jobs;        /* cells side by side, threads divided            */
    int threads;     /* in all; 0 = one per core                       */
    bool quiet;
    bool timing;     /* the timing pass at the end                     */
} pb_run_options;

/* Trains what is missing, chooses by validation, scores the chosen on test, times them.
 * 0 done; 1 some cell failed; -1 with an error. */
int pb_run_experiment(pb_experiment *e, const char *db, const pb_run_options *o);

/* Among the finished runs of a row: the choice (sweep setting) with the best mean validation
 * primary metric over seeds.  NULL if nothing finished. */
const char *pb_run_choice(pb_store *s, const pb_experiment *e, const char *row);

#endif
