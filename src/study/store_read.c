/* store_read: what commands ask for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "study/store_internal.h"

/* ---- reading ------------------------------------------------------------------------------------------ */

long long pb_store_find(pb_store *s, const pb_digest *hash)
{
    sqlite3_stmt *q =
        pb_store_prepare(s, "SELECT max(id) FROM run WHERE hash = ? AND status <> 'failed' AND superseded IS NULL");
    if (!q)
        return -1;
    pb_store_bind(q, 1, hash->hex);
    long long id = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : pb_store_fail(s);
    sqlite3_finalize(q);
    return id;
}

long long pb_store_named(pb_store *s, const char *word)
{
    sqlite3_stmt *q = pb_store_prepare(s, "SELECT min(id) FROM finished WHERE CAST(id AS TEXT) = ?1"
                                          " OR (length(?1) >= 6 AND substr(hash, 1, length(?1)) = ?1)");
    if (!q)
        return -1;
    pb_store_bind(q, 1, word);
    long long id = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : pb_store_fail(s);
    sqlite3_finalize(q);
    return id ? id
              : pb_error("%s: no finished run '%s'; want a run's number or the beginning of its hash", s->path, word);
}

double pb_store_value(pb_store *s, long long run, int split, const char *key)
{
    sqlite3_stmt *q =
        pb_store_prepare(s, "SELECT value FROM value WHERE run = ? AND key = ? AND split = ? AND step = -1");
    double value = NAN;
    if (!q)
        return value;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, key);
    pb_store_bind(q, 3, pb_store_split(split));
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
        value = sqlite3_column_double(q, 0);
    sqlite3_finalize(q);
    return value;
}

char *pb_store_fact(pb_store *s, long long run, const char *key)
{
    sqlite3_stmt *q = pb_store_prepare(s, "SELECT value FROM provenance WHERE run = ? AND key = ?");
    char *fact = NULL;
    if (!q)
        return NULL;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, key);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW && sqlite3_column_text(q, 0))
        fact = pb_strdup((const char *)sqlite3_column_text(q, 0));
    else if (rc != SQLITE_DONE)
        pb_store_fail(s);
    sqlite3_finalize(q);
    return fact;
}

int pb_store_query(pb_store *s, const char *sql, const char *const *args,
                   int (*row)(void *ctx, int columns, const char *const *value), void *ctx)
{
    sqlite3_stmt *q = pb_store_prepare(s, sql);
    if (!q)
        return -1;
    for (int i = 0; args && args[i]; i++)
        pb_store_bind(q, i + 1, args[i]);
    int columns = sqlite3_column_count(q), rc = 0, step = SQLITE_DONE;
    const char **value = pb_alloc((size_t)(columns + 1) * sizeof *value);
    while (!rc && (step = sqlite3_step(q)) == SQLITE_ROW) {
        for (int i = 0; i < columns && !rc; i++) {
            bool null = sqlite3_column_type(q, i) == SQLITE_NULL;
            value[i] = (const char *)sqlite3_column_text(q, i);
            rc = value[i] || null ? 0 : pb_store_fail(s); /* no memory for a number's text */
        }
        rc = rc ? rc : row(ctx, columns, value);
    }
    if (!rc && step != SQLITE_DONE)
        rc = pb_store_fail(s);
    sqlite3_finalize(q);
    free(value);
    return rc;
}
