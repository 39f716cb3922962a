/* store_merge: what others have found out: runs of other databases, results of other programs. */
#include <stdlib.h>

#include "study/store_internal.h"

int pb_store_import(pb_store *s, const char *source, const pb_digest *digest, const char *const (*value)[2], size_t n)
{
    sqlite3_stmt *q = pb_store_execute(s, "BEGIN IMMEDIATE")
                          ? NULL
                          : pb_store_prepare(s, "INSERT INTO imported (source, digest) VALUES (?, ?)"
                                                " ON CONFLICT (digest) DO NOTHING");
    if (!q)
        return -1;
    pb_store_bind(q, 1, source);
    pb_store_bind(q, 2, digest->hex);
    int rc = pb_store_insert(s, q);
    sqlite3_finalize(q);
    if (rc || !sqlite3_changes(s->db))
        return pb_store_end(s, rc);
    long long id = sqlite3_last_insert_rowid(s->db);
    q = pb_store_prepare(s, "INSERT INTO imported_value VALUES (?, ?, ?)");
    for (size_t i = 0; q && i < n && !rc; i++) {
        sqlite3_bind_int64(q, 1, id);
        pb_store_bind(q, 2, value[i][0]);
        pb_store_bind(q, 3, value[i][1]);
        rc = pb_store_insert(s, q);
    }
    sqlite3_finalize(q);
    return pb_store_end(s, q ? rc : -1);
}

/* ---- merging ------------------------------------------------------------------------------------------ */

/* What hangs on a run, and its columns but `run`. */
static const struct {
    const char *table, *columns;
} parts[] = {{"setting", "key, value"},
             {"provenance", "key, value"},
             {"value", "key, split, step, value"},
             {"prediction", "split, example, label, predicted, probability"},
             {"answer", "split, example, text"},
             {"statistic", "split, metric, example, numbers"},
             {"sample", "key, round, seconds"}};

#define RUN_COLUMNS                                                                                                    \
    "hash, experiment, task, model, row, choice, seed, status, error, ended, seconds, machine, kernels, threads, "     \
    "compiler, flags, version, code"

/* SQL with two numbers for ?1 and ?2; its first column, or -1. */
static long long number(pb_store *s, const char *sql, long long one, long long two)
{
    sqlite3_stmt *q = pb_store_prepare(s, sql);
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, one);
    sqlite3_bind_int64(q, 2, two);
    int rc = sqlite3_step(q);
    long long out = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        out = pb_store_fail(s);
    sqlite3_finalize(q);
    return out;
}

/* A run that is here already must not say anything else; what is missing of it (a test, timings) is added. */
static int merge_known(pb_store *s, long long theirs, long long ours)
{
    for (size_t i = 0; i < PB_COUNT(parts); i++) {
        const char *t = parts[i].table, *c = parts[i].columns;
        char *other = pb_format("SELECT count(*) FROM (SELECT %s FROM other.%s WHERE run = ?1 EXCEPT"
                                " SELECT %s FROM main.%s WHERE run = ?2)",
                                c, t, c, t);
        char *add = pb_format("INSERT INTO main.%s (run, %s) SELECT ?2, %s FROM (SELECT %s FROM other.%s WHERE run = ?1"
                              " EXCEPT SELECT %s FROM main.%s WHERE run = ?2)",
                              t, c, c, c, t, c, t);
        long long more = number(s, other, theirs, ours);
        bool clash = more > 0 && number(s, add, theirs, ours) < 0; /* a key with another value */
        free(other);
        free(add);
        if (more < 0)
            return -1;
        if (clash) {
            pb_error_clear();
            return pb_error("%s: run %lld is run %lld of the other database, but with other results in %s; want them "
                            "kept apart",
                            s->path, ours, theirs, t);
        }
    }
    return 0;
}

static int merge_new(pb_store *s, long long theirs)
{
    if (number(s,
               "INSERT INTO main.run (" RUN_COLUMNS ") SELECT " RUN_COLUMNS " FROM other.run WHERE id = ?1 AND ?2 = 0",
               theirs, 0) < 0)
        return -1;
    long long ours = sqlite3_last_insert_rowid(s->db);
    for (size_t i = 0; i < PB_COUNT(parts); i++) {
        char *sql = pb_format("INSERT INTO main.%s (run, %s) SELECT ?2, %s FROM other.%s WHERE run = ?1",
                              parts[i].table, parts[i].columns, parts[i].columns, parts[i].table);
        long long rc = number(s, sql, theirs, ours);
        free(sql);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int merge_all(pb_store *s, int *added, int *known)
{
    static const char same[] = "SELECT coalesce(max(r.id), 0) FROM main.run r JOIN other.run o ON o.id = ?1 AND ?2 = 0"
                               " AND r.hash = o.hash AND r.ended = o.ended AND r.machine = o.machine";
    long long last = number(s, "SELECT coalesce(max(id), 0) FROM other.run WHERE ?1 = ?2", 0, 0);
    for (long long id = 1; last >= 0 && id <= last; id++) {
        if (!number(s, "SELECT count(*) FROM other.run WHERE id = ?1 AND ?2 = 0", id, 0))
            continue;
        long long ours = number(s, same, id, 0);
        if (ours < 0 || (ours ? merge_known(s, id, ours) : merge_new(s, id)))
            return -1;
        ++*(ours ? known : added);
    }
    return last < 0 ? -1 : 0;
}

int pb_store_merge(pb_store *s, const char *from, int *added, int *known)
{
    pb_store *other = pb_store_read(from); /* is it one of ours, of this schema? */
    if (!other)
        return -1;
    pb_store_close(other);
    *added = *known = 0;
    char *attach = sqlite3_mprintf("ATTACH %Q AS other", from);
    int rc = pb_store_execute(s, attach) || pb_store_execute(s, "BEGIN IMMEDIATE") ? -1 : 0;
    sqlite3_free(attach);
    if (rc)
        return -1;
    rc = pb_store_end(s, merge_all(s, added, known));
    return pb_store_execute(s, "DETACH other") || rc ? -1 : 0;
}
