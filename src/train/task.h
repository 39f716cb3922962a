/* task: the contract of a task, and the data that a task loads.
 *
 * A kind of task is one `const pb_task` in one file of tasks/, such as tasks/classify.c.  It says which settings it
 * has, how it reads its files, and how it scores predictions.  A named task is an INI file over it, such as
 * tasks/sentiment.ini, so that a new data set needs no code.  Everything else (tokenization, prompts, training,
 * generation and storage) is the engine's part. */
#ifndef PB_TASK_H
#define PB_TASK_H

#include "base/base.h"
#include "base/option.h"
#include "table/table.h"

typedef enum pb_split { PB_TRAIN, PB_VALIDATION, PB_TEST, PB_SPLITS } pb_split;
extern const char *const pb_split_name[PB_SPLITS]; /* "train", "validation", "test" */

/* What the answers of a task are, which decides what the network's outputs mean, how they are trained and scored. */
typedef enum pb_answer_kind {
    PB_ANSWER_CLASS,  /* a class: an output of the head for each, trained by cross-entropy                */
    PB_ANSWER_NUMBER, /* a number: one output of the head, trained by the mean squared error              */
    PB_ANSWER_TAGS,   /* a tag for each word: an output for each class of a token, trained by cross-entropy */
    PB_ANSWER_LABELS, /* a set of labels: an output of the head for each, trained by binary cross-entropy */
    PB_ANSWER_CHOICE, /* one of the choices of the example: a score for each, by an output of the head or by their
                         likelihood behind a prompt (train/encoded.h)                                       */
    PB_ANSWER_TEXT,   /* a text, which a decoder generates, trained by the cross-entropy of its tokens    */
} pb_answer_kind;

/* One example.  Its label is a class or one of its choices, it has a set of labels, its target is a number, or its
 * answers are texts. */
typedef struct pb_example {
    const char *text;   /* the input, UTF-8                                  */
    const char *second; /* the second text of a pair; NULL: not a pair       */
    int label;          /* number of the class, or of the right choice; -1 if the answers are texts or sets of labels, 0
                           if they are numbers */
    char **choice;      /* [choices] the texts between which a question lets choose, at most PB_MOST_CHOICES */
    int choices;
    int *labels; /* [label_count] the labels that the text has, ascending, if the answers are sets of labels */
    int label_count;
    double target; /* the number to predict, if the answers are numbers */
    char **answer; /* [answers] reference texts, each of them correct   */
    int answers;
    char **word; /* [words] of a sentence whose answer is a tag for each; the text has them with blanks between them */
    int *tag;    /* [words] the class of each; answer[0] has their names with blanks between them */
    int words;
    int line; /* line of the example in its file */
} pb_example;

enum { PB_MOST_CHOICES = 26 }; /* each has a letter */

/* The examples of a task.  It owns all texts. */
typedef struct pb_data {
    const char *name; /* of the named task                 */
    pb_answer_kind answer_kind;
    int classes; /* outputs of a head, for classes or labels; 0 for texts; 1, named after the column, for numbers; for
                    choices the letters of their places, of which there are as many as a question has choices at most */
    char **class_name; /* [classes]                         */
    size_t class_capacity;
    char *pair[2]; /* names of the columns of both texts; NULL: an example has one text */
    struct {
        pb_example *example; /* [count] */
        int count, capacity;
        int dropped;  /* examples that pb_data_drop_overlap has removed */
        int left_out; /* examples that pb_data_keep has removed         */
    } split[PB_SPLITS];
    char *template;   /* text of the template (train/template.h); NULL: the default template.  Of
                                             conversations: of the file with the chat template; NULL: no file */
    char *chat;       /* of conversations: the name of the chat template (model/chat.h); else NULL */
    char *date;       /* the day that it sees, see pb_chat_open                                */
    char *forms;      /* path of the file with other forms of slot values (metric.h); NULL: none */
    char *answer;     /* pattern of the answers in texts (metric.h); NULL: none                */
    pb_digest digest; /* of the texts and answers of all splits                                */
    /* [classes] weights of the classes in the loss; NULL: all 1 */
    double *class_weight;
    bool may_drop;                        /* the kind of task has the setting `overlap`                          */
    bool balanced;                        /* They follow from the training examples (pb_data_weigh).             */
    double label_smoothing;               /* 0: none; the share of a target that is spread over all classes      */
    int positive;                         /* the class that the metric f1 is about; -1: none                       */
    int primary;                          /* index of the primary metric among those of the task                   */
    const struct pb_setting_place *place; /* where the task's settings are given; NULL: not known */
    const char *folder[2]; /* of the experiment's file and of the task's, with a slash: files are looked for there */
} pb_data;

/* Where a setting of a task is given. */
typedef struct pb_setting_place {
    const char *name;     /* of the setting; NULL ends a list */
    const char *location; /* "tasks/toy.ini:4"                */
} pb_setting_place;

/* What a model predicts for one example. */
typedef struct pb_prediction {
    pb_split split;
    int example;       /* index in the split                                        */
    int label;         /* the true class; -1 if the answers are texts or sets of labels */
    int predicted;     /* the predicted class, or the choice with the highest score */
    float probability; /* of the predicted class, or of the choice among all        */
    double *score;     /* [scores] of the choices; NULL if the answers are none     */
    int scores;
    bool likelihoods; /* The scores are log-likelihoods of the choices, in nats. */
    char *text;       /* the generated answer, the predicted tags with blanks between them, or the predicted labels as a
                          JSON list; NULL otherwise */
    double *label_set; /* [2, classes] 1 for each label that the text has, 0 for the others; the probability of each;
                          NULL if the answer is no set of labels */
    bool number;       /* The answer is a number: */
    double target;     /* the true one            */
    double value;      /* the predicted one       */
} pb_prediction;

/* Frees the texts and lists of a prediction. */
void pb_prediction_free(pb_prediction *p);

struct pb_result;

/* What the statistics of a metric depend on besides the predictions. */
typedef struct pb_scoring {
    int classes;  /* of classes or labels; 0: the answers are neither */
    int positive; /* as in pb_data                     */
} pb_scoring;

/* One of the metrics of a task.  A metric of classes or numbers is a function of sums over the examples, so that
 * examples can be resampled: `gather` turns predictions into a few numbers each, and `value` turns their sums into the
 * metric. */
typedef struct pb_metric_info {
    const char *name; /* "accuracy" */
    bool higher_is_better;
    double (*chance)(const pb_data *d); /* Returns the value of guessing on the test split.      */
    double least, most;                 /* the range of the values; both 0: not limited          */

    /* Returns the number of statistics of an example.  NULL, as `value` is, if the task has `score` and its metrics are
     * those of texts (metric.h). */
    int (*stats)(const pb_scoring *s);

    /* Fills x [n, stats] with the statistics of n predictions: all those of a split.  NULL if the task has `score`,
     * which then keeps the statistics under the metric's name. */
    void (*gather)(const pb_scoring *s, int n, const pb_prediction *p, double *x);

    /* Returns the metric, given the sums [stats] over `count` examples; NaN if the task's settings do not ask for it.
     * NULL: the mean of the only statistic. */
    double (*value)(const pb_scoring *s, const double *sums, double count);

    /* Returns whether the settings of the data's task ask for the metric; it is not stored otherwise.  NULL: always. */
    bool (*asked)(const pb_data *d);

    /* The metric is one of likelihoods: rows whose head scores the choices do not have it. */
    bool of_likelihoods;
} pb_metric_info;

/* A kind of task. */
typedef struct pb_task {
    const char *name; /* the name of its file without .c */
    const char *help; /* one line */
    pb_answer_kind answer_kind;
    const pb_option *options; /* the settings of its named tasks, ended by a row without a name */
    size_t conf_size;         /* bytes of the struct that holds these settings                  */

    /* Reads the examples into `d`, usually with pb_files_load.  `conf` holds the settings.  Returns -1 with an error,
     * "FILE:LINE: what is wrong; want what would be right", if a file cannot be used.  The engine then checks the data
     * with pb_data_check. */
    int (*load)(pb_data *d, const void *conf);

    /* To be increased when the metrics have other values for the same predictions: values of different versions are
     * not compared. */
    int version;

    /* The metrics, ended by a row without a name.  The first is primary, unless a setting `metric` names another one:
     * it selects epochs and settings. */
    const pb_metric_info *metrics;

    /* Sets values[i] to metrics[i] over the predictions of all examples of a split, which stand in the order of the
     * examples.  If `keep` is not NULL, also puts there what resampling the examples needs besides the predictions
     * (pb_result_statistic).  NULL: the metrics are functions of sums. */
    void (*score)(const pb_data *d, pb_split split, const pb_prediction *prediction, double *values,
                  struct pb_result *keep);
} pb_task;

/* The kinds of tasks, generated from the folder tasks/ and ended by NULL. */
extern const pb_task *const pb_tasks[];
/* The SHA-256, in hexadecimal digits, of the tokens of each one's source, without comments and layout; generated as
 * well. */
extern const char *const pb_task_digests[];
/* Returns the kind of that name, or NULL if there is none. */
const pb_task *pb_task_find(const char *name);
/* Returns the digest of the code of a kind of the list. */
const char *pb_task_digest(const pb_task *t);

/* ---- metrics ---------------------------------------------------------------------------------------------------- */

/* Returns the metric of a task with this name, the first if the name is empty, or NULL with an error that lists all. */
const pb_metric_info *pb_task_metric(const pb_task *t, const char *name);

/* Returns the metric that the task's setting `metric` in `conf` names; the first if it is empty or there is no such
 * setting.  Returns NULL with an error if there is no such metric. */
const pb_metric_info *pb_task_primary(const pb_task *t, const void *conf);

/* Returns the primary metric of the data's task. */
const pb_metric_info *pb_data_primary(const pb_data *d, const pb_task *t);

/* Returns a metric that is a function of sums, over n predictions: all those of a split.  0 if n is 0. */
double pb_metric_of(const pb_metric_info *m, const pb_scoring *s, int n, const pb_prediction *p);

/* The chance of a metric whose value is 0 for guesses. */
double pb_chance_zero(const pb_data *d);

/* ---- building the data ------------------------------------------------------------------------------------------ */

/* Returns empty data.  The caller frees it with pb_data_free. */
pb_data *pb_data_new(const char *name);
/* Frees the data.  NULL is allowed. */
void pb_data_free(pb_data *d);

/* Returns the number of the class, which is added if it is new. */
int pb_data_class(pb_data *d, const char *name);
/* Adds a class that is known to be new and returns its number. */
int pb_data_add_class(pb_data *d, const char *name);

/* Adds a copy of an example with its texts and answers. */
void pb_data_add_example(pb_data *d, pb_split split, const pb_example *e);

/* Returns the number of the class with this name, or -1 with an error that lists the classes. */
int pb_data_find_class(const pb_data *d, const char *name);

/* Names the classes of data with choices: A, B, .., as many as a question has choices at most.  To be called when the
 * splits are complete. */
void pb_data_letters(pb_data *d);

/* Returns the number of outputs of a head that the data's task has: 1 for choices, each of which is scored by itself; 0
 * if the answers are texts. */
int pb_data_outputs(const pb_data *d);

/* Returns the accuracy that is expected on test of guesses among the choices of each question. */
double pb_data_chance(const pb_data *d);

/* Returns the number of examples of each class, or with each label, or of words with each tag, in a split, [classes],
 * which the caller frees. */
int *pb_data_count_classes(const pb_data *d, pb_split split);

/* Sets the weights of the classes in the loss: to n / (classes * n_c) if the list is "balanced", where n_c of the n
 * training examples are of the class; or to those of a list "name:weight, ..", which names every class once.  Leaves
 * them if the list is empty.  To be called when the splits are complete.  Returns -1 with an error if a class has no
 * training example, or if the list is wrong. */
int pb_data_weigh(pb_data *d, const char *list);

/* Appends the names of the labels of an example as a JSON list, in their order among the classes. */
void pb_data_put_labels(const pb_data *d, int count, const int *label, pb_text *out);

/* Returns the mean of the training examples' targets; 0 if the answers are no numbers. */
double pb_data_mean(const pb_data *d);

/* Puts the place where a setting of the task is given in front of the pending error.  Returns -1. */
int pb_data_blame(const pb_data *d, const char *setting);

/* Adds a copy of an example whose label is a class. */
void pb_data_add(pb_data *d, pb_split split, const char *text, int label, int line);
/* Adds a copy of an example whose answer is a text. */
void pb_data_add_answer(pb_data *d, pb_split split, const char *text, const char *answer, int line);

/* Adds a copy of a sentence of words, and the class of the tag of each. */
void pb_data_add_sentence(pb_data *d, pb_split split, int words, const char *const *word, const int *tag, int line);

/* Merges examples with equal texts within each split into the first of them, with the answers of all. */
void pb_data_group(pb_data *d);

/* Returns how the inputs of two examples compare, as strcmp does: by their texts, then by their second texts, then by
 * their choices, whose order does not count. */
int pb_example_compare(const pb_example *a, const pb_example *b);

/* Removes the examples of a split. */
void pb_data_clear(pb_data *d, pb_split split);

/* Finds and reads the file of a template into d->template; an empty name stands for the default template.  Returns -1
 * with a FILE:LINE: error if the template is invalid. */
int pb_data_template(pb_data *d, const char *file);

/* Returns the path of a file of the task: the name itself, or the name in one of the folders of the data, in data/, or
 * in the folder $PEFTBENCH_DATA.  An absolute name is not looked for elsewhere.  d may be NULL.  The caller frees the
 * path.  Returns NULL with an error that lists the paths tried. */
char *pb_data_find(const pb_data *d, const char *file);

/* Moves examples from train to validation and test, in these fractions of all examples.  The choice is drawn by the
 * seed and stratified by label; equal texts, or equal pairs, stay in one split. */
void pb_data_draw(pb_data *d, double validation, double test, uint64_t seed);

/* Returns the data with n training examples only, chosen by the seed: those for a smaller n are among those for a
 * larger one.  All if n is 0 or not smaller than their number.  It has no balanced weights before pb_data_weigh.  The
 * result shares all else with d, which must outlive it, and must not be changed; the caller frees it with
 * pb_data_part_free. */
pb_data *pb_data_part(const pb_data *d, int n, uint64_t seed);
void pb_data_part_free(pb_data *part); /* NULL is allowed */

/* Keeps n examples of a split, chosen by the seed, in their order.  Keeps all if n is 0 or not smaller than their
 * number. */
void pb_data_keep(pb_data *d, pb_split split, int n, uint64_t seed);

/* Removes from train the texts, or pairs, that are in validation or test, and from validation those that are in test.
 * Returns the number of examples removed. */
int pb_data_drop_overlap(pb_data *d);

/* Checks that there are at least two classes or none, that every split has examples and that no text, or pair, is in
 * two splits, and sets the digest.  Returns -1 with an error if a check fails. */
int pb_data_check(pb_data *d);

/* ---- the files of a task ---------------------------------------------------------------------------------------- */

/* The settings that say where the examples come from.  The settings of a kind of task begin with them, and its option
 * table with PB_FILES_OPTIONS. */
typedef struct pb_files {
    const char *train, *validation, *test;
    const char *train_labels, *validation_labels, *test_labels;
    const char *format, *columns, *template;
    double validation_share, test_share;
    int encoding; /* pb_charset */
    int split_seed, train_limit, score_limit;
    int overlap; /* PB_OVERLAP_REFUSE if the kind of task does not have the setting */
} pb_files;

enum { PB_OVERLAP_REFUSE, PB_OVERLAP_DROP };

#define PB_FILES_OPTIONS                                                                                               \
    PB_OPTION(pb_files, train, FILE, "", "file of training examples"),                                                 \
        PB_OPTION(pb_files, validation, FILE, "", "file of validation examples; empty: drawn from train"),             \
        PB_OPTION(pb_files, test, FILE, "", "file of test examples; empty: drawn from train"),                         \
        PB_OPTION(pb_files, train_labels, FILE, "",                                                                    \
                  "file with the label of each line of train, which has a text a line; empty: train has the labels"),  \
        PB_OPTION(pb_files, validation_labels, FILE, "", "the same for validation"),                                   \
        PB_OPTION(pb_files, test_labels, FILE, "", "the same for test"),                                               \
        PB_OPTION(                                                                                                     \
            pb_files, format, TEXT, "",                                                                                \
            "tsv, csv, jsonl, 'label text', '||', lines (a text a line) or conll; empty: by the file extension"),      \
        PB_OPTION(pb_files, columns, TEXT, "", "names of the columns, if the first line of the files has no names"),   \
        PB_OPTION(pb_files, encoding, CHOICE, "utf-8", PB_CHARSET_NAMES, "encoding of the files"),                     \
        PB_OPTION(pb_files, template, FILE, "",                                                                        \
                  "file with {text} and {label} that presents an example to a decoder; empty: the default template"),  \
        PB_OPTION(pb_files, validation_share, REAL, "0.1", 0, 0.9,                                                     \
                  "fraction of all examples for validation, if it is drawn from train"),                               \
        PB_OPTION(pb_files, test_share, REAL, "0.2", 0, 0.9,                                                           \
                  "fraction of all examples for test, if it is drawn from train"),                                     \
        PB_OPTION(pb_files, split_seed, INT, "0", 0, 1e9, "random seed of the splits and limits"),                     \
        PB_OPTION(pb_files, train_limit, INT, "0", 0, 1e9, "number of training examples used; 0: all"),                \
        PB_OPTION(pb_files, score_limit, INT, "0", 0, 1e9, "number of validation and of test examples used; 0: all")

/* The setting `overlap`, for kinds of tasks whose examples may be dropped; `what` is an input, as "a sentence". */
#define PB_FILES_OVERLAP(what)                                                                                         \
    PB_OPTION(pb_files, overlap, CHOICE, "refuse", "refuse|drop",                                                      \
              what " in two splits is an error, or is removed from the earlier one")

/* Sets d->pair by the value of a setting that names the columns of the texts: "text" for single texts, "s1, s2" for
 * pairs.  Returns -1 with an error if there are more than two names, an empty one, a name twice, or a name that a
 * template has another use for. */
int pb_files_pair(pb_data *d, const char *names);

/* Finds the columns of the texts in a table, by the same names: column[0], and column[1], which is -1 for single texts.
 * Returns -1 with an error if the table lacks one. */
int pb_files_columns(const pb_data *d, const char *names, const pb_table *t, int column[2]);

/* Sets the texts and the line of `e` to those of a row; they are owned by the table.  Returns -1 with a FILE:LINE:
 * error if a text is empty. */
int pb_files_texts(const pb_data *d, const char *names, const pb_table *t, size_t row, const int column[2],
                   pb_example *e);

/* Adds the rows of a table to a split of the data, for pb_files_load.  `ctx` is the caller's.  Returns -1 with an
 * error. */
typedef int pb_files_add(pb_data *d, const void *ctx, pb_split split, const pb_table *t);

/* Reads the template and the files, adds the rows of each file with `add`, train first, draws the splits that have no
 * file of their own, and drops what is in a later split too if `overlap` says so.  Returns -1 with an error if a file
 * cannot be used. */
int pb_files_load(pb_data *d, const pb_files *f, pb_files_add *add, const void *ctx);

/* Keeps as many examples as train_limit and score_limit say.  To be called when the splits are complete. */
void pb_files_limit(pb_data *d, const pb_files *f);

#endif
