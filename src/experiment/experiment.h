/* experiment: an experiment file and what it expands to. */
#ifndef PB_EXPERIMENT_H
#define PB_EXPERIMENT_H

#include "base/arena.h"
#include "model/decode.h"
#include "experiment/ini_file.h"
#include "train/task.h"
#include "train/train.h"

/* One row of the final table: "lora", "lora:all", "lora+prefix". */
typedef struct pb_row {
    const char *label;          /* as in the `methods` list                                     */
    const pb_method *method[8]; /* the composition, outermost first                         */
    const char *variant[8];     /* NULL: none                                                   */
    int parts;
    int choices; /* settings tried: the product of the row's sweeps              */
} pb_row;

/* One training run: a row with one choice from every sweep, and a seed.  Settings are typed
 * in the structs and also listed as texts, defaults included, for the hash and the database. */
typedef struct pb_cell {
    const pb_row *row;
    const char *choice;  /* "lr=0.0003 lora.rank=8": what the sweeps chose, "" if none   */
    pb_attached part[8]; /* [row->parts] methods with their settings                     */
    pb_train_options train;
    pb_base_options base; /* how the frozen base is held */
    pb_decoding decoding; /* how answers are generated, if they are texts */
    uint64_t seed;
    const char *settings; /* "key=value\n" lines, sorted; no seed                          */
    pb_digest template;   /* of what puts texts to a decoder; "" where nothing does         */
    pb_digest hash;       /* of settings, seed, data, model and code; by pb_experiment_seal */
} pb_cell;

/* [tune]: how the lists and ranges of a row's settings become trials. */
typedef struct pb_tune_options {
    int trials; /* of each row that has any, drawn at random; 0: every combination of the lists */
    int seed;   /* of the draws                                                                 */
} pb_tune_options;
extern const pb_option pb_tune_table[];

typedef struct pb_experiment {
    const char *name; /* the file's name without folder and .ini                      */
    const char *path;
    const char *title;     /* for the figures                                              */
    const char *task_name; /* the named task                                               */
    const pb_task *task;   /* its kind                                                     */
    void *task_conf;
    const char *model_path;
    const char *baseline;            /* label of the row that others are compared with               */
    const char *methods, *seed_list; /* as written                                          */
    const char *plugins;             /* files of methods that are not built in, as written  */
    int jobs;
    int cell_seconds; /* limit of one process of a cell; 0: none                          */
    int timing_rounds, timing_processes;
    pb_tune_options tune;
    const char *class_names; /* of the data, as a JSON list; known once sealed            */
    pb_digest data, model;   /* known once sealed                                         */
    const char *axis;        /* setting of a method that the figure `axis` is drawn against; "": none  */
    const char *serving;     /* numbers of adapters to serve at once in the timing pass; "": none      */
    pb_row *row;
    int rows;
    uint64_t *seed;
    int seeds;
    pb_cell *cell; /* row by row, choice by choice, seed by seed                   */
    int cells;
    pb_arena *arena;        /* owns all of the above but the texts of settings              */
    struct pb_owned *owned; /* structs whose texts are to be freed                          */
} pb_experiment;

/* Reads FILE, applies `sets` (ini_file.h: pb_ini_set; NULL-ended, may be NULL), reads
 * tasks/NAME.ini, checks every key and value and expands rows x sweeps x seeds.
 * NULL with "FILE:LINE: what, and what would be right".  pb_experiment_seal() must follow
 * before hashes are used. */
pb_experiment *pb_experiment_read(const char *path, const char *const *sets);

/* The same from entries, which stay the caller's; the experiment is called as they are. */
pb_experiment *pb_experiment_make(pb_ini *ini, const char *const *sets);
void pb_experiment_free(pb_experiment *e);

/* How the cell's methods put texts to a decoder; NULL: they do not. */
const pb_prompting *pb_cell_prompting(const pb_cell *c);

/* The row called so, NULL if there is none. */
const pb_row *pb_experiment_row(const pb_experiment *e, const char *label);

/* Loads and checks the task's data.  NULL with an error. */
pb_data *pb_experiment_data(const pb_experiment *e);

/* Takes the names of the classes, computes every cell's hash from the digests of data, template and model. */
void pb_experiment_seal(pb_experiment *e, const pb_data *data, const pb_digest *model);

#endif
