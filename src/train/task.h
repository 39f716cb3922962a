/* task: the contract of a task, and the data it loads.  What a task's author reads.
 *
 * A kind of task is one const struct in one file of tasks/ (tasks/classify.c); a named task is
 * a short INI over it (tasks/sentiment.ini), so a new data set needs no code.
 */
#ifndef PB_TASK_H
#define PB_TASK_H

#include "base/base.h"
#include "base/option.h"

typedef enum pb_split { PB_TRAIN, PB_VALIDATION, PB_TEST, PB_SPLITS } pb_split;
extern const char *const pb_split_name[PB_SPLITS]; /* "train", "validation", "test" */

typedef struct pb_example {
    const char *text; /* what is given, UTF-8                                    */
    int label;        /* class number; -1: the answer is a text                  */
    char **answer;    /* [answers] texts that would be right                     */
    int answers;
    int line; /* where it stands in its file                             */
} pb_example;

typedef struct pb_data {
    const char *name;  /* the named task                              */
    int classes;       /* 0: answers are texts                        */
    char **class_name; /* [classes]                                   */
    size_t class_capacity;
    struct {
        pb_example *example;
        int count, capacity;
    } split[PB_SPLITS];
    char *template;   /* how an example is written out for a decoder (train/template.h); NULL: the usual way */
    char *forms;      /* of slots' values that references put into other words (metric_slots); NULL: none    */
    pb_digest digest; /* of all splits' texts and answers              */
} pb_data;

/* What a model said of one example. */
typedef struct pb_prediction {
    pb_split split;
    int example; /* index in the split                                  */
    int label, predicted;
    float probability; /* of the predicted class                              */
    char *text;        /* the answer, where answers are texts; else NULL      */
} pb_prediction;

struct pb_result;
typedef struct pb_table pb_table;

typedef struct pb_metric_info {
    const char *name; /* "accuracy", "macro_f1", "mcc"                */
    bool higher_is_better;
    double (*chance)(const pb_data *d); /* what guessing gets                       */
    double least, most;                 /* its values lie between; both 0: anywhere */
} pb_metric_info;

typedef struct pb_task {
    const char *name; /* equals the file's name                       */
    const char *help;
    bool texts;               /* answers are texts, not classes              */
    const pb_option *options; /* the keys of a named task's INI               */
    size_t conf_size;
    /* Fills name-independent parts of `d` (pb_data_add, pb_labels_class); `find` in task.c
     * looks for files in data/ and $PEFTBENCH_DATA.  -1 with FILE:LINE: message. */
    int (*load)(pb_data *d, const void *conf);
    int version;                   /* of what `score` computes: another one may not be compared     */
    const pb_metric_info *metrics; /* the first is primary; name NULL ends         */
    /* values[i] = metrics[i] over what was said of all examples of a split, in their order.  `keep` not NULL:
     * also puts what a resampling over examples needs besides the predictions (pb_result_statistic). */
    void (*score)(const pb_data *d, pb_split split, const pb_prediction *said, double *values, struct pb_result *keep);
} pb_task;

/* Where a kind of task's examples come from: its settings begin with these, its options with PB_FILES_OPTIONS. */
typedef struct pb_files {
    const char *train, *validation, *test; /* validation and test may be drawn from train */
    const char *format, *columns, *template;
    double validation_share, test_share;
    int split_seed, train_limit, score_limit;
} pb_files;

#define PB_FILES_OPTIONS                                                                                               \
    PB_OPTION(pb_files, train, TEXT, "", "file of training examples"),                                                 \
        PB_OPTION(pb_files, validation, TEXT, "", "file of validation examples; empty: drawn from train"),             \
        PB_OPTION(pb_files, test, TEXT, "", "file of test examples; empty: drawn from train"),                         \
        PB_OPTION(pb_files, format, TEXT, "", "tsv, csv, jsonl, 'label text' or '||'; empty: by the file's ending"),   \
        PB_OPTION(pb_files, columns, TEXT, "", "names of the columns, if the file's first line does not give them"),   \
        PB_OPTION(pb_files, template, TEXT, "",                                                                        \
                  "file that says how an example is put to a decoder: {text}, {label}; empty: the usual"),             \
        PB_OPTION(pb_files, validation_share, REAL, "0.1", 0, 0.9, "of all examples, where validation is drawn"),      \
        PB_OPTION(pb_files, test_share, REAL, "0.2", 0, 0.9, "of all examples, where test is drawn"),                  \
        PB_OPTION(pb_files, split_seed, INT, "0", 0, 1e9, "of the drawing"),                                           \
        PB_OPTION(pb_files, train_limit, INT, "0", 0, 1e9, "examples kept of train, drawn by split_seed; 0: all"),     \
        PB_OPTION(pb_files, score_limit, INT, "0", 0, 1e9, "examples kept of validation and of test each; 0: all")

extern const pb_task *const pb_tasks[];
const pb_task *pb_task_find(const char *name);

pb_data *pb_data_new(const char *name);
void pb_data_free(pb_data *d);
int pb_data_class(pb_data *d, const char *name);     /* number of the class, added if new      */
int pb_data_add_class(pb_data *d, const char *name); /* the same of one that is known to be new */
void pb_data_add(pb_data *d, pb_split split, const char *text, int label, int line);
/* The same with an answer that is a text. */
void pb_data_add_answer(pb_data *d, pb_split split, const char *text, const char *answer, int line);
/* Makes examples of equal texts within a split one, with the answers of all, where the first stood. */
void pb_data_group(pb_data *d);

/* Reads the file of a template into d->template; "" : none.  -1 with FILE:LINE: message. */
int pb_data_template(pb_data *d, const char *file);

/* Forgets the examples of a split. */
void pb_data_clear(pb_data *d, pb_split split);

/* The path of a data file: as given if absolute, else in data/, else in $PEFTBENCH_DATA.
 * NULL with a message that names the places looked in.  Caller frees. */
char *pb_data_find(const char *file);

/* Draws validation and test out of train: seeded, stratified by label, equal texts stay
 * together.  Fractions of the whole. */
void pb_data_draw(pb_data *d, double validation, double test, uint64_t seed);

/* Keeps n examples of a split, drawn by the seed, in their order; all where n is 0 or there are no more. */
void pb_data_keep(pb_data *d, pb_split split, int n, uint64_t seed);

/* Reads the template and each file that is given, row by row through `take`, and draws the splits that have none;
 * pb_files_limit then keeps as many examples as the settings want.  -1 with an error. */
typedef int pb_files_take(pb_data *d, const void *conf, pb_split split, const pb_table *t);
int pb_files_load(pb_data *d, const pb_files *f, pb_files_take *take, const void *conf);
void pb_files_limit(pb_data *d, const pb_files *f);

/* Removes from train what is also in validation or test, and from validation what is in test: a
 * text stays in the last split that has it.  Returns how many examples went. */
int pb_data_drop_overlap(pb_data *d);

/* Checks that no text is in two splits, every split has examples, and fills the digest. */
int pb_data_check(pb_data *d);

#endif
