/* config: an experiment file and what it expands to.  Floor 6; config.c is the only includer
 * of ini.h. */
#ifndef PB_CONFIG_H
#define PB_CONFIG_H

#include "model/model.h"
#include "train/task.h"
#include "train/train.h"

/* One method of a composition with its settings, filled from [method NAME] or, for a variant,
 * [method NAME:VARIANT]. */
typedef struct pb_part {
    const pb_method *method;
    void *conf;
} pb_part;

/* One row of the final table: "lora", "lora:all", "lora+prefix". */
typedef struct pb_row {
    const char *label;      /* as in the `methods` list                                     */
    pb_part *part;
    int parts;
} pb_row;

/* One training run: a row with one choice from every sweep, and a seed.  Settings are typed
 * in the structs and also listed as texts, defaults included, for the hash and the database. */
typedef struct pb_cell {
    const char *row;        /* the row's label                                              */
    const char *choice;     /* "lr=0.0003 method.lora.rank=8": what the sweeps chose, "" if none */
    const char *model_path;
    pb_part *part;
    int parts;
    pb_train_options train;
    uint64_t seed;
    const char *settings;   /* "key=value\n" lines, sorted; no seed                          */
    pb_digest hash;         /* of settings, seed, data, model and code version               */
} pb_cell;

typedef struct pb_experiment {
    const char *name;       /* the file's name without folder and .ini                      */
    const char *path;
    const char *title;      /* [experiment] title, for the figures                           */
    const char *task_name;
    const pb_task *task;    /* its kind */
    void *task_conf;
    const char *model_path;
    const char *baseline;   /* label of the row that others are compared with                */
    int jobs;
    int timing_rounds;
    pb_row *row;
    int rows;
    uint64_t *seed;
    int seeds;
    pb_cell *cell;
    int cells;
} pb_experiment;

/* Reads FILE, applies `sets` ("section.key=value" or "key=value" for [train]; NULL-ended),
 * reads tasks/NAME.ini, checks every key and value and expands rows x sweeps x seeds.
 * NULL with "FILE:LINE: what, and what would be right".  pb_experiment_seal() must follow
 * before hashes are used. */
pb_experiment *pb_experiment_read(const char *path, const char *const *sets);
void pb_experiment_free(pb_experiment *e);

/* Computes every cell's hash from the loaded data's and the model's digests. */
void pb_experiment_seal(pb_experiment *e, const pb_digest *data, const pb_digest *model);

#endif
