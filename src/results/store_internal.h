/* store_internal: SQLite as the files of the store use it.  Not for others. */
#ifndef PB_STORE_INTERNAL_H
#define PB_STORE_INTERNAL_H

#include <sqlite3.h>

#include "results/store.h"

/* A prepared statement that is kept for its next use. */
typedef struct pb_cached_statement {
    const char *sql; /* a literal: known by its address */
    sqlite3_stmt *q;
} pb_cached_statement;

struct pb_store {
    sqlite3 *db;
    char *path;
    char *error; /* the connection's first error; it ends the command, whoever overlooks it */
    pb_cached_statement *statement;
    size_t statements, statement_capacity;
    bool tidy; /* reading made the files beside the database, which nobody else needs         */
    struct pb_file_snapshot
        *snapshot; /* not NULL: read as a file that nobody writes, and how it looked when it was opened */
};

/* Records SQLite's message as the error, with advice.  Returns -1. */
int pb_store_fail(pb_store *s);

/* Runs statements without results.  Returns -1 with an error. */
int pb_store_execute(pb_store *s, const char *sql);

/* Prepares a statement, which the caller finalizes.  Returns NULL with an error. */
sqlite3_stmt *pb_store_prepare(pb_store *s, const char *sql);

/* The statement of a literal, prepared at its first use and kept until the store is closed.  The caller gives it back
 * with pb_store_done.  Returns NULL with an error. */
sqlite3_stmt *pb_store_statement(pb_store *s, const char *sql);

/* Ends the use of a kept statement, which may be NULL. */
void pb_store_done(sqlite3_stmt *q);

/* Steps to the next row.  Returns 1: a row, 0: there are no more, -1 with an error: anything else. */
int pb_store_step(pb_store *s, sqlite3_stmt *q);

/* Binds a copy of a text; NULL is SQL's. */
void pb_store_bind(sqlite3_stmt *q, int i, const char *text);

/* Binds a JSON list of the n ids, for `IN (SELECT value FROM json_each(?))`. */
void pb_store_bind_ids(sqlite3_stmt *q, int i, const long long *id, int n);

/* A copy of a column's text, "" where it is NULL.  The caller frees it. */
char *pb_store_text(sqlite3_stmt *q, int column);

/* A column's number, NaN where it is NULL. */
double pb_store_number(sqlite3_stmt *q, int column);

/* Runs a bound insertion and makes it ready for the next one.  Returns -1 with an error. */
int pb_store_insert(pb_store *s, sqlite3_stmt *q);

/* Writes the series and fingerprints of a run.  Returns -1 with an error. */
int pb_store_put_trace(pb_store *s, long long run, const pb_result *r);

/* Ends the transaction that `rc` is the outcome of: commits after 0, else takes all back.  Returns 0 or -1. */
int pb_store_end(pb_store *s, int rc);

/* "" of the whole run (split -1), else the split's name. */
const char *pb_store_split(int split);

/* Checks that the file is a database of ours and brings it up to date: for good if `writable`, else in temporary
 * tables of this connection.  Makes the tables of an empty file if `writable`.  Returns -1 with an error. */
int pb_store_schema(pb_store *s, bool writable);

/* Makes the temporary table `theirs`: the runs of a database of ours that is attached as `in` ("other."), with the
 * columns of today whatever its schema's version, which it fills in.  Returns -1 with an error. */
int pb_store_source(pb_store *s, const char *in, int *version);

/* Adds selections for runs that were scored on test and belong to none, as older databases have them. */
int pb_store_select_scored(pb_store *s);

/* May somebody write the database while it is read (what was written lately stands beside it, or the folder lets one
 * write)?  Else SQLite may take it for immutable. */
bool pb_store_in_use(const char *path);

/* The address (file:...) of a file for SQLite, with its special characters coded.  The caller frees it. */
char *pb_store_address(const char *path, const char *parameters);

#endif
