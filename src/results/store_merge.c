/* store_merge: adds runs of other databases and results of other programs. */
#include <stdlib.h>
#include <string.h>

#include "results/store_internal.h"

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

int pb_store_imported(pb_store *s, pb_store_columns *row, void *ctx)
{
    static const char sql[] =
        "SELECT coalesce(max(CASE WHEN key = 'run_info.experiment_name' THEN value END), source),"
        " coalesce(max(CASE WHEN key = 'run_info.peft_config.peft_type' THEN value END), 'full'),"
        " max(CASE WHEN key = 'train_info.num_trainable_params' THEN value END),"
        " max(CASE WHEN key = 'train_info.file_size' THEN value END),"
        " max(CASE WHEN key IN ('train_info.accelerator_memory_max', 'train_info.cuda_memory_max')"
        " THEN CAST(value AS REAL) END),"
        " max(CASE WHEN key = 'train_info.train_time' THEN value END),"
        " max(CASE WHEN key LIKE 'train_info.metrics[%].test accuracy' AND value GLOB '*[0-9]*'"
        " THEN CAST(value AS REAL) END)"
        " FROM imported JOIN imported_value ON imported = id GROUP BY id ORDER BY 1";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    int columns = sqlite3_column_count(q), rc = 0, more = 0;
    const char **value = pb_alloc((size_t)(columns + 1) * sizeof *value);
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        for (int i = 0; i < columns && !rc; i++) {
            bool null = sqlite3_column_type(q, i) == SQLITE_NULL;
            value[i] = (const char *)sqlite3_column_text(q, i);
            rc = value[i] || null ? 0 : pb_store_fail(s); /* no memory for a number's text */
        }
        rc = rc ? rc : row(ctx, columns, value);
    }
    pb_store_done(q);
    free(value);
    return rc ? rc : more;
}

/* ---- tables --------------------------------------------------------------------------------------------- */

/* Which runs of a brief copy keep their rows of a table. */
typedef enum brevity { ALL, CHOSEN, NONE } brevity;

/* A table whose rows belong to runs: its columns except `run`, the schema version that introduced it, how many of
 * the columns are its key, and what a brief copy has of it. */
typedef struct part {
    const char *table, *columns;
    int since, keys;
    brevity brief;
    const char *copied; /* what a brief copy has in place of the columns; NULL: the columns */
} part;

static const part parts[] = {
    {"setting", "key, value", 1, 1, ALL, NULL},
    {"provenance", "key, value", 2, 1, ALL, NULL},
    {"value", "key, split, step, value", 1, 3, ALL, NULL},
    {"prediction", "split, example, label, predicted, probability", 1, 2, CHOSEN,
     "split, example, label, predicted, NULL"},
    {"answer", "split, example, text", 2, 2, CHOSEN, NULL},
    {"number", "split, example, target, value", 5, 2, CHOSEN, NULL},
    {"statistic", "split, metric, example, numbers", 2, 3, CHOSEN, NULL},
    {"trace", "name, step, numbers", 3, 2, NONE, NULL},
    {"fingerprint", "number, tensor, prints", 3, 1, NONE, NULL},
    {"sample", "key, round, seconds", 1, 2, ALL, NULL},
};

/* The statements of a table: a run's rows in the other database and in this one, and the copy of rows. */
typedef struct reader {
    sqlite3_stmt *theirs, *ours, *copy;
} reader;

typedef struct merge {
    pb_store *store;
    const pb_merge_source *source;
    int version; /* of the other database's schema */
    reader reader[PB_COUNT(parts)];
    int *added, *known;
} merge;

static sqlite3_stmt *prepare(merge *m, const char *fmt, const part *p, const char *columns, const char *database)
{
    char *sql = pb_format(fmt, columns, database, p->table);
    sqlite3_stmt *q = pb_store_prepare(m->store, sql);
    free(sql);
    return q;
}

/* A condition on the rows of run ?1 that a brief copy keeps. */
static const char *const kept_if[] = {
    [ALL] = "", [CHOSEN] = " AND ?1 IN (SELECT run FROM other.selected)", [NONE] = " AND false"};

static int open_readers(merge *m)
{
    int rc = 0;
    for (size_t i = 0; i < PB_COUNT(parts) && !rc; i++) {
        const part *p = &parts[i];
        reader *r = &m->reader[i];
        if (p->since > m->version)
            continue;
        bool brief = m->source->brief;
        char *copy = pb_format("INSERT OR IGNORE INTO main.%s (run, %s) SELECT ?2, %%s FROM %%s.%%s WHERE run = ?1%s",
                               p->table, p->columns, brief ? kept_if[p->brief] : "");
        r->theirs = prepare(m, "SELECT %s FROM %s.%s WHERE run = ?1", p, p->columns, "other");
        r->ours = prepare(m, "SELECT %s FROM %s.%s WHERE run = ?1", p, p->columns, "main");
        r->copy = prepare(m, copy, p, brief && p->copied ? p->copied : p->columns, "other");
        free(copy);
        rc = r->theirs && r->ours && r->copy ? 0 : -1;
    }
    return rc;
}

static void close_readers(merge *m)
{
    for (size_t i = 0; i < PB_COUNT(parts); i++) {
        sqlite3_finalize(m->reader[i].theirs);
        sqlite3_finalize(m->reader[i].ours);
        sqlite3_finalize(m->reader[i].copy);
    }
}

/* ---- a run that both databases have-------------------------------------------------------------------------- */

static int compare_texts(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    const void *x = sqlite3_column_blob(a, column), *y = sqlite3_column_blob(b, column);
    int m = sqlite3_column_bytes(a, column), n = sqlite3_column_bytes(b, column);
    int order = x && y ? memcmp(x, y, (size_t)(m < n ? m : n)) : 0;
    return order ? order : (m > n) - (m < n);
}

/* Compares two columns in the order that SQLite uses for the columns of STRICT tables. */
static int compare_column(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    int type = sqlite3_column_type(a, column), other = sqlite3_column_type(b, column);
    if (type != other)
        return type == SQLITE_NULL ? -1 : 1;
    if (type == SQLITE_NULL)
        return 0;
    if (type == SQLITE_INTEGER) {
        sqlite3_int64 x = sqlite3_column_int64(a, column), y = sqlite3_column_int64(b, column);
        return (x > y) - (x < y);
    }
    if (type == SQLITE_FLOAT) {
        double x = sqlite3_column_double(a, column), y = sqlite3_column_double(b, column);
        return (x > y) - (x < y);
    }
    return compare_texts(a, b, column);
}

static int compare_columns(sqlite3_stmt *a, sqlite3_stmt *b, int from, int to)
{
    for (int i = from; i < to; i++) {
        int order = compare_column(a, b, i);
        if (order)
            return order;
    }
    return 0;
}

/* Compares the rows of a run in both databases, which are in the order of their keys.  Returns 1 if this database has
 * all rows of the other one, 0 if some are missing, 2 if a key has another value, and -1 with an error. */
static int compare_rows(merge *m, const part *p, const reader *r)
{
    int theirs = pb_store_step(m->store, r->theirs), ours = pb_store_step(m->store, r->ours), whole = 1;
    int columns = sqlite3_column_count(r->theirs);
    while (theirs == 1 && ours >= 0) {
        int order = ours ? compare_columns(r->theirs, r->ours, 0, p->keys) : -1;
        if (!order && compare_columns(r->theirs, r->ours, p->keys, columns))
            return 2;
        whole = order < 0 ? 0 : whole;
        if (order <= 0)
            theirs = pb_store_step(m->store, r->theirs);
        if (order >= 0)
            ours = pb_store_step(m->store, r->ours);
    }
    return theirs < 0 || ours < 0 ? -1 : whole;
}

static int copy_part(merge *m, const reader *r, long long theirs, long long ours)
{
    sqlite3_bind_int64(r->copy, 1, theirs);
    sqlite3_bind_int64(r->copy, 2, ours);
    return pb_store_insert(m->store, r->copy);
}

/* Returns whether one of the two has the run as a brief copy, or is to have it so; -1 with an error. */
static int is_brief(merge *m, long long theirs, long long ours)
{
    static const char sql[] = "SELECT ?3 OR EXISTS (SELECT 1 FROM main.provenance WHERE run = ?2 AND key = '" PB_BRIEF
                              "') OR EXISTS (SELECT 1 FROM other.provenance WHERE run = ?1 AND key = '" PB_BRIEF "')";
    if (m->version < 2)
        return m->source->brief;
    sqlite3_stmt *q = pb_store_statement(m->store, sql);
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, theirs);
    sqlite3_bind_int64(q, 2, ours);
    sqlite3_bind_int(q, 3, m->source->brief);
    int rc = pb_store_step(m->store, q) == 1 ? sqlite3_column_int(q, 0) : -1;
    pb_store_done(q);
    return rc;
}

/* Refuses a run whose results differ, and adds what is missing of it (a test score, timings).  A run that is brief on
 * one side stays as it is, and only what a brief copy has whole is compared. */
static int merge_known(merge *m, long long theirs, long long ours)
{
    int brief = is_brief(m, theirs, ours), rc = brief < 0 ? -1 : 0;
    for (size_t i = 0; i < PB_COUNT(parts) && !rc; i++) {
        const reader *r = &m->reader[i];
        if (!r->theirs || (brief && parts[i].brief != ALL))
            continue;
        sqlite3_bind_int64(r->theirs, 1, theirs);
        sqlite3_bind_int64(r->ours, 1, ours);
        int found = compare_rows(m, &parts[i], r);
        sqlite3_reset(r->theirs);
        sqlite3_reset(r->ours);
        if (found == 2)
            return pb_error("%s: run %lld is run %lld of the other database, but their results in table %s differ; "
                            "the databases cannot be merged",
                            m->store->path, ours, theirs, parts[i].table);
        rc = found < 0 ? -1 : found || brief ? 0 : copy_part(m, r, theirs, ours);
    }
    return rc;
}

/* ---- a run that is added ------------------------------------------------------------------------------------ */

#define RUN_COLUMNS                                                                                                    \
    "hash, experiment, task, model, row, choice, seed, status, error, ended, seconds, machine, kernels, threads, "     \
    "compiler, flags, version, code, data"

/* If this database has a result with the same hash, that result remains the valid one. */
static const char insert_run[] =
    "INSERT INTO main.run (" RUN_COLUMNS ", superseded) SELECT " RUN_COLUMNS ", CASE WHEN status <> 'failed' THEN"
    " (SELECT r.id FROM main.run r WHERE r.hash = t.hash AND r.status <> 'failed' AND r.superseded IS NULL) END"
    " FROM temp.theirs t WHERE id = ?1";

static int merge_new(merge *m, long long theirs, long long *ours)
{
    sqlite3_stmt *q = pb_store_statement(m->store, insert_run);
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, theirs);
    int rc = pb_store_insert(m->store, q);
    *ours = sqlite3_last_insert_rowid(m->store->db);
    for (size_t i = 0; i < PB_COUNT(parts) && !rc; i++)
        if (m->reader[i].copy)
            rc = copy_part(m, &m->reader[i], theirs, *ours);
    if (!rc && m->source->brief)
        rc = pb_store_provenance_add(m->store, *ours, PB_BRIEF, "yes");
    return rc;
}

/* ---- all runs ------------------------------------------------------------------------------------------------ */

static int store_pair(merge *m, long long theirs, long long ours)
{
    sqlite3_stmt *q = pb_store_statement(m->store, "INSERT INTO temp.pair VALUES (?1, ?2)");
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, theirs);
    sqlite3_bind_int64(q, 2, ours);
    return pb_store_insert(m->store, q);
}

/* Two runs are the same run if hash, machine, end and duration are equal.  Valid runs come before superseded ones. */
static const char each_run[] =
    "SELECT t.id, (SELECT min(r.id) FROM main.run r WHERE r.hash = t.hash AND r.ended = t.ended"
    " AND r.machine = t.machine AND r.seconds = t.seconds) FROM temp.theirs t ORDER BY t.superseded IS NOT NULL, t.id";

static int merge_runs(merge *m)
{
    sqlite3_stmt *q = pb_store_prepare(m->store, each_run);
    int rc = q ? 0 : -1, more = 0;
    while (!rc && (more = pb_store_step(m->store, q)) == 1) {
        long long theirs = sqlite3_column_int64(q, 0), ours = sqlite3_column_int64(q, 1);
        bool known = ours != 0;
        rc = known ? merge_known(m, theirs, ours) : merge_new(m, theirs, &ours);
        rc = rc || store_pair(m, theirs, ours) ? -1 : 0;
        ++*(known ? m->known : m->added);
    }
    sqlite3_finalize(q);
    return rc || more < 0 ? -1 : 0;
}

#define OF_OUR_DATA " WHERE data IN (SELECT data FROM main.run)"

/* Adds examples, of schema version 3 and the present one. */
static const char *const merge_examples[] = {
    "INSERT OR IGNORE INTO main.example SELECT *, NULL FROM other.example" OF_OUR_DATA,
    "INSERT OR IGNORE INTO main.example SELECT * FROM other.example" OF_OUR_DATA};

/* Adds classes and selections.  A selection of this database with the same runs is not doubled. */
static const char merge_rest[] =
    "INSERT OR IGNORE INTO main.class SELECT * FROM other.class" OF_OUR_DATA ";"
    "INSERT OR IGNORE INTO main.selection (sweep, experiment, row, choice, settings, cells, finished, partial)"
    " SELECT sweep, experiment, row, choice, settings, cells, finished, partial FROM other.selection t"
    " WHERE sweep IS NOT NULL AND EXISTS (SELECT 1 FROM temp.wanted w WHERE w.experiment = t.experiment) ORDER BY id;"
    "INSERT OR IGNORE INTO main.selected SELECT o.id, coalesce(r.superseded, r.id) FROM other.selection t"
    " JOIN main.selection o ON o.sweep = t.sweep AND o.experiment = t.experiment AND o.row = t.row"
    " AND o.finished = t.finished AND o.choice = t.choice JOIN other.selected d ON d.selection = t.id"
    " JOIN temp.pair p ON p.theirs = d.run JOIN main.run r ON r.id = p.ours;";

/* Leaves the runs of one experiment and of its tasks, NAME and NAME@TASK, or all if %Q is NULL.  Its selections may
 * share runs of other experiments. */
static const char wanted_sql[] =
    "CREATE TEMP TABLE wanted AS SELECT experiment FROM"
    " (SELECT experiment FROM temp.theirs UNION SELECT experiment FROM other.selection)"
    " WHERE %Q IS NULL OR experiment = %Q OR substr(experiment, 1, length(%Q) + 1) = %Q || '@';"
    "DELETE FROM temp.theirs WHERE experiment NOT IN (SELECT experiment FROM temp.wanted) AND id NOT IN"
    " (SELECT d.run FROM other.selection s JOIN other.selected d ON d.selection = s.id"
    " WHERE s.experiment IN (SELECT experiment FROM temp.wanted))";

static int choose_runs(merge *m)
{
    const char *name = m->source->experiment;
    if (m->version < 3)
        return !name && !m->source->brief
                   ? 0
                   : pb_error("%s: the schema version is %d; merge all of it into a new database first, of which an "
                              "experiment or a brief copy can be taken",
                              m->source->path, m->version);
    char *sql = sqlite3_mprintf(wanted_sql, name, name, name, name);
    int rc = sql ? pb_store_execute(m->store, sql) : -1;
    sqlite3_free(sql);
    return rc;
}

static int merge_all(merge *m)
{
    int rc = pb_store_source(m->store, "other.", &m->version) || choose_runs(m) ||
                     pb_store_execute(m->store, "CREATE TEMP TABLE pair (theirs INTEGER PRIMARY KEY, ours INTEGER)") ||
                     open_readers(m) || merge_runs(m)
                 ? -1
                 : 0;
    close_readers(m);
    if (!rc && m->source->experiment && !*m->added && !*m->known)
        rc = pb_error("%s: there are no runs of experiment '%s'", m->source->path, m->source->experiment);
    if (!rc && m->version >= 3)
        rc = pb_store_execute(m->store, merge_examples[m->version > 3]) || pb_store_execute(m->store, merge_rest);
    return rc || pb_store_select_scored(m->store) ? -1 : 0;
}

static int attach(pb_store *s, const char *from)
{
    char *address = pb_store_address(from, pb_store_in_use(from) ? "?mode=ro" : "?immutable=1");
    char *sql = sqlite3_mprintf("ATTACH %Q AS other", address);
    int rc = sql ? pb_store_execute(s, sql) : -1;
    sqlite3_free(sql);
    free(address);
    return rc;
}

int pb_store_merge(pb_store *s, const pb_merge_source *from, int *added, int *known)
{
    pb_store *other = pb_store_read(from->path); /* checks that it is a peftbench database */
    if (!other || pb_store_close(other))
        return -1;
    *added = *known = 0;
    merge m = {.store = s, .source = from, .added = added, .known = known};
    if (attach(s, from->path) || pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    int rc = pb_store_end(s, merge_all(&m));
    rc = rc || pb_store_execute(s, "DROP TABLE IF EXISTS temp.theirs; DROP TABLE IF EXISTS temp.wanted;"
                                   " DROP TABLE IF EXISTS temp.pair; DETACH other");
    return rc ? -1 : 0;
}
