/* cell: what is done for one cell, in a process of its own. */
#ifndef PB_CELL_H
#define PB_CELL_H

#include "experiment/experiment.h"
#include "train/train.h"

/* Everything that stays the same for the cells of an experiment. */
typedef struct pb_bench {
    const pb_experiment *experiment;
    pb_data *data;
    const char *db;
    char *home;      /* the working folder, which a method may leave; NULL: unknown */
    char *artifacts; /* folder of the trained parameters           */
    int threads;     /* of one child                               */
    int process;     /* of the timing pass, from 0                 */
    bool retry;      /* time again what could not be timed         */
} pb_bench;

/* To be called where hooks of methods that are not ours have run: back to the folder that the paths are relative to,
 * and to numbers with a decimal point. */
void pb_bench_home(const pb_bench *b);

/* The cell's model with its methods attached, for this data; parts 0: the base alone.  shapes_only as pb_model_open.
 * NULL with an error. */
pb_model *pb_cell_open(const pb_experiment *e, const pb_cell *c, const pb_data *d, int parts, bool shapes_only);

/* The data as that model reads it, by a tokenizer that lives while the form is made.  NULL with an error. */
pb_encoded *pb_cell_encode(const pb_cell *c, const pb_data *d, const pb_model *m, const pb_tokenizer *t, int parts);

/* Trains, writes the artifact and stores the run. */
int pb_cell_train(const pb_bench *b, const pb_cell *c, const pb_progress *progress);

/* Scores the trained cell on the test split, and appends that to run `id`. */
int pb_cell_test(const pb_bench *b, const pb_cell *c, long long id);

/* Times the trained cell beside its base model in this process, the bench's `process`-th of the timing pass, and
 * appends that to run `id`. */
int pb_cell_time(const pb_bench *b, const pb_cell *c, long long id);

#endif
