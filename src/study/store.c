/* store: the schema, and what is written in one transaction. */
#include "study/store_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "model/plugin.h"
#include "numeric/blas.h"
#include "study/host.h"
#include "version.h"

#define SCHEMA_VERSION 2
#define APPLICATION 0x70656674 /* "peft", in the file's header */

static const char schema[] = "CREATE TABLE run ("
                             " id INTEGER PRIMARY KEY,"
                             " hash TEXT NOT NULL," /* of settings, seed, data, model and code */
                             " experiment TEXT NOT NULL,"
                             " task TEXT NOT NULL,"
                             " model TEXT NOT NULL,"
                             " row TEXT NOT NULL,"    /* 'lora', 'lora:all', 'lora+prefix'       */
                             " choice TEXT NOT NULL," /* what the sweeps chose                   */
                             " seed INTEGER NOT NULL,"
                             " status TEXT NOT NULL CHECK (status IN ('done', 'diverged', 'failed')),"
                             " error TEXT,"
                             " ended TEXT NOT NULL," /* UTC                                     */
                             " seconds REAL NOT NULL,"
                             " machine TEXT NOT NULL,"
                             " kernels TEXT NOT NULL,"
                             " threads INTEGER NOT NULL,"
                             " compiler TEXT NOT NULL,"
                             " flags TEXT NOT NULL,"
                             " version TEXT NOT NULL,"
                             " code TEXT NOT NULL"
                             ") STRICT;"
                             "CREATE INDEX run_by_hash ON run (hash);"
                             "CREATE INDEX run_by_row ON run (experiment, row);"
                             "CREATE TABLE setting ("
                             " run INTEGER NOT NULL REFERENCES run (id),"
                             " key TEXT NOT NULL,"
                             " value TEXT NOT NULL,"
                             " PRIMARY KEY (run, key)"
                             ") STRICT, WITHOUT ROWID;"
                             "CREATE TABLE value ("
                             " run INTEGER NOT NULL REFERENCES run (id),"
                             " key TEXT NOT NULL,"
                             " split TEXT NOT NULL CHECK (split IN ('', 'train', 'validation', 'test')),"
                             " step INTEGER NOT NULL," /* -1: of the whole run                    */
                             " value REAL,"            /* NULL: not a number                      */
                             " PRIMARY KEY (run, key, split, step)"
                             ") STRICT, WITHOUT ROWID;"
                             "CREATE TABLE prediction ("
                             " run INTEGER NOT NULL REFERENCES run (id),"
                             " split TEXT NOT NULL,"
                             " example INTEGER NOT NULL,"
                             " label INTEGER NOT NULL,"
                             " predicted INTEGER NOT NULL,"
                             " probability REAL,"
                             " PRIMARY KEY (run, split, example)"
                             ") STRICT, WITHOUT ROWID;"
                             "CREATE TABLE sample ("
                             " run INTEGER NOT NULL REFERENCES run (id),"
                             " key TEXT NOT NULL,"
                             " round INTEGER NOT NULL,"
                             " seconds REAL NOT NULL,"
                             " PRIMARY KEY (run, key, round)"
                             ") STRICT, WITHOUT ROWID;"
                             /* The latest finished run of each hash: what tables and figures are made from. */
                             "CREATE VIEW finished AS SELECT * FROM run WHERE id IN"
                             " (SELECT max(id) FROM run WHERE status <> 'failed' GROUP BY hash);";

/* Added by version 2: what was written, what metrics over a split need to know of each example, and what two runs
 * must have in common to be compared. */
static const char schema_2[] = "CREATE TABLE answer ("
                               " run INTEGER NOT NULL REFERENCES run (id),"
                               " split TEXT NOT NULL,"
                               " example INTEGER NOT NULL,"
                               " text TEXT NOT NULL,"
                               " PRIMARY KEY (run, split, example)"
                               ") STRICT, WITHOUT ROWID;"
                               "CREATE TABLE statistic ("
                               " run INTEGER NOT NULL REFERENCES run (id),"
                               " split TEXT NOT NULL,"
                               " metric TEXT NOT NULL,"
                               " example INTEGER NOT NULL,"
                               " numbers TEXT NOT NULL," /* a JSON list */
                               " PRIMARY KEY (run, split, metric, example)"
                               ") STRICT, WITHOUT ROWID;"
                               "CREATE TABLE provenance ("
                               " run INTEGER NOT NULL REFERENCES run (id),"
                               " key TEXT NOT NULL," /* data, model, template (SHA-256), metrics, budget */
                               " value TEXT NOT NULL,"
                               " PRIMARY KEY (run, key)"
                               ") STRICT, WITHOUT ROWID;"
                               /* Results of others, set beside ours and never mixed with them. */
                               "CREATE TABLE imported ("
                               " id INTEGER PRIMARY KEY,"
                               " source TEXT NOT NULL," /* the file's name                  */
                               " digest TEXT NOT NULL UNIQUE"
                               ") STRICT;"
                               "CREATE TABLE imported_value ("
                               " imported INTEGER NOT NULL REFERENCES imported (id),"
                               " key TEXT NOT NULL," /* 'train_info.file_size': the way to it in the file */
                               " value TEXT NOT NULL,"
                               " PRIMARY KEY (imported, key)"
                               ") STRICT, WITHOUT ROWID;";

static const char *const tables[] = {"run", "setting", "value", "prediction", "sample"};
static const char *const tables_2[] = {"answer", "statistic", "provenance", "imported", "imported_value"};

/* ---- errors and statements ---------------------------------------------------------------------------- */

int pb_store_fail(const pb_store *s)
{
    const char *advice = "";
    switch (sqlite3_errcode(s->db) & 0xff) {
    case SQLITE_NOMEM: pb_no_memory(s->path);
    case SQLITE_CORRUPT: advice = "; want a copy from before, or what `sqlite3 FILE .recover` finds"; break;
    case SQLITE_FULL: advice = "; want room on the disk, then the command again"; break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN: advice = "; want a file that may be written, or another --db"; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: advice = "; another program holds it: want the command again when that is done"; break;
    case SQLITE_IOERR: advice = "; want a disk that can be read and written, then the command again"; break;
    default: break;
    }
    return pb_error("%s: %s%s", s->path, sqlite3_errmsg(s->db), advice);
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

void pb_store_bind(sqlite3_stmt *q, int i, const char *text)
{
    int rc = text ? sqlite3_bind_text(q, i, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(q, i);
    if (rc == SQLITE_NOMEM)
        pb_no_memory("a query"); /* that lost an argument would have another answer */
}

int pb_store_insert(pb_store *s, sqlite3_stmt *q)
{
    int rc = sqlite3_step(q) == SQLITE_DONE ? 0 : pb_store_fail(s);
    sqlite3_reset(q);
    return rc;
}

static const char *split_name(int split)
{
    return split < 0 ? "" : pb_split_name[split];
}

/* ---- opening ------------------------------------------------------------------------------------------ */

static void add_guards(pb_text *sql, const char *const *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            pb_text_add(sql,
                        "CREATE TRIGGER %s_%s BEFORE %s ON %s BEGIN"
                        " SELECT raise(ABORT, 'results are append only'); END;",
                        table[i], k ? "update" : "delete", k ? "UPDATE" : "DELETE", table[i]);
}

/* What the file says it is; things: the tables and the like in it. */
struct identity {
    long long version, application, things;
};

static int identify(pb_store *s, struct identity *id)
{ /* in one statement: of one moment */
    sqlite3_stmt *q = pb_store_prepare(s, "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema)"
                                          " FROM pragma_user_version, pragma_application_id");
    if (!q)
        return -1;
    int rc = sqlite3_step(q) == SQLITE_ROW ? 0 : pb_store_fail(s);
    if (!rc)
        *id = (struct identity){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1), sqlite3_column_int64(q, 2)};
    sqlite3_finalize(q);
    return rc;
}

static bool is_empty(const struct identity *id)
{
    return !id->things && !id->version && !id->application;
}

/* Makes what the database lacks.  Two drivers may open one new file at once, so that what it lacks is asked for again
 * when nobody else can write. */
static int create(pb_store *s)
{
    struct identity id;
    if (pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    pb_text sql = {0};
    int rc = identify(s, &id);
    if (!rc && is_empty(&id)) {
        pb_text_add(&sql, "%s", schema);
        add_guards(&sql, tables, PB_COUNT(tables));
    }
    if (!rc && id.version < SCHEMA_VERSION) {
        pb_text_add(&sql, "%s", schema_2);
        add_guards(&sql, tables_2, PB_COUNT(tables_2));
        pb_text_add(&sql, "PRAGMA application_id=%d;PRAGMA user_version=%d;", APPLICATION, SCHEMA_VERSION);
    }
    pb_text_add(&sql, "COMMIT;");
    rc = rc || pb_store_execute(s, sql.data) ? -1 : 0;
    pb_text_free(&sql);
    return rc;
}

/* An empty file becomes a database; anything else must already be ours. */
static int check_schema(pb_store *s, bool writable)
{
    struct identity id;
    if (identify(s, &id))
        return -1;
    if (writable && is_empty(&id))
        return create(s);
    if (id.application != APPLICATION)
        return pb_error("%s: a database, but not of peftbench; want another --db", s->path);
    if (id.version == 1)
        return create(s);
    return id.version == SCHEMA_VERSION ? 0
                                        : pb_error("%s: schema version %lld; this program wants %d: want another --db",
                                                   s->path, id.version, SCHEMA_VERSION);
}

static pb_store *open_store(const char *path, bool writable)
{
    pb_store *s = pb_alloc(sizeof *s);
    s->path = pb_strdup(path);
    int flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
    int rc = sqlite3_open_v2(path, &s->db, flags, NULL) == SQLITE_OK ? 0 : pb_store_fail(s);
    if (!rc) {
        sqlite3_busy_timeout(s->db, 60000);
        rc = check_schema(s, writable) || (writable && pb_store_execute(s, "PRAGMA journal_mode=WAL;")) ||
             pb_store_execute(s, "PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;");
    }
    if (!rc)
        return s;
    pb_store_close(s);
    return NULL;
}

pb_store *pb_store_open(const char *path)
{
    char *folder = pb_strdup(path), *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    int rc = slash && *folder ? pb_make_dirs(folder) : 0;
    free(folder);
    return rc ? NULL : open_store(path, true);
}

pb_store *pb_store_read(const char *path)
{
    if (pb_file_exists(path))
        return open_store(path, false);
    pb_error("%s: no such database; `peftbench run EXPERIMENT` makes it", path);
    return NULL;
}

void pb_store_close(pb_store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

/* ---- writing ------------------------------------------------------------------------------------------ */

static int put_values(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO value VALUES (?, ?, ?, ?, ?)");
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < r->values && !rc; i++) {
        const pb_value *v = &r->value[i];
        sqlite3_bind_int64(q, 1, run);
        pb_store_bind(q, 2, v->key);
        pb_store_bind(q, 3, split_name(v->split));
        sqlite3_bind_int(q, 4, v->step);
        sqlite3_bind_double(q, 5, v->value); /* NaN becomes NULL */
        rc = pb_store_insert(s, q);
    }
    sqlite3_finalize(q);
    return rc;
}

static int put_answers(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO answer VALUES (?, ?, ?, ?)");
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < r->predictions && !rc; i++) {
        const pb_prediction *p = &r->prediction[i];
        if (!p->text)
            continue;
        sqlite3_bind_int64(q, 1, run);
        pb_store_bind(q, 2, split_name((int)p->split));
        sqlite3_bind_int(q, 3, p->example);
        pb_store_bind(q, 4, p->text);
        rc = pb_store_insert(s, q);
    }
    sqlite3_finalize(q);
    return rc;
}

static int put_statistics(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO statistic VALUES (?, ?, ?, ?, ?)");
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < r->statistics && !rc; i++) {
        const pb_statistic *t = &r->statistic[i];
        pb_text numbers = {0};
        for (int k = 0; k < t->count; k++)
            pb_text_add(&numbers, "%s%.17g", k ? "," : "[", t->x[k]);
        pb_text_add(&numbers, "]");
        sqlite3_bind_int64(q, 1, run);
        pb_store_bind(q, 2, split_name((int)t->split));
        pb_store_bind(q, 3, t->metric);
        sqlite3_bind_int(q, 4, t->example);
        pb_store_bind(q, 5, numbers.data);
        rc = pb_store_insert(s, q);
        pb_text_free(&numbers);
    }
    sqlite3_finalize(q);
    return rc;
}

static int put_predictions(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?)");
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < r->predictions && !rc; i++) {
        const pb_prediction *p = &r->prediction[i];
        if (p->text)
            continue;
        sqlite3_bind_int64(q, 1, run);
        pb_store_bind(q, 2, split_name((int)p->split));
        sqlite3_bind_int(q, 3, p->example);
        sqlite3_bind_int(q, 4, p->label);
        sqlite3_bind_int(q, 5, p->predicted);
        sqlite3_bind_double(q, 6, (double)p->probability);
        rc = pb_store_insert(s, q);
    }
    sqlite3_finalize(q);
    return rc;
}

static int put_samples(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO sample VALUES (?, ?, ?, ?)");
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < r->samples && !rc; i++) {
        sqlite3_bind_int64(q, 1, run);
        pb_store_bind(q, 2, r->sample[i].key);
        sqlite3_bind_int(q, 3, r->sample[i].round);
        sqlite3_bind_double(q, 4, r->sample[i].seconds);
        rc = pb_store_insert(s, q);
    }
    sqlite3_finalize(q);
    return rc;
}

static int put_result(pb_store *s, long long run, const pb_result *r)
{
    return put_values(s, run, r) || put_predictions(s, run, r) || put_answers(s, run, r) || put_statistics(s, run, r) ||
           put_samples(s, run, r);
}

static int put_fact(pb_store *s, sqlite3_stmt *q, long long run, const char *key, const char *value)
{
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, key);
    pb_store_bind(q, 3, value);
    return pb_store_insert(s, q);
}

static int put_settings(pb_store *s, long long run, const pb_experiment *e, const pb_cell *c)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO setting VALUES (?, ?, ?)");
    char *copy = pb_format("%stask.class_names=%s\n", c->settings, e->class_names), *rest = copy, *line;
    int rc = q ? 0 : -1;
    while (!rc && (line = strsep(&rest, "\n")) && *line) {
        char *value = strchr(line, '=');
        *value++ = 0;
        rc = put_fact(s, q, run, line, value);
    }
    free(copy);
    sqlite3_finalize(q);
    return rc;
}

/* "plugin.gate": the file's digest; "plugins": where it was found, for who reproduces the run. */
static int put_plugins(pb_store *s, sqlite3_stmt *q, long long run, const pb_cell *c)
{
    pb_text paths = {0};
    int rc = 0;
    for (int p = 0; p < c->row->parts && !rc; p++) {
        const pb_method *m = c->row->method[p];
        if (!pb_plugin_digest(m))
            continue;
        char *key = pb_format("plugin.%s", m->name);
        pb_text_add(&paths, "%s%s", paths.length ? ", " : "", pb_plugin_path(m));
        rc = put_fact(s, q, run, key, pb_plugin_digest(m)->hex);
        free(key);
    }
    rc = rc || (paths.length && put_fact(s, q, run, "plugins", paths.data)) ? -1 : 0;
    pb_text_free(&paths);
    return rc;
}

/* What a method may use and by what rule it stops. */
static char *budget_of(const pb_cell *c)
{
    const pb_train_options *o = &c->train;
    pb_text t = {0};
    pb_text_add(&t, "%d settings, %d epochs of batches of %d", c->row->choices, o->epochs, o->batch);
    if (o->patience)
        pb_text_add(&t, ", patience %d", o->patience);
    if (o->target > 0)
        pb_text_add(&t, ", target %.10g", o->target);
    return t.data;
}

/* Beside the run's row, which has machine and program. */
static int put_provenance(pb_store *s, long long run, const pb_experiment *e, const pb_cell *c)
{
    char *metrics = pb_format("%s %d", e->task->name, e->task->version);
    char *budget = budget_of(c);
    const char *row[][2] = {{"data", e->data.hex},
                            {"model", e->model.hex},
                            {"template", c->template.hex},
                            {"metrics", metrics},
                            {"budget", budget}};
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO provenance VALUES (?, ?, ?)");
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < PB_COUNT(row) && !rc; i++)
        rc = put_fact(s, q, run, row[i][0], row[i][1]);
    rc = rc || put_plugins(s, q, run, c) ? -1 : 0;
    sqlite3_finalize(q);
    free(metrics);
    free(budget);
    return rc;
}

static long long put_run(pb_store *s, const pb_experiment *e, const pb_cell *c, const char *status, const char *error,
                         double seconds)
{
    char ended[32];
    pb_timestamp(ended);
    const char *text[] = {c->hash.hex,    e->name,     e->task_name, e->model_path, c->row->label,
                          c->choice,      status,      error,        ended,         pb_host_name(),
                          pb_blas_name(), PB_COMPILER, PB_FLAGS,     PB_VERSION,    PB_CODE_VERSION};
    sqlite3_stmt *q =
        pb_store_prepare(s, "INSERT INTO run (hash, experiment, task, model, row, choice, status, error, ended,"
                            " machine, kernels, compiler, flags, version, code, seed, seconds, threads)"
                            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    if (!q)
        return -1;
    int n = (int)PB_COUNT(text);
    for (int i = 0; i < n; i++)
        pb_store_bind(q, i + 1, text[i]);
    sqlite3_bind_int64(q, n + 1, (sqlite3_int64)c->seed);
    sqlite3_bind_double(q, n + 2, seconds);
    sqlite3_bind_int(q, n + 3, pb_threads_count());
    int rc = pb_store_insert(s, q);
    sqlite3_finalize(q);
    return rc ? -1 : sqlite3_last_insert_rowid(s->db);
}

int pb_store_end(pb_store *s, int rc)
{
    if (!rc)
        rc = pb_store_execute(s, "COMMIT");
    if (rc)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc ? -1 : 0;
}

long long pb_store_run(pb_store *s, const pb_experiment *e, const pb_cell *c, const pb_result *r, const char *error,
                       double seconds)
{
    if (pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    long long run = put_run(s, e, c, r->status, error, seconds);
    int rc = run < 0 || put_settings(s, run, e, c) || put_provenance(s, run, e, c) || put_result(s, run, r);
    return pb_store_end(s, rc) ? -1 : run;
}

/* Another driver may have been faster: the first value of what is to be appended tells. */
static int has_value(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "SELECT 1 FROM value WHERE run = ? AND key = ? AND split = ? AND step = ?");
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, r->value[0].key);
    pb_store_bind(q, 3, split_name(r->value[0].split));
    sqlite3_bind_int(q, 4, r->value[0].step);
    int rc = sqlite3_step(q);
    int has = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : pb_store_fail(s);
    sqlite3_finalize(q);
    return has;
}

int pb_store_append(pb_store *s, long long run, const pb_result *r)
{
    if (pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    int has = r->values ? has_value(s, run, r) : 0;
    return pb_store_end(s, has ? has < 0 : put_result(s, run, r));
}

/* ---- reading ------------------------------------------------------------------------------------------ */

long long pb_store_find(pb_store *s, const pb_digest *hash)
{
    sqlite3_stmt *q = pb_store_prepare(s, "SELECT max(id) FROM run WHERE hash = ? AND status <> 'failed'");
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
    pb_store_bind(q, 3, split_name(split));
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
        value = sqlite3_column_double(q, 0);
    sqlite3_finalize(q);
    return value;
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
