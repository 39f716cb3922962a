/* store: results in SQLite.  store*.c are the only includers of sqlite3.h, and SQL stands in no other file.
 *
 * Append only, enforced by triggers: a run is written in one transaction when it is over and never changed; what is
 * found out later about it (test score, timings) is appended under it.
 *
 * A function that can fail returns an int, -1 with an error, and its answer through a pointer: an error is never taken
 * for "there is none".  The first error of a store is kept, and pb_store_close returns it once more. */
#ifndef PB_STORE_H
#define PB_STORE_H

#include "experiment/experiment.h"
#include "train/result.h"

typedef struct pb_store pb_store;

/* ---- opening ------------------------------------------------------------------------------------------- */

/* Opens or creates the database (WAL, foreign keys on, busy timeout, STRICT tables), and migrates one of an earlier
 * schema.  NULL with "PATH: what": not a database, not of our making, a later schema version, read-only.  A connection
 * must not be carried over a fork. */
pb_store *pb_store_open(const char *path);

/* The same for reading only; the file must exist, and stays as it is, whatever its schema's version.  It may lie where
 * nothing may be written. */
pb_store *pb_store_read(const char *path);

/* Closes it; NULL is fine.  Returns -1 with an error if any use of the store failed, even if the caller overlooked
 * it. */
int pb_store_close(pb_store *s);

/* ---- writing ------------------------------------------------------------------------------------------- */

/* Keeps the examples that are predicted (validation and test) and the names of the classes, once for each data set.
 * Returns -1 with an error. */
int pb_store_data(pb_store *s, const pb_data *d);

/* One transaction: the run's row with provenance (machine, kernels, threads, compiler, code version, times), its
 * settings, values, predictions and samples.  `error` may be NULL.  Where a result of the cell's hash is there already,
 * nothing is written.  Returns the id of the run that is there then, -1 with an error. */
long long pb_store_run(pb_store *s, const pb_experiment *e, const pb_cell *c, const pb_result *r, const char *error,
                       double seconds);

/* Appends values, predictions and samples to a run, in one transaction; nothing where they are there already. */
int pb_store_append(pb_store *s, long long run, const pb_result *r);

/* Notes a fact about a run in its provenance, unless there is one under this key already.  -1 with an error. */
int pb_store_provenance_add(pb_store *s, long long run, const char *key, const char *value);

/* What table provenance has of a run under this key, the caller's; *fact NULL: nothing. */
int pb_store_provenance_get(pb_store *s, long long run, const char *key, char **fact);

/* Appends the runs of another database that are not here yet, with all that belongs to them, in one transaction; a
 * run is the same if hash, machine, end and duration are.  Where another result of a hash is here, the run is kept as
 * superseded by it.  `added`, `known`: how many.  -1 with an error, and nothing is changed: a run that is here with
 * other results, no database of ours. */
int pb_store_merge(pb_store *s, const char *from, int *added, int *known);

/* Stores the n {key, value} of a result file of somebody else, in one transaction; nothing, if a file of this
 * digest is there already.  -1 with an error. */
int pb_store_import(pb_store *s, const char *source, const pb_digest *digest, const char *const (*value)[2], size_t n);

/* ---- runs ------------------------------------------------------------------------------------------------ */

/* The finished run with this hash, diverged ones included; 0: there is none (failed runs do not count). */
int pb_store_find(pb_store *s, const pb_digest *hash, long long *run);

/* What is known of a cell. */
typedef struct pb_cell_state {
    long long run;     /* the finished one; 0: there is none                         */
    char status[16];   /* "done", "diverged", "failed" or "missing"                  */
    char *error;       /* of the last failure where none is finished, NULL: no text  */
    int failed;        /* how many runs failed                                       */
    double validation; /* the score asked for; NaN: none, or it diverged             */
} pb_cell_state;

/* The state of the cell with this hash; `score` is a key such as "accuracy.validation.accuracy".  The caller frees
 * `error`. */
int pb_store_state(pb_store *s, const pb_digest *hash, const char *score, pb_cell_state *out);

/* The finished run that `word` names: by its number, or by the beginning (6 digits or more) of its hash.  It is an
 * error if there is none, or more than one. */
int pb_store_find_named(pb_store *s, const char *word, long long *run);

/* A run's own row. */
typedef struct pb_run_record {
    long long id;
    uint64_t seed;
    int threads;
    char *hash, *experiment, *task, *model, *row, *choice, *status, *code, *machine;
    char *plugins; /* files of methods that are not built in; "": none */
} pb_run_record;

/* The row of a run, which must exist.  The caller frees it with pb_run_record_free, after an error too. */
int pb_store_record(pb_store *s, long long run, pb_run_record *out);
void pb_run_record_free(pb_run_record *r);

/* ---- what is known of a run -------------------------------------------------------------------------------- */

typedef struct pb_stored_value {
    char *key;
    int split;    /* -1: of none                          */
    double value; /* NaN: it was stored as not a number   */
} pb_stored_value;

/* The values of a whole run (those of its steps are not among them), by key. */
typedef struct pb_values {
    pb_stored_value *value;
    size_t count;
} pb_values;

/* Reads them.  The caller frees them with pb_values_free. */
int pb_store_values(pb_store *s, long long run, pb_values *out);
void pb_values_free(pb_values *v);

/* The value under this key, NaN if the run has none.  split -1: of none. */
double pb_values_get(const pb_values *v, int split, const char *key);

/* The values under `key` of the steps 0, 1, .. (timings: one a process): *x [n], the caller's. */
int pb_store_series(pb_store *s, long long run, const char *key, double **x, int *n);

/* Has the run a value under `key` at this step (-1: of the whole run)? */
int pb_store_has(pb_store *s, long long run, int split, const char *key, int step, bool *has);

/* Called with each key and its value; a nonzero return stops, and is returned. */
typedef int pb_store_pair(void *ctx, const char *key, const char *value);

/* The settings of the n runs, those that several share once, by key. */
int pb_store_settings(pb_store *s, const long long *run, int n, pb_store_pair *each, void *ctx);

/* What a run must have in common with another to be compared: data, model, template, metrics, budget. */
int pb_store_provenance(pb_store *s, long long run, pb_store_pair *each, void *ctx);

/* The keys of timings that single processes took, each with "". */
int pb_store_series_keys(pb_store *s, long long run, pb_store_pair *each, void *ctx);

/* The mean over the n runs of the values under `key`, step by step. */
typedef void pb_store_point(void *ctx, int step, double mean);
int pb_store_curve(pb_store *s, const long long *run, int n, const char *key, pb_store_point *each, void *ctx);

/* ---- what was said of the examples --------------------------------------------------------------------------- */

typedef struct pb_stored_prediction {
    int example, label, predicted; /* classes; -1: the answer is a text */
    double probability;
    char *text; /* NULL: the answer is a class */
} pb_stored_prediction;

/* Called with each prediction; a nonzero return stops, and is returned. */
typedef int pb_store_each_prediction(void *ctx, const pb_stored_prediction *said);

/* What a run said of the examples of a split, in their order. */
int pb_store_predictions(pb_store *s, long long run, pb_split split, pb_store_each_prediction *each, void *ctx);

/* Of how many examples it said something, in texts or in classes. */
int pb_store_count_predictions(pb_store *s, long long run, pb_split split, bool texts, int *count);

/* right [examples]: 1 where the class was right, else 0; `seen`: of how many there is a prediction. */
int pb_store_correct(pb_store *s, long long run, pb_split split, int examples, double *right, int *seen);

/* x [examples, stats] of a metric over texts; `seen`: of how many there are any. */
int pb_store_statistics(pb_store *s, long long run, pb_split split, const char *metric, int examples, int stats,
                        double *x, int *seen);

/* ---- which setting was chosen ---------------------------------------------------------------------------------- */

/* A choice among the settings of one row's sweep: all runs that its settings, seeds, data, model and code make. */
typedef struct pb_choice {
    long long id;           /* 0: there is none                                                   */
    char *sweep;            /* SHA-256 of the sweep's cells; "": of a database of an older schema */
    char *experiment, *row; /* their names when it was chosen                                     */
    char *choice;           /* "lr=1e-3"; "": there was nothing to choose                         */
    int settings;           /* between which it was chosen                                        */
    int cells, finished;    /* runs of the sweep, and how many there were; fewer: it is partial   */
} pb_choice;
void pb_choice_free(pb_choice *c);

/* The choice of a sweep, a complete one before partial ones; id 0: nothing was chosen yet.  The caller frees it. */
int pb_store_chosen(pb_store *s, const pb_digest *sweep, pb_choice *out);

/* Called with each choice, which it does not keep; a nonzero return stops, and is returned. */
typedef int pb_store_each_choice(void *ctx, const pb_choice *c);

/* The choices that were scored on test of rows of this name; `experiment` NULL: of any.  By experiment, complete ones
 * before partial ones, the newest first.  `row` NULL: all choices, the oldest first. */
int pb_store_choices(pb_store *s, const char *row, const char *experiment, pb_store_each_choice *each, void *ctx);

/* The runs of a choice that were scored on test, by seed: *run and *seed [n], the caller's. */
int pb_store_choice_runs(pb_store *s, long long choice, long long **run, uint64_t **seed, int *n);

/* Is a run of this hash among those of any choice, of whatever sweep or experiment?  1 yes, 0 no, -1 with an error. */
int pb_store_is_chosen(pb_store *s, const char *hash);

/* Keeps a choice and its runs [n] (0: none), in one transaction; nothing where it is there already. */
int pb_store_choose(pb_store *s, const pb_choice *c, const long long *run, int n);

/* ---- who works on what ----------------------------------------------------------------------------------------- */

/* Claims a cell (its hash) for a pass ("train", "test", "time") of the calling process, or prolongs its claim.  The
 * claim ends with pb_store_release or with the process.  *process: 0, or the number of another process whose claim
 * holds. */
int pb_store_claim(pb_store *s, const char *hash, const char *pass, long long *process);
int pb_store_release(pb_store *s, const char *hash, const char *pass);

/* The process whose claim on the cell holds; 0: none. */
int pb_store_claimed(pb_store *s, const char *hash, const char *pass, long long *process);

/* ---- results of others -------------------------------------------------------------------------------------- */

/* Called with the columns of a row as texts, NULL where there is nothing; a nonzero return stops, and is returned. */
typedef int pb_store_columns(void *ctx, int columns, const char *const *value);

/* What was imported, a row a file: name, type, trainable parameters, bytes of the file, bytes of memory, seconds, test
 * accuracy. */
int pb_store_imported(pb_store *s, pb_store_columns *row, void *ctx);

/* ---- what decides bits --------------------------------------------------------------------------------------- */

/* What decides the bits of a result besides the code and the settings. */
enum {
    PB_PLATFORM_PROCESSOR,
    PB_PLATFORM_KERNELS,
    PB_PLATFORM_THREADS,
    PB_PLATFORM_COMPILER,
    PB_PLATFORM_FLAGS,
    PB_PLATFORM_FIELDS
};

/* What one run has left for another one to be held against: its predictions, series and fingerprints. */
typedef struct pb_recorded_run {
    pb_result result;
    char *platform[PB_PLATFORM_FIELDS];
} pb_recorded_run;

/* Reads it; without series and fingerprints where an older program made the run.  -1 with an error; in either case
 * pb_recorded_run_free frees what was read. */
int pb_store_recorded_run(pb_store *s, long long run, pb_recorded_run *out);
void pb_recorded_run_free(pb_recorded_run *r);

#endif
