/* store: what all files of the store use: errors, statements, transactions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/store_internal.h"

/* ---- errors and statements ---------------------------------------------------------------------------- */

int pb_store_fail(pb_store *s)
{
    const char *advice = "";
    switch (sqlite3_errcode(s->db) & 0xff) {
    case SQLITE_NOMEM: pb_no_memory(s->path);
    case SQLITE_CORRUPT: advice = "; restore a backup, or recover the data with `sqlite3 FILE .recover`"; break;
    case SQLITE_FULL: advice = "; free space on the disk and run the command again"; break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN: advice = "; want a writable file, or choose another one with --db"; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        advice = "; another program has locked the file: run the command again when that program has ended";
        break;
    case SQLITE_IOERR: advice = "; check the disk and run the command again"; break;
    default: break;
    }
    if (!s->error)
        s->error = pb_format("%s: %s%s", s->path, sqlite3_errmsg(s->db), advice);
    return pb_error("%s", s->error);
}

int pb_store_execute(pb_store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : pb_store_fail(s);
}

sqlite3_stmt *pb_store_prepare(pb_store *s, const char *sql)
{
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK)
        return q;
    pb_store_fail(s);
    return NULL;
}

sqlite3_stmt *pb_store_statement(pb_store *s, const char *sql)
{
    for (size_t i = 0; i < s->statements; i++)
        if (s->statement[i].sql == sql)
            return s->statement[i].q;
    sqlite3_stmt *q = pb_store_prepare(s, sql);
    if (!q)
        return NULL;
    pb_grow(&s->statement, s->statements, &s->statement_capacity, sizeof *s->statement);
    s->statement[s->statements++] = (pb_cached_statement){sql, q};
    return q;
}

void pb_store_done(sqlite3_stmt *q)
{
    sqlite3_reset(q);
    if (q)
        sqlite3_clear_bindings(q);
}

int pb_store_step(pb_store *s, sqlite3_stmt *q)
{
    int rc = sqlite3_step(q);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : pb_store_fail(s);
}

void pb_store_bind_ids(sqlite3_stmt *q, int i, const long long *id, int n)
{
    pb_text t = {0};
    for (int k = 0; k < n; k++)
        pb_text_add(&t, "%s%lld", k ? "," : "[", id[k]);
    pb_text_add(&t, n ? "]" : "[]");
    pb_store_bind(q, i, t.data);
    pb_text_free(&t);
}

char *pb_store_text(sqlite3_stmt *q, int column)
{
    bool null = sqlite3_column_type(q, column) == SQLITE_NULL;
    const char *text = (const char *)sqlite3_column_text(q, column);
    if (!text && !null)
        pb_no_memory("a result");
    return pb_strdup(text ? text : "");
}

double pb_store_number(sqlite3_stmt *q, int column)
{
    return sqlite3_column_type(q, column) == SQLITE_NULL ? NAN : sqlite3_column_double(q, column);
}

void pb_store_bind(sqlite3_stmt *q, int i, const char *text)
{
    int rc = text ? sqlite3_bind_text(q, i, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(q, i);
    if (rc == SQLITE_NOMEM)
        pb_no_memory("a query"); /* a query with a missing argument would have a different result */
}

int pb_store_insert(pb_store *s, sqlite3_stmt *q)
{
    int rc = sqlite3_step(q) == SQLITE_DONE ? 0 : pb_store_fail(s);
    sqlite3_reset(q);
    return rc;
}

int pb_store_end(pb_store *s, int rc)
{
    if (!rc)
        rc = pb_store_execute(s, "COMMIT");
    if (rc)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc ? -1 : 0;
}

const char *pb_store_split(int split)
{
    return split < 0 ? "" : pb_split_name[split];
}
