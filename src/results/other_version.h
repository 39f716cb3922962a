/* other_version: stored runs that have the settings and the seed of a cell but not its hash, because the code, the
 * data, the model or the template have changed since. */
#ifndef PB_OTHER_VERSION_H
#define PB_OTHER_VERSION_H

#include "experiment/experiment.h"
#include "results/store.h"

/* The newest such run of a cell.  A run that differs in its code alone has precedence over newer ones. */
typedef struct pb_other_run {
    long long run; /* 0 if there is none */
    pb_digest hash;
    bool code_only; /* data, model, template and metrics are recorded and are the cell's */
    char *why;      /* what has changed, as far as it is recorded: "methods/lora.c changed" */
} pb_other_run;

/* Finds the other run of each cell that has no finished run, among the finished runs of the task: experiments share
 * runs, but those of the experiment's name have precedence.  `cell` [e->cells] are the states of the cells.  Returns
 * [e->cells] runs, which the caller frees with pb_other_runs_free, or NULL with an error. */
pb_other_run *pb_other_runs_find(pb_store *s, const pb_experiment *e, const pb_cell_state *cell);

/* Frees the runs of n cells.  NULL is allowed. */
void pb_other_runs_free(pb_other_run *x, int n);

#endif
