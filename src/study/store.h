/* store: results in SQLite.  Floor 6; store*.c are the only includers of sqlite3.h.
 *
 * Append only, enforced by triggers: a run is written in one transaction when it is over and
 * never changed; what is found out later about it (test score, timings) is appended under it. */
#ifndef PB_STORE_H
#define PB_STORE_H

#include "study/config.h"
#include "train/result.h"

typedef struct pb_store pb_store;

/* Opens or creates the database (WAL, foreign keys on, busy timeout, STRICT tables).  NULL
 * with "PATH: what": not a database, another schema version, read-only.  A connection must not
 * be carried over a fork. */
pb_store *pb_store_open(const char *path);
/* The same for reading only; the file must exist, and stays as it is. */
pb_store *pb_store_read(const char *path);
/* Closes it; NULL is fine.  Returns -1 with an error if any use of the store failed, even if the caller overlooked
 * it. */
int pb_store_close(pb_store *s);

/* The id of the finished run with this hash, diverged ones included; 0: none (failed runs do
 * not count); -1 with an error. */
long long pb_store_find(pb_store *s, const pb_digest *hash);

/* The id of the finished run that `word` names: by its number, or by the beginning (6 digits or more) of its hash.
 * -1 with an error: there is none. */
long long pb_store_named(pb_store *s, const char *word);

/* One transaction: the run's row with provenance (machine, kernels, threads, compiler, code
 * version, times), its settings, values, predictions and samples.  `error` may be NULL.
 * Returns the run's id, -1 with an error. */
long long pb_store_run(pb_store *s, const pb_experiment *e, const pb_cell *c, const pb_result *r, const char *error,
                       double seconds);

/* Appends values, predictions and samples to a run, in one transaction; nothing where they are there already. */
int pb_store_append(pb_store *s, long long run, const pb_result *r);

/* Notes a fact about a run in its provenance, unless there is one under this key already.  -1 with an error. */
int pb_store_note(pb_store *s, long long run, const char *key, const char *value);

/* The fact under this key in the run's provenance; the caller frees it.  NULL: there is none, or an error. */
char *pb_store_fact(pb_store *s, long long run, const char *key);

/* Appends the runs of another database that are not here yet, with all that belongs to them, in one transaction; a
 * run is the same if machine, hash and end are.  `added`, `known`: how many.  -1 with an error, and nothing is
 * changed: a run that is here with other results, no database of this schema. */
int pb_store_merge(pb_store *s, const char *from, int *added, int *known);

/* Stores the n {key, value} of a result file of somebody else, in one transaction; nothing, if a file of this
 * digest is there already.  -1 with an error. */
int pb_store_import(pb_store *s, const char *source, const pb_digest *digest, const char *const (*value)[2], size_t n);

/* The run's value under this key, NaN if it has none.  split -1: of the whole run. */
double pb_store_value(pb_store *s, long long run, int split, const char *key);

/* What decides the bits of a result besides the code and the settings. */
enum { PB_BITS_PROCESSOR, PB_BITS_KERNELS, PB_BITS_THREADS, PB_BITS_COMPILER, PB_BITS_FLAGS, PB_BITS_FACTS };

/* What one run has left for another one to be held against: its predictions, series and fingerprints. */
typedef struct pb_recorded {
    pb_result result;
    char *fact[PB_BITS_FACTS];
} pb_recorded;

/* Reads it; without series and fingerprints where an older program made the run.  -1 with an error; in either case
 * pb_recorded_free frees what was read. */
int pb_store_recorded(pb_store *s, long long run, pb_recorded *out);
void pb_recorded_free(pb_recorded *r);

/* Runs a query; calls `row` for each result row with its columns as text (NULL = SQL NULL);
 * a nonzero return stops and is returned.  `args` are bound in order as texts, NULL-ended, may
 * be NULL.  -1 with an error. */
int pb_store_query(pb_store *s, const char *sql, const char *const *args,
                   int (*row)(void *ctx, int columns, const char *const *value), void *ctx);

#endif
