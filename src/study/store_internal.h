/* store_internal: SQLite as the files of the store use it.  Not for others. */
#ifndef PB_STORE_INTERNAL_H
#define PB_STORE_INTERNAL_H

#include <sqlite3.h>

#include "study/store.h"

struct pb_store {
    sqlite3 *db;
    char *path;
};

int pb_store_fail(const pb_store *s); /* pb_error of SQLite's message: -1 */
int pb_store_execute(pb_store *s, const char *sql);
sqlite3_stmt *pb_store_prepare(pb_store *s, const char *sql); /* NULL with an error */
void pb_store_bind(sqlite3_stmt *q, int i, const char *text); /* NULL: SQL's       */

/* Runs a bound insertion and makes it ready for the next one. */
int pb_store_insert(pb_store *s, sqlite3_stmt *q);

/* Ends the transaction that `rc` is the outcome of. */
int pb_store_end(pb_store *s, int rc);

#endif
