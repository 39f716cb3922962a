/* store: the results database, in SQLite.  Only store*.c include sqlite3.h, and no other file contains SQL.
 *
 * The database is append-only, which triggers enforce.  A run is written in one transaction when it has ended and is
 * never changed.  Later results of the run (its test score, its timings) are appended to it.
 *
 * Functions that can fail return an int, which is -1 with an error on failure, and deliver their result through a
 * pointer; an error is therefore never taken for "no result".  The first error of a store is remembered, and
 * pb_store_close returns it again. */
#ifndef PB_STORE_H
#define PB_STORE_H

#include "experiment/experiment.h"
#include "train/result.h"

/* A connection to a database. */
typedef struct pb_store pb_store;

/* ---- opening ------------------------------------------------------------------------------------------- */

/* Opens the database for writing and creates it if it does not exist (WAL, foreign keys on, busy timeout of 60 s,
 * STRICT tables).  A database of an earlier schema version is migrated in one transaction.  Returns NULL with an error
 * if the file is not a database, was not created by peftbench, has a later schema version, or is read-only.  A
 * connection must not be used after a fork. */
pb_store *pb_store_open(const char *path);

/* Opens an existing database read-only.  The file is never changed; a database of an earlier schema version is read
 * through temporary tables.  The file and its folder may be write-protected.  Returns NULL with an error under the same
 * conditions as pb_store_open, and if the file does not exist. */
pb_store *pb_store_read(const char *path);

/* Closes the connection; NULL is allowed.  Returns -1 with an error if any earlier use of the store failed, even if the
 * caller ignored that failure. */
int pb_store_close(pb_store *s);

/* ---- writing ------------------------------------------------------------------------------------------- */

/* Stores the validation and test examples and the class names, once for each data set.  Returns -1 with an error. */
int pb_store_data(pb_store *s, const pb_data *d);

/* Stores a run in one transaction: its row with the provenance (machine, kernels, threads, compiler, code version,
 * times), its settings, values, predictions and samples.  `error` may be NULL.  If the database already has a result
 * with the cell's hash, nothing is written.  Returns the id of the run that is in the database afterwards, or -1 with
 * an error. */
long long pb_store_run(pb_store *s, const pb_experiment *e, const pb_cell *c, const pb_result *r, const char *error,
                       double seconds);

/* Appends values, predictions and samples to a run in one transaction.  Nothing is written if they are already there.
 * Returns -1 with an error. */
int pb_store_append(pb_store *s, long long run, const pb_result *r);

/* Adds an entry to the provenance of a run unless the run already has an entry with this key.  Returns -1 with an
 * error. */
int pb_store_provenance_add(pb_store *s, long long run, const char *key, const char *value);

/* Reads the entry of a run's provenance with this key.  `*value` is NULL if there is none; the caller frees it.
 * Returns -1 with an error. */
int pb_store_provenance_get(pb_store *s, long long run, const char *key, char **value);

/* The key in the provenance of a run that is a brief copy. */
#define PB_BRIEF "brief"

/* What is merged: all runs of a database, or those of an experiment and its tasks. */
typedef struct pb_merge_source {
    const char *path;
    const char *experiment; /* NULL: all */
    bool brief; /* without what only the repetition of a run is compared with: probabilities, traces, fingerprints, and
                   the predictions of settings that were not chosen */
} pb_merge_source;

/* Appends the runs of another database that are not in this one, with everything that belongs to them, in one
 * transaction.  Two runs are the same run if hash, machine, end time and duration are equal.  If this database has
 * another result with the same hash, the added run is stored as superseded by it.  `*added` and `*known` receive the
 * numbers of runs.  Returns -1 with an error, and changes nothing, if a run is in both databases with different results
 * or if `from` is not a peftbench database or has no run of the experiment.  A run that one of the databases has as a
 * brief copy stays as it is in this one. */
int pb_store_merge(pb_store *s, const pb_merge_source *from, int *added, int *known);

/* Refuses a run that is a brief copy: there is nothing with which its repetition could be compared.  Returns -1 with an
 * error. */
int pb_store_want_whole(pb_store *s, long long run);

/* Stores the n pairs {key, value} of a result file of another program, in one transaction.  Nothing is written if a
 * file with this digest was imported before.  Returns -1 with an error. */
int pb_store_import(pb_store *s, const char *source, const pb_digest *digest, const char *const (*value)[2], size_t n);

/* ---- runs ------------------------------------------------------------------------------------------------ */

/* Finds the finished run with this hash.  Diverged runs count as finished, failed ones do not.  `*run` is 0 if there is
 * none.  Returns -1 with an error. */
int pb_store_find(pb_store *s, const pb_digest *hash, long long *run);

/* The state of a cell in the database. */
typedef struct pb_cell_state {
    long long run;     /* the finished run; 0 if there is none */
    char status[16];   /* "done", "diverged", "failed" or "missing" */
    char *error;       /* message of the last failure if no run is finished; NULL if there is no message */
    int failed;        /* number of failed runs */
    double validation; /* the validation score; NaN if there is none or the run diverged */
} pb_cell_state;

/* Reads the state of the cell with this hash.  `score` is the key of the validation score, for example
 * "accuracy.validation.accuracy".  The caller frees out->error.  Returns -1 with an error. */
int pb_store_state(pb_store *s, const pb_digest *hash, const char *score, pb_cell_state *out);

/* Finds the finished run that `name` stands for: the number of a run, or at least the first 6 digits of its hash.
 * Returns -1 with an error if no run matches or if several do. */
int pb_store_find_named(pb_store *s, const char *name, long long *run);

/* The row of a run in table `run`. */
typedef struct pb_run_record {
    long long id;
    uint64_t seed;
    int threads;
    char *hash, *experiment, *task, *model, *row, *choice, *status, *code, *machine;
    char *plugins; /* paths of the plugins that the run used; "" if there are none */
} pb_run_record;

/* Reads the row of a run.  The caller frees the record with pb_run_record_free, also after an error.  Returns -1 with
 * an error, also if there is no such run. */
int pb_store_record(pb_store *s, long long run, pb_run_record *out);
void pb_run_record_free(pb_run_record *r);

/* ---- values of a run ----------------------------------------------------------------------------------------- */

/* A value of a whole run. */
typedef struct pb_stored_value {
    char *key;
    int split;    /* -1 if the value belongs to no split */
    double value; /* NaN if the stored value is NULL */
} pb_stored_value;

/* The values of a whole run, sorted by key.  Values of single steps are not included. */
typedef struct pb_values {
    pb_stored_value *value;
    size_t count;
} pb_values;

/* Reads the values of a run.  The caller frees them with pb_values_free.  Returns -1 with an error. */
int pb_store_values(pb_store *s, long long run, pb_values *out);
void pb_values_free(pb_values *v);

/* Returns the value with this key and split (-1 for no split), or NaN if the run does not have it. */
double pb_values_get(const pb_values *v, int split, const char *key);

/* Reads the values under `key` at the steps 0, 1, .. into *x [*n]; of timings, one value for each process.  The caller
 * frees *x.  Returns -1 with an error. */
int pb_store_series(pb_store *s, long long run, const char *key, double **x, int *n);

/* Sets *has to whether the run has a value under `key` at this step (-1 for the whole run).  Returns -1 with an
 * error. */
int pb_store_has(pb_store *s, long long run, int split, const char *key, int step, bool *has);

/* Is called with each key and its value.  A nonzero return ends the iteration and is returned by it. */
typedef int pb_store_pair(void *ctx, const char *key, const char *value);

/* Calls `each` with the settings of the n runs, sorted by key.  A setting that several runs share is passed once.
 * Returns -1 with an error. */
int pb_store_settings(pb_store *s, const long long *run, int n, pb_store_pair *each, void *ctx);

/* A setting of one of several runs. */
typedef struct pb_stored_setting {
    long long run;
    uint64_t seed;
    const char *hash; /* of the run */
    const char *key, *value;
} pb_stored_setting;

/* Is called with each setting, which it does not own.  A nonzero return ends the iteration and is returned by it. */
typedef int pb_store_each_setting(void *ctx, const pb_stored_setting *s);

/* Calls `each` with the settings of the finished runs of a task, run by run in the order of their numbers, those of
 * this experiment after those of others.  Returns -1 with an error. */
int pb_store_task_settings(pb_store *s, const char *task, const char *experiment, pb_store_each_setting *each,
                           void *ctx);

/* Keys of a run's provenance: the version of the engine's code, and, with a point and a name after them, the digests of
 * the code of the task's kind and of each built-in method.  A plugin's digest is under "plugin.NAME". */
#define PB_CODE_ENGINE "code.engine"
#define PB_CODE_TASK "code.task"
#define PB_CODE_METHOD "code.method"

/* In provenance "file.SETTING" is the path at which a file of the task was found beside an INI file. */
#define PB_FILE "file"

/* In provenance "view.KEY" is the setting KEY of [experiment] that decides how the results of the run's experiment are
 * shown: title, baseline, axis, strength.  A setting that is not given has no entry. */
#define PB_VIEW "view"

/* Calls `each` with the entries of a run's provenance: data, model, template, metrics, budget and so on.  Returns -1
 * with an error. */
int pb_store_provenance(pb_store *s, long long run, pb_store_pair *each, void *ctx);

/* Calls `each` with the key of each timing that was stored for single processes, and with "" as the value.  Returns -1
 * with an error. */
int pb_store_series_keys(pb_store *s, long long run, pb_store_pair *each, void *ctx);

/* Is called with each step and the mean of the values at this step. */
typedef void pb_store_point(void *ctx, int step, double mean);

/* Calls `each` with the mean over the n runs of the values under `key`, step by step.  Returns -1 with an error. */
int pb_store_curve(pb_store *s, const long long *run, int n, const char *key, pb_store_point *each, void *ctx);

/* Returns the SQL that selects the values of the n runs under these keys, which are separated by newlines, for a file
 * beside a figure.  A key also stands for the ends of its interval, KEY.low and KEY.high.  The caller frees it. */
char *pb_store_values_sql(const long long *run, int n, const char *keys);

/* ---- predictions --------------------------------------------------------------------------------------------- */

/* What a run predicted for one example. */
typedef struct pb_stored_prediction {
    int example, label, predicted; /* label and predicted class; -1 if the prediction is no class */
    double probability;            /* of the predicted class; NaN if the prediction is no class */
    char *text;                    /* the generated text; NULL if the prediction is none */
    double target, value;          /* the true and the predicted number; NaN if the prediction is none */
} pb_stored_prediction;

/* Is called with each prediction, which it does not own.  A nonzero return ends the iteration and is returned by it. */
typedef int pb_store_each_prediction(void *ctx, const pb_stored_prediction *p);

/* Calls `each` with the predictions of a run on a split, in the order of the examples.  Returns -1 with an error. */
int pb_store_predictions(pb_store *s, long long run, pb_split split, pb_store_each_prediction *each, void *ctx);

/* Is called with each class of the data, which it does not own.  A nonzero return ends the iteration and is returned by
 * it. */
typedef int pb_store_class(void *ctx, int label, const char *name);

/* Calls `each` with the classes of the data of a run.  A database of an early schema version has none.  Returns -1 with
 * an error. */
int pb_store_classes(pb_store *s, long long run, pb_store_class *each, void *ctx);

/* Counts the predictions of a run on a split, whether they are classes, texts or numbers.  Returns -1 with an error. */
int pb_store_count_predictions(pb_store *s, long long run, pb_split split, int *count);

/* Reads the statistics of a text metric into x [examples, stats].  `*seen` receives the number of examples that have
 * any.  Returns -1 with an error. */
int pb_store_statistics(pb_store *s, long long run, pb_split split, const char *metric, int examples, int stats,
                        double *x, int *seen);

/* ---- selections: which setting of a sweep was chosen ----------------------------------------------------------- */

/* A setting that was chosen among those of a row's sweep.  The sweep is the set of all runs that the row's settings,
 * seeds, data, model and code define. */
typedef struct pb_choice {
    long long id;           /* 0 if there is no choice */
    char *sweep;            /* SHA-256 of the sweep's cells; "" in a database of an earlier schema version */
    char *experiment, *row; /* their names at the time of the choice */
    char *choice;           /* "lr=1e-3"; "" if the row has a single setting */
    int settings;           /* number of settings among which it was chosen */
    int cells, finished;    /* runs of the sweep, and how many were finished; the choice is partial if not all were */
} pb_choice;
void pb_choice_free(pb_choice *c);

/* Reads the choice of a sweep; a choice of the complete sweep has precedence over partial ones.  out->id is 0 if
 * nothing was chosen yet.  The caller frees it with pb_choice_free.  Returns -1 with an error. */
int pb_store_chosen(pb_store *s, const pb_digest *sweep, pb_choice *out);

/* Is called with each choice, which it does not own.  A nonzero return ends the iteration and is returned by it. */
typedef int pb_store_each_choice(void *ctx, const pb_choice *c);

/* Calls `each` with the choices that were scored on test for rows of this name; `experiment` restricts them to one
 * experiment unless it is NULL.  They are ordered by experiment, complete ones before partial ones, the newest first.
 * If `row` is NULL, all choices are passed, the oldest first.  Returns -1 with an error. */
int pb_store_choices(pb_store *s, const char *row, const char *experiment, pb_store_each_choice *each, void *ctx);

/* Reads the runs of a choice that were scored on test into *run and *seed [*n], sorted by seed.  The caller frees both
 * arrays.  Returns -1 with an error. */
int pb_store_choice_runs(pb_store *s, long long choice, long long **run, uint64_t **seed, int *n);

/* Calls `each` with the name of each experiment that has runs or choices, in the order of their first runs, and with ""
 * as the value.  Returns -1 with an error. */
int pb_store_experiments(pb_store *s, pb_store_pair *each, void *ctx);

/* A run as a member of an experiment: as a run of one of its choices, or as one that was stored for it. */
typedef struct pb_member {
    long long run, choice_id;      /* 0: of no choice */
    int settings, cells, finished; /* as those of that choice (pb_choice) */
    char *sweep;                   /* of that choice, "" if it is not known */
    char *row, *choice;            /* their names in this experiment */
    char *hash, *task, *model;
    uint64_t seed;
} pb_member;
void pb_member_free(pb_member *m);

/* Is called with each member, which it then owns.  A nonzero return ends the iteration and is returned by it. */
typedef int pb_store_each_member(void *ctx, const pb_member *m);

/* Calls `each` with the members of an experiment, failed runs included: those of choices first, of complete ones before
 * partial ones, then the newest first.  A run of several choices is passed for each of them.  Returns -1 with an
 * error. */
int pb_store_members(pb_store *s, const char *experiment, pb_store_each_member *each, void *ctx);

/* Calls `each` with the finished runs that other experiments have stored, as members of no choice.  Returns -1 with an
 * error. */
int pb_store_strangers(pb_store *s, const char *experiment, pb_store_each_member *each, void *ctx);

/* Returns 1 if a run with this hash belongs to any choice, of any sweep or experiment, 0 if not, and -1 with an
 * error. */
int pb_store_is_chosen(pb_store *s, const char *hash);

/* Stores a choice and its runs [n], in which 0 stands for a missing run, in one transaction.  Nothing is written if the
 * choice is already there.  Returns -1 with an error. */
int pb_store_choose(pb_store *s, const pb_choice *c, const long long *run, int n);

/* ---- claims: which process works on which cell ----------------------------------------------------------------- */

/* Claims a cell, by its hash, for a pass ("train", "test" or "time") of the calling process, or extends the claim.  The
 * claim ends with pb_store_release or with the process.  `*process` is 0 if the caller holds the claim, else the number
 * of the process that does.  Returns -1 with an error. */
int pb_store_claim(pb_store *s, const char *hash, const char *pass, long long *process);

/* Ends the claim of the calling process on a cell.  Returns -1 with an error. */
int pb_store_release(pb_store *s, const char *hash, const char *pass);

/* Sets *process to the process that has a valid claim on the cell, or to 0 if there is none.  Returns -1 with an
 * error. */
int pb_store_claimed(pb_store *s, const char *hash, const char *pass, long long *process);

/* ---- results of other programs ------------------------------------------------------------------------------- */

/* Is called with the columns of a row as texts, NULL for a missing value.  A nonzero return ends the iteration and is
 * returned by it. */
typedef int pb_store_columns(void *ctx, int columns, const char *const *value);

/* Calls `row` for each imported file with: name, PEFT type, trainable parameters, bytes of the file, bytes of memory,
 * seconds, test accuracy.  Returns -1 with an error. */
int pb_store_imported(pb_store *s, pb_store_columns *row, void *ctx);

/* ---- reproducibility ----------------------------------------------------------------------------------------- */

/* What decides the bits of a result besides the code and the settings. */
enum {
    PB_PLATFORM_PROCESSOR,
    PB_PLATFORM_KERNELS,
    PB_PLATFORM_THREADS,
    PB_PLATFORM_COMPILER,
    PB_PLATFORM_FLAGS,
    PB_PLATFORM_FIELDS
};

/* The stored trace of a run, with which another run can be compared: its predictions, series and fingerprints, and the
 * platform on which it ran. */
typedef struct pb_recorded_run {
    pb_result result;
    char *platform[PB_PLATFORM_FIELDS];
} pb_recorded_run;

/* Reads the trace of a run.  A run of an older program has no series and fingerprints.  The caller frees the trace with
 * pb_recorded_run_free, also after an error.  Returns -1 with an error. */
int pb_store_recorded_run(pb_store *s, long long run, pb_recorded_run *out);
void pb_recorded_run_free(pb_recorded_run *r);

#endif
