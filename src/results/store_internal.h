/* store_internal: SQLite as the files of the store use it.  Not for other rooms. */
#ifndef PB_STORE_INTERNAL_H
#define PB_STORE_INTERNAL_H

#include <sqlite3.h>

#include "results/store.h"

/* A prepared statement that is kept for its next use. */
typedef struct pb_cached_statement {
    const char *sql; /* a string literal, identified by its address */
    sqlite3_stmt *q;
} pb_cached_statement;

struct pb_store {
    sqlite3 *db;
    char *path;
    char *error;                    /* the first error of the connection; NULL if there was none */
    pb_cached_statement *statement; /* [statements] */
    size_t statements, statement_capacity;
    bool tidy;                         /* remove the files that reading created beside the database */
    struct pb_file_snapshot *snapshot; /* the file when it was opened as immutable; NULL if it was not */
};

/* Records SQLite's message as the error and adds advice.  Returns -1. */
int pb_store_fail(pb_store *s);

/* Runs statements that return no rows.  Returns -1 with an error. */
int pb_store_execute(pb_store *s, const char *sql);

/* Prepares a statement.  The caller finalizes it.  Returns NULL with an error. */
sqlite3_stmt *pb_store_prepare(pb_store *s, const char *sql);

/* Returns the statement of a string literal, which is prepared at its first use and kept until the store is closed.
 * The caller ends its use with pb_store_done.  Returns NULL with an error. */
sqlite3_stmt *pb_store_statement(pb_store *s, const char *sql);

/* Resets a cached statement and clears its bindings; NULL is allowed. */
void pb_store_done(sqlite3_stmt *q);

/* Steps to the next row.  Returns 1 if there is a row, 0 after the last row, and -1 with an error. */
int pb_store_step(pb_store *s, sqlite3_stmt *q);

/* Binds a copy of a text to parameter i; a NULL pointer binds SQL's NULL. */
void pb_store_bind(sqlite3_stmt *q, int i, const char *text);

/* Binds a JSON array of the n ids to parameter i, for `IN (SELECT value FROM json_each(?))`. */
void pb_store_bind_ids(sqlite3_stmt *q, int i, const long long *id, int n);

/* Returns a copy of a column's text, "" if it is NULL.  The caller frees it. */
char *pb_store_text(sqlite3_stmt *q, int column);

/* Returns the number in a column, NaN if it is NULL. */
double pb_store_number(sqlite3_stmt *q, int column);

/* Runs an insertion whose parameters are bound and resets it for the next one.  Returns -1 with an error. */
int pb_store_insert(pb_store *s, sqlite3_stmt *q);

/* Writes the series and fingerprints of a run.  Returns -1 with an error. */
int pb_store_put_trace(pb_store *s, long long run, const pb_result *r);

/* Ends the current transaction: commits it if `rc` is 0, else rolls it back.  Returns 0 if it was committed, else
 * -1. */
int pb_store_end(pb_store *s, int rc);

/* Returns the name of a split, "" for -1 (no split). */
const char *pb_store_split(int split);

/* Checks that the file is a peftbench database and brings its schema up to date: in the file if `writable`, else in
 * temporary tables of this connection.  Creates the tables of an empty file if `writable`.  Returns -1 with an
 * error. */
int pb_store_schema(pb_store *s, bool writable);

/* Creates the temporary table `theirs` with the runs of an attached peftbench database, whose schema name with a point
 * is `in` ("other.").  The table has the columns of the current schema; `*version` receives the version of the attached
 * one.  Returns -1 with an error. */
int pb_store_source(pb_store *s, const char *in, int *version);

/* Adds selections for runs that were scored on test and belong to no selection, as in databases of earlier schema
 * versions.  Returns -1 with an error. */
int pb_store_select_scored(pb_store *s);

/* Returns whether another program may write the database while it is read: its folder is writable, or it has a
 * write-ahead log.  If not, SQLite may open it as immutable. */
bool pb_store_in_use(const char *path);

/* Returns the URI (file:...) of a file for SQLite, with special characters escaped and `parameters` appended.  The
 * caller frees it. */
char *pb_store_address(const char *path, const char *parameters);

#endif
