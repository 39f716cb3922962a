/* experiment: an experiment and the runs that it consists of.  experiment_reader.h and restore.h make one. */
#ifndef PB_EXPERIMENT_H
#define PB_EXPERIMENT_H

#include "base/arena.h"
#include "model/decode.h"
#include "model/method_spec.h"
#include "experiment/settings.h"
#include "train/retention.h"
#include "train/task.h"
#include "train/train.h"

/* The groups of settings of a row: training, the base model, decoding, and each of its methods. */
enum { PB_GROUP_TRAIN, PB_GROUP_MODEL, PB_GROUP_DECODE, PB_GROUP_METHODS, PB_GROUPS = PB_GROUP_METHODS + PB_MAX_PARTS };

/* A row of the final table. */
typedef struct pb_row {
    const char *label; /* as in the list of methods: "lora", "lora:all", "lora:rank=4+prefix"    */
    pb_method_spec spec;
    const char *location;         /* of the label in the file, for messages                              */
    const char *group[PB_GROUPS]; /* "train", "model", "decode", "method.lora", ..; NULL: does not apply */
    int choices;                  /* settings that are tried: the combinations of its lists, or trials   */
    const char **given;           /* [givens] canonical keys of the settings that the file sets for the row */
    const char **given_at;        /* [givens] where they are given, for messages                         */
    int givens;
    pb_digest sweep; /* of a row of stored runs, whose other cells are not known (pb_selection); else "" */
    bool other_code; /* of stored runs: another version of the code made them than those of the newest row */
} pb_row;

/* One training run: a row with one value of every tuned setting, and a seed.  The settings are typed in the structs,
 * and listed as texts, defaults included, for the hash and the database. */
typedef struct pb_cell {
    const pb_row *row;
    const char *choice;             /* the tuned settings by their short keys, "lr=0.0003 lora.rank=8"; "" if none */
    pb_attached part[PB_MAX_PARTS]; /* [row->spec.parts] methods with their settings                 */
    pb_train_options train;
    pb_base_options base;        /* how the frozen base model is stored                       */
    const pb_decoding *decoding; /* how answers are generated, if the answers are texts       */
    uint64_t seed;
    const pb_settings *settings; /* all of them, sorted, and row, task and model; not the seed */
    pb_digest template;          /* of the prompt template; "" if there is none               */
    pb_digest hash;              /* of settings, seed, inputs and code; by pb_experiment_seal */
} pb_cell;

/* [tune]: how the lists and ranges of a row's settings become trials. */
typedef struct pb_tune_options {
    int trials; /* number drawn for each row with tuned settings; 0: every combination of the lists */
    int seed;   /* of the draws                                                                  */
    int seeds;  /* with which every setting is tried, the first of the experiment's; 0: all      */
} pb_tune_options;
extern const pb_option pb_tune_table[];

typedef struct pb_experiment {
    const char *name;              /* the file's name without folder and .ini; of one of several tasks FILE@TASK */
    bool of_several;               /* The file has several tasks, of which this is one. */
    const char *path;              /* of the file, for messages               */
    const char *title;             /* of the figures   */
    const char *task_name;         /* the named task   */
    const pb_task *task;           /* its kind         */
    void *task_conf;               /* its settings     */
    void *task_found;              /* the same, with the paths at which files were found beside the INI files */
    const pb_metric_info *primary; /* metric that selects epochs and settings and that reports compare */
    pb_setting_place *task_place;  /* where its settings are given, for messages                       */
    bool has_own_task;     /* the task is not that of tasks/NAME.ini, so that its kind is one of the stored settings */
    const char *folder[2]; /* of its file and of the task's, see pb_data; NULL: not known */
    const char *model_path;
    const char *baseline;            /* label of the row that others are compared with       */
    const char *methods, *seed_list; /* as written                                           */
    const char *plugins;             /* files of methods that are not built in, as written   */
    int jobs;                        /* cells that run in parallel                           */
    int cell_seconds;                /* time limit of each process of a cell; 0: none        */
    int timing_rounds, timing_processes;
    pb_tune_options tune;
    const char *class_names;                  /* of the data, as a JSON list; known once sealed                     */
    pb_digest data, model, config, tokenizer; /* known once sealed; those of the model's files: see model.h */
    const char *axis;                         /* METHOD.SETTING that the figure `sweep` is drawn against; "": none   */
    const char *budget;        /* elements that each row trains, such as "100k"; "": as the methods' settings say */
    const char *serving;       /* numbers of adapters to serve at once in the timing pass, as written */
    int *served, serveds;      /* [serveds] these numbers                                             */
    const char *strength_list; /* as written */
    double *strength;          /* [strengths] of the trained change, at which score and retention are measured */
    int strengths;             /* 0: none */
    pb_retention_options retention;    /* [retention] */
    pb_retention_text *retention_text; /* NULL: the file has no [retention] */
    pb_row *row;                       /* [rows] */
    int rows;
    uint64_t *seed; /* [seeds] */
    int seeds;
    pb_cell *cell; /* [cells] by row, then choice, then seed */
    int cells;
    pb_arena *arena;        /* owns all of the above that has no owner in `owned` */
    struct pb_owned *owned; /* structs of settings whose texts must be freed      */
} pb_experiment;

/* The settings of [experiment], which are fields of pb_experiment. */
extern const pb_option pb_experiment_table[];

/* Frees an experiment; NULL is allowed. */
void pb_experiment_free(pb_experiment *e);

/* Returns how the cell's methods prompt a decoder, or NULL if they do not. */
const pb_prompting *pb_cell_prompting(const pb_cell *c);

/* Returns true if `choice`, a stored choice, names the cell's tuned settings.  Values are compared as numbers: lr=1e-3
 * is lr=0.001. */
bool pb_cell_is_choice(const pb_cell *c, const char *choice);

/* Returns the row with this label, or NULL.  Blanks around the separators of the label are ignored. */
const pb_row *pb_experiment_row(const pb_experiment *e, const char *label);

/* Sets the error that no row has this label, after `where`, the setting or option that names it.  Returns -1. */
int pb_experiment_refuse_row(const pb_experiment *e, const char *where, const char *label);

/* Returns with how many seeds, the first of the experiment's, every setting of the row is tried.  The other seeds are
 * trained with the chosen setting alone.  A row with one setting has nothing to choose, and tries it with all. */
int pb_experiment_trial_seeds(const pb_experiment *e, const pb_row *row);

/* Returns the number of bytes of the longest label of a row, but at least `least`: the width of a column of labels. */
int pb_experiment_label_width(const pb_experiment *e, int least);

/* Returns the path at which a file of the task was found beside an INI file, given the key of its setting, such as
 * task.train; NULL if it was not, or if it is no setting of a file.  The path does not belong to the identity of a run.
 * The caller frees it. */
char *pb_experiment_file(const pb_experiment *e, const char *key);

/* Returns whether a stored value is that of a setting of the cell.  A file of the task may be stored by the path at
 * which it was found, as earlier versions did. */
bool pb_cell_has_setting(const pb_experiment *e, const pb_cell *c, const char *key, const char *value);

/* Returns the task's data before they are loaded.  The experiment must outlive them; the caller frees them with
 * pb_data_free. */
pb_data *pb_experiment_new_data(const pb_experiment *e);

/* Loads and checks the task's data.  Returns NULL with an error if they cannot be read or are invalid (pb_data_check).
 * The caller frees them with pb_data_free. */
pb_data *pb_experiment_data(const pb_experiment *e);

/* A file, or several, that the results of a cell depend on: what is stored with its runs and belongs to their hash. */
typedef struct pb_cell_input {
    const char *key, *what; /* its name in the provenance of a run, and in messages: "the tokenizer" */
    const pb_digest *is;    /* "" if the cell has none                                                */
} pb_cell_input;
enum { PB_CELL_INPUTS = 5 };

/* Writes the inputs of a cell to out[PB_CELL_INPUTS]: the data, the model's weights, its config and its tokenizer, and
 * the prompt template, with a chat template in a file or of the model.  Known once the experiment is sealed. */
void pb_cell_inputs(const pb_experiment *e, const pb_cell *c, pb_cell_input *out);

/* Takes the names of the classes from the data and computes every cell's hash from its settings and the digests of
 * its inputs and of the code: that of the engine, of the task's kind and of the methods of the cell's row.  Hashes may
 * be used from then on. */
void pb_experiment_seal(pb_experiment *e, const pb_data *data, const pb_model *model);

#endif
