/* cell: trains, scores and times one cell; each step is called in a process that does nothing else. */
#ifndef PB_CELL_H
#define PB_CELL_H

#include "experiment/experiment.h"
#include "train/train.h"

/* What all cells of an experiment share. */
typedef struct pb_bench {
    const pb_experiment *experiment;
    pb_data *data;
    const char *db;
    char *home;      /* the working directory, which a method may change; NULL if it is unknown */
    char *artifacts; /* the folder of the trained parameters                                    */
    int threads;     /* of one child process                                                    */
    int process;     /* number of the process in the timing pass, from 0                        */
    bool retry;      /* whether timings that failed before are tried again                      */
} pb_bench;

/* Goes back to the working directory that paths are relative to, and to numbers with a decimal point.  It must be
 * called after hooks of methods that are not built in have run. */
void pb_bench_home(const pb_bench *b);

/* Opens the model of a cell for this data, with the first `parts` of its methods attached; parts 0 opens the base
 * model.  shapes_only is that of pb_model_open.  Returns NULL with an error.  The caller frees the model with
 * pb_model_free. */
pb_model *pb_cell_open(const pb_experiment *e, const pb_cell *c, const pb_data *d, int parts, bool shapes_only);

/* Encodes the data as that model reads them.  Returns NULL with an error.  The caller frees it with pb_encoded_free. */
pb_encoded *pb_cell_encode(const pb_cell *c, const pb_data *d, const pb_model *m, int parts);

/* Trains a cell, writes its artifact and stores its run.  `progress` is called after each step.  Returns -1 with an
 * error. */
int pb_cell_train(const pb_bench *b, const pb_cell *c, const pb_progress *progress);

/* Scores the trained cell on the test split and appends the scores to run `id`.  Returns -1 with an error. */
int pb_cell_test(const pb_bench *b, const pb_cell *c, long long id);

/* Measures what the trained cell has kept of its base on the text of [retention], and how it moved the weights, and
 * appends the values to run `id`.  Returns -1 with an error. */
int pb_cell_retain(const pb_bench *b, const pb_cell *c, long long id);

/* Times the trained cell and its base model in alternation, as process b->process of the timing pass, and appends the
 * times to run `id`.  Returns -1 with an error. */
int pb_cell_time(const pb_bench *b, const pb_cell *c, long long id);

#endif
