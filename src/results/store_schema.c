/* store_schema: the tables, the check that a file is a peftbench database, and the migration of a database of an
 * earlier schema version: in the file if it is opened for writing, else in temporary tables. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "results/store_internal.h"

#define SCHEMA_VERSION 5
#define RUNS_SINCE 3 /* the version of the present columns of a run; version 4 differs in the examples, 5 has numbers */
#define APPLICATION 0x70656674 /* "peft", in the file's header */

/* Columns of a run since schema version 1. */
#define RUN_COLUMNS                                                                                                    \
    " id INTEGER PRIMARY KEY,"                                                                                         \
    " hash TEXT NOT NULL," /* of settings, seed, data, model and code */                                               \
    " experiment TEXT NOT NULL,"                                                                                       \
    " task TEXT NOT NULL,"                                                                                             \
    " model TEXT NOT NULL,"                                                                                            \
    " row TEXT NOT NULL,"    /* 'lora', 'lora:all', 'lora+prefix' */                                                   \
    " choice TEXT NOT NULL," /* 'lr=1e-3': the values of the tuned settings */                                         \
    " seed INTEGER NOT NULL,"                                                                                          \
    " status TEXT NOT NULL CHECK (status IN ('done', 'diverged', 'failed')),"                                          \
    " error TEXT,"                                                                                                     \
    " ended TEXT NOT NULL," /* UTC */                                                                                  \
    " seconds REAL NOT NULL,"                                                                                          \
    " machine TEXT NOT NULL,"                                                                                          \
    " kernels TEXT NOT NULL,"                                                                                          \
    " threads INTEGER NOT NULL,"                                                                                       \
    " compiler TEXT NOT NULL,"                                                                                         \
    " flags TEXT NOT NULL,"                                                                                            \
    " version TEXT NOT NULL,"                                                                                          \
    " code TEXT NOT NULL"

/* Columns of an example since schema version 3; version 4 adds the second text of a pair. */
#define EXAMPLE_COLUMNS                                                                                                \
    " data TEXT NOT NULL,"                                                                                             \
    " split TEXT NOT NULL,"                                                                                            \
    " example INTEGER NOT NULL," /* as in prediction and answer */                                                     \
    " line INTEGER NOT NULL,"    /* of the data's file */                                                              \
    " digest TEXT NOT NULL,"     /* SHA-256 of the text; of a pair with NUL between */                                 \
    " text TEXT NOT NULL,"                                                                                             \
    " wanted TEXT" /* a JSON list: right answers, where answers are texts; of a question its choices */
#define EXAMPLE_KEY " PRIMARY KEY (data, split, example)) STRICT, WITHOUT ROWID"

/* What each run said of each text.  `second` adds a column after that of the text, `numbers` the predicted numbers. */
#define PREDICTION_VIEW(second, numbers)                                                                               \
    "CREATE VIEW %sv_prediction AS"                                                                                    \
    " SELECT r.experiment, r.row, r.choice, r.seed, r.id AS run, p.split, p.example, e.text" second                    \
    ", l.name AS label,"                                                                                               \
    " s.name AS predicted, p.probability, p.label = p.predicted AS right"                                              \
    " FROM finished r JOIN prediction p ON p.run = r.id"                                                               \
    " LEFT JOIN example e ON e.data = r.data AND e.split = p.split AND e.example = p.example"                          \
    " LEFT JOIN class l ON l.data = r.data AND l.label = p.label"                                                      \
    " LEFT JOIN class s ON s.data = r.data AND s.label = p.predicted"                                                  \
    " UNION ALL SELECT r.experiment, r.row, r.choice, r.seed, r.id, a.split, a.example, e.text" second                 \
    ", e.wanted, a.text, NULL,"                                                                                        \
    " NULL FROM finished r JOIN answer a ON a.run = r.id"                                                              \
    " LEFT JOIN example e ON e.data = r.data AND e.split = a.split AND e.example = a.example" numbers
#define NUMBERS                                                                                                        \
    " UNION ALL SELECT r.experiment, r.row, r.choice, r.seed, r.id, n.split, n.example, e.text, e.second,"             \
    " n.target, n.value, NULL, NULL FROM finished r JOIN number n ON n.run = r.id"                                     \
    " LEFT JOIN example e ON e.data = r.data AND e.split = n.split AND e.example = n.example"

/* A table, index or view, and the schema versions that have it.  Triggers protect a table against changes unless it is
 * `free`. */
typedef struct schema_object {
    int since, until; /* `until` is 0 if the current version has it */
    bool table, free;
    const char *create; /* %s stands for the schema name with a point, "temp.", or "" for the file */
    const char *name;
} schema_object;

static const schema_object objects[] = {
    {1, 2, true, false, "CREATE TABLE %srun (" RUN_COLUMNS ") STRICT", "run"},
    {3, 0, true, false,
     "CREATE TABLE %srun (" RUN_COLUMNS ","
     " data TEXT,"                            /* digest of the task's data: example.data; NULL: not known */
     " superseded INTEGER REFERENCES run(id)" /* NULL: this run counts; else the run of the same hash that does */
     ") STRICT",
     "run"},
    {1, 0, false, false, "CREATE INDEX %srun_by_hash ON run (hash)", "run_by_hash"},
    {1, 0, false, false, "CREATE INDEX %srun_by_row ON run (experiment, row)", "run_by_row"},
    /* One result a hash, whoever works on it. */
    {3, 0, false, false, "CREATE UNIQUE INDEX %srun_once ON run (hash) WHERE status <> 'failed' AND superseded IS NULL",
     "run_once"},
    {1, 0, true, false,
     "CREATE TABLE %ssetting ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " key TEXT NOT NULL,"
     " value TEXT NOT NULL,"
     " PRIMARY KEY (run, key)"
     ") STRICT, WITHOUT ROWID",
     "setting"},
    {1, 0, true, false,
     "CREATE TABLE %svalue ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " key TEXT NOT NULL,"
     " split TEXT NOT NULL CHECK (split IN ('', 'train', 'validation', 'test')),"
     " step INTEGER NOT NULL," /* -1: of the whole run */
     " value REAL,"            /* NULL: not a number   */
     " PRIMARY KEY (run, key, split, step)"
     ") STRICT, WITHOUT ROWID",
     "value"},
    {1, 0, true, false,
     "CREATE TABLE %sprediction ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " split TEXT NOT NULL,"
     " example INTEGER NOT NULL,"
     " label INTEGER NOT NULL,"
     " predicted INTEGER NOT NULL,"
     " probability REAL,"
     " PRIMARY KEY (run, split, example)"
     ") STRICT, WITHOUT ROWID",
     "prediction"},
    {1, 0, true, false,
     "CREATE TABLE %ssample ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " key TEXT NOT NULL,"
     " round INTEGER NOT NULL,"
     " seconds REAL NOT NULL,"
     " PRIMARY KEY (run, key, round)"
     ") STRICT, WITHOUT ROWID",
     "sample"},
    {2, 0, true, false, /* what was written */
     "CREATE TABLE %sanswer ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " split TEXT NOT NULL,"
     " example INTEGER NOT NULL,"
     " text TEXT NOT NULL,"
     " PRIMARY KEY (run, split, example)"
     ") STRICT, WITHOUT ROWID",
     "answer"},
    {5, 0, true, false, /* the numbers that were predicted */
     "CREATE TABLE %snumber ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " split TEXT NOT NULL,"
     " example INTEGER NOT NULL,"
     " target REAL NOT NULL,"
     " value REAL,"
     " PRIMARY KEY (run, split, example)"
     ") STRICT, WITHOUT ROWID",
     "number"},
    {2, 0, true, false, /* what metrics over a split need to know of each example */
     "CREATE TABLE %sstatistic ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " split TEXT NOT NULL,"
     " metric TEXT NOT NULL,"
     " example INTEGER NOT NULL,"
     " numbers TEXT NOT NULL," /* a JSON list */
     " PRIMARY KEY (run, split, metric, example)"
     ") STRICT, WITHOUT ROWID",
     "statistic"},
    {2, 0, true, false, /* what two runs must have in common to be compared */
     "CREATE TABLE %sprovenance ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " key TEXT NOT NULL," /* data, model, template (SHA-256), metrics, budget */
     " value TEXT NOT NULL,"
     " PRIMARY KEY (run, key)"
     ") STRICT, WITHOUT ROWID",
     "provenance"},
    {2, 0, true, false, /* results of other programs, which are never mixed with runs of peftbench */
     "CREATE TABLE %simported ("
     " id INTEGER PRIMARY KEY,"
     " source TEXT NOT NULL," /* the file's name */
     " digest TEXT NOT NULL UNIQUE"
     ") STRICT",
     "imported"},
    {2, 0, true, false,
     "CREATE TABLE %simported_value ("
     " imported INTEGER NOT NULL REFERENCES imported (id),"
     " key TEXT NOT NULL," /* 'train_info.file_size': the way to it in the file */
     " value TEXT NOT NULL,"
     " PRIMARY KEY (imported, key)"
     ") STRICT, WITHOUT ROWID",
     "imported_value"},
    {3, 3, true, false, /* the examples that are predicted, once for all runs on the same data */
     "CREATE TABLE %sexample (" EXAMPLE_COLUMNS "," EXAMPLE_KEY, "example"},
    {4, 0, true, false, "CREATE TABLE %sexample (" EXAMPLE_COLUMNS ", second TEXT," EXAMPLE_KEY, "example"},
    {3, 0, true, false,
     "CREATE TABLE %sclass ("
     " data TEXT NOT NULL,"
     " label INTEGER NOT NULL,"
     " name TEXT NOT NULL,"
     " PRIMARY KEY (data, label)"
     ") STRICT, WITHOUT ROWID",
     "class"},
    {3, 0, true, false, /* which setting was chosen; made when its test split is scored */
     "CREATE TABLE %sselection ("
     " id INTEGER PRIMARY KEY,"
     " sweep TEXT," /* SHA-256 of the row's cells; NULL: of a database before version 3 */
     " experiment TEXT NOT NULL,"
     " row TEXT NOT NULL,"
     " choice TEXT NOT NULL,"
     " settings INTEGER NOT NULL," /* between which it was chosen */
     " cells INTEGER NOT NULL,"    /* runs of the sweep: settings x seeds */
     " finished INTEGER NOT NULL," /* of them, when it was chosen */
     " partial INTEGER NOT NULL CHECK (partial = (finished < cells)),"
     " UNIQUE (sweep, experiment, row, finished)"
     ") STRICT",
     "selection"},
    {3, 0, false, false, "CREATE INDEX %sselection_by_row ON selection (row, experiment)", "selection_by_row"},
    {3, 0, true, false, /* the runs of the setting chosen, one a seed */
     "CREATE TABLE %sselected ("
     " selection INTEGER NOT NULL REFERENCES selection (id),"
     " run INTEGER NOT NULL REFERENCES run (id),"
     " PRIMARY KEY (selection, run)"
     ") STRICT, WITHOUT ROWID",
     "selected"},
    {3, 0, true, false, /* numbers of a run's course, for `check`: see train/trace.h */
     "CREATE TABLE %strace ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " name TEXT NOT NULL,"    /* loss, gradient_norm: of each step; logits, logits.merged: of the probe */
     " step INTEGER NOT NULL," /* after so many steps; -1: of the whole run, or at its end */
     " numbers TEXT NOT NULL," /* a JSON list */
     " PRIMARY KEY (run, name, step)"
     ") STRICT, WITHOUT ROWID",
     "trace"},
    {3, 0, true, false, /* of every trainable tensor, at some points of training, for `check` */
     "CREATE TABLE %sfingerprint ("
     " run INTEGER NOT NULL REFERENCES run (id),"
     " number INTEGER NOT NULL," /* in the order of the model */
     " tensor TEXT NOT NULL,"
     " prints BLOB NOT NULL," /* see store_trace.c */
     " PRIMARY KEY (run, number)"
     ") STRICT, WITHOUT ROWID",
     "fingerprint"},
    {3, 0, true, true, /* who works on what, see store_claim.c */
     "CREATE TABLE %sclaim ("
     " hash TEXT NOT NULL,"
     " pass TEXT NOT NULL,"       /* train, test, time */
     " place TEXT NOT NULL,"      /* machine, boot and process namespace */
     " process INTEGER NOT NULL," /* in that place */
     " started INTEGER NOT NULL," /* the process: tells it from a later one of its number */
     " until INTEGER NOT NULL,"   /* Unix time; for those who cannot see the process */
     " PRIMARY KEY (hash, pass)"
     ") STRICT, WITHOUT ROWID",
     "claim"},
    {1, 2, false, false,
     "CREATE VIEW %sfinished AS SELECT * FROM run WHERE id IN"
     " (SELECT max(id) FROM run WHERE status <> 'failed' GROUP BY hash)",
     "finished"},
    {3, 0, false, false, /* what tables and figures are made from */
     "CREATE VIEW %sfinished AS SELECT * FROM run WHERE status <> 'failed' AND superseded IS NULL", "finished"},
    {3, 0, false, false, /* whole-run values of the settings that were chosen */
     "CREATE VIEW %sv_result AS"
     " SELECT s.experiment, s.row, s.choice, s.id AS selection, s.sweep, s.partial, r.id AS run, r.seed, v.split, "
     "v.key,"
     " v.value FROM selection s JOIN selected d ON d.selection = s.id JOIN run r ON r.id = d.run"
     " JOIN value v ON v.run = r.id AND v.step = -1",
     "v_result"},
    {3, 3, false, false, PREDICTION_VIEW("", ""), "v_prediction"},
    {4, 4, false, false, PREDICTION_VIEW(", e.second", ""), "v_prediction"},
    {5, 0, false, false, PREDICTION_VIEW(", e.second", NUMBERS), "v_prediction"}, /* what each run said of each text */
};

static bool is_in(const schema_object *t, long long version)
{
    return t->since <= version && (!t->until || version <= t->until);
}

static void add_triggers(pb_text *sql, const char *table)
{
    for (int k = 0; k < 2; k++)
        pb_text_add(sql,
                    "CREATE TRIGGER IF NOT EXISTS %s_%s BEFORE %s ON %s BEGIN"
                    " SELECT raise(ABORT, 'results are append only'); END;",
                    table, k ? "update" : "delete", k ? "UPDATE" : "DELETE", table);
}

/* Creates what version `to` has and version `from` has not, in a schema such as "temp."; guards in "" alone. */
static void add_objects(pb_text *sql, const char *in, int from, int to)
{
    for (size_t i = 0; i < PB_COUNT(objects); i++) {
        const schema_object *t = &objects[i];
        if (!is_in(t, to) || is_in(t, from))
            continue;
        pb_text_add(sql, t->create, in);
        pb_text_add(sql, ";");
        if (t->table && !t->free && !*in)
            add_triggers(sql, t->name);
    }
}

/* ---- identification of a file --------------------------------------------------------------------------- */

/* What the header of a file says, and how many tables, indexes, views and triggers it has. */
struct identity {
    long long version, application, objects;
};

static int identify(pb_store *s, struct identity *id)
{ /* one statement, so that all three are consistent */
    sqlite3_stmt *q = pb_store_prepare(s,
                                       "SELECT user_version, application_id, (SELECT count(*) FROM main.sqlite_schema)"
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
    return !id->objects && !id->version && !id->application;
}

/* ---- check of the schema --------------------------------------------------------------------------------- */

/* Returns whether two statements are equal apart from white space. */
static bool is_same_text(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (isspace((unsigned char)*a))
            a++;
        while (isspace((unsigned char)*b))
            b++;
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

/* Creates a database in memory with the schema of version `version`. */
static int make_model(pb_store *model, int version)
{
    pb_text sql = {0};
    int rc = sqlite3_open_v2(":memory:", &model->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK ? 0
                                                                                               : pb_store_fail(model);
    add_objects(&sql, "", 0, version);
    rc = rc || pb_store_execute(model, sql.data) ? -1 : 0;
    pb_text_free(&sql);
    return rc;
}

/* Compares one object of the file with the object of that name in the model database. */
static int compare_object(pb_store *s, sqlite3_stmt *one, pb_store *model, sqlite3_stmt *want)
{
    const char *type = (const char *)sqlite3_column_text(one, 0), *name = (const char *)sqlite3_column_text(one, 1),
               *sql = (const char *)sqlite3_column_text(one, 2);
    pb_store_bind(want, 1, type);
    pb_store_bind(want, 2, name);
    int step = sqlite3_step(want), rc = 0;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        rc = pb_store_fail(model);
    else if (step == SQLITE_DONE || !sql || !is_same_text(sql, (const char *)sqlite3_column_text(want, 0)))
        rc = pb_error("%s: its %s '%s' was not created by peftbench; want a database that holds results only", s->path,
                      type ? type : "?", name ? name : "?");
    sqlite3_reset(want);
    return rc;
}

/* Compares all objects of the file with those of the model database.  Another program's view could return wrong rows in
 * place of our tables, or never end.  `seen` receives the number of tables, indexes and views, and that of triggers. */
static int compare_all(pb_store *s, pb_store *model, int seen[2])
{
    sqlite3_stmt *have = pb_store_prepare(s, "SELECT type, name, sql FROM main.sqlite_schema"
                                             " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    sqlite3_stmt *want = pb_store_prepare(model, "SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?");
    int rc = have && want ? 0 : -1, step = SQLITE_DONE;
    while (!rc && (step = sqlite3_step(have)) == SQLITE_ROW) {
        rc = compare_object(s, have, model, want);
        seen[!rc && !strcmp((const char *)sqlite3_column_text(have, 0), "trigger")]++;
    }
    if (!rc && step != SQLITE_DONE)
        rc = pb_store_fail(s);
    sqlite3_finalize(have);
    sqlite3_finalize(want);
    return rc;
}

/* Triggers may be missing, because opening for writing creates them again.  Tables and views may not. */
static int check_objects(pb_store *s, int version, bool *has_triggers)
{
    pb_store model = {.path = s->path};
    int seen[2] = {0}, all = 0, triggers = 0;
    for (size_t i = 0; i < PB_COUNT(objects); i++)
        if (is_in(&objects[i], version)) {
            all++;
            triggers += objects[i].table && !objects[i].free ? 2 : 0;
        }
    int rc = make_model(&model, version) || compare_all(s, &model, seen) ? -1 : 0;
    sqlite3_close(model.db);
    *has_triggers = seen[1] == triggers;
    if (!rc && seen[0] < all)
        rc = pb_error("%s: tables are missing; want a database that `peftbench run` created", s->path);
    return rc;
}

/* ---- migration --------------------------------------------------------------------------------------------- */

/* Returns a query for the runs of an earlier schema version in the schema `in` ("main.") with the current columns.  Of
 * several results with one hash, the first that was scored on test is valid, else the first; the others are
 * superseded. */
static char *runs_of_earlier(const char *in, int version)
{
    const char *data = "NULL";
    char *known = version > 1 ? pb_format("(SELECT value FROM %sprovenance WHERE run = r.id AND key = 'data')", in)
                              : NULL;
    char *sql = pb_format(
        "WITH result AS (SELECT id, hash, EXISTS (SELECT 1 FROM %svalue v WHERE v.run = r.id"
        " AND v.key >= 'accuracy.test.' AND v.key < 'accuracy.test/') AS tested FROM %srun r WHERE status <> 'failed'),"
        " counts AS (SELECT hash, coalesce(min(CASE WHEN tested THEN id END), min(id)) AS id FROM result GROUP BY hash)"
        " SELECT r.*, %s AS data, CASE WHEN r.status = 'failed' OR counts.id = r.id THEN NULL ELSE counts.id END"
        " AS superseded FROM %srun r LEFT JOIN counts USING (hash)",
        in, in, known ? known : data, in);
    free(known);
    return sql;
}

/* Earlier schema versions did not store selections.  A run that was scored on test had been chosen; the number of
 * settings among which it was chosen is part of its budget. */
#define SCORED                                                                                                         \
    "r.status <> 'failed' AND r.superseded IS NULL AND EXISTS (SELECT 1 FROM value v WHERE v.run = r.id"               \
    " AND v.key >= 'accuracy.test.' AND v.key < 'accuracy.test/')"                                                     \
    " AND r.id NOT IN (SELECT run FROM selected)"
static const char selections_of_old[] =
    "INSERT INTO selection (sweep, experiment, row, choice, settings, cells, finished, partial)"
    " SELECT NULL, experiment, row, choice, max(settings), max(settings) * count(DISTINCT seed),"
    " max(settings) * count(DISTINCT seed), 0 FROM (SELECT r.id, r.experiment, r.row, r.choice, r.seed,"
    " coalesce((SELECT CAST(value AS INTEGER) FROM provenance WHERE run = r.id AND key = 'budget'), 1) AS settings"
    " FROM run r WHERE " SCORED " AND NOT EXISTS (SELECT 1 FROM selection s WHERE s.sweep IS NULL"
    " AND s.experiment = r.experiment AND s.row = r.row AND s.choice = r.choice))"
    " GROUP BY experiment, row, choice ORDER BY max(id);"
    "INSERT INTO selected SELECT s.id, r.id FROM run r JOIN selection s ON s.row = r.row"
    " AND s.experiment = r.experiment AND s.choice = r.choice AND s.sweep IS NULL WHERE " SCORED ";";

/* Creates tables of runs of version 3 in the file's or the temporary schema from those of an earlier version. */
static void add_runs(pb_text *sql, const char *in, const char *runs)
{
    pb_text_add(sql,
                "CREATE INDEX %srun_by_hash ON run (hash); CREATE INDEX %srun_by_row ON run (experiment, row);"
                "INSERT INTO %srun %s; %s",
                in, in, in, runs, selections_of_old);
}

/* Migrates the tables of the file to the current schema version. */
static void add_migration(pb_text *sql, int version)
{
    bool runs = version < RUNS_SINCE, examples = version == RUNS_SINCE;
    char *table = runs ? runs_of_earlier("main.", version) : pb_strdup("SELECT *, NULL AS second FROM main.example");
    if (runs || examples)
        pb_text_add(sql, "CREATE TEMP TABLE migrated AS %s;", table);
    pb_text_add(sql, "%s%s", runs ? "DROP VIEW finished; DROP TABLE run;" : "DROP VIEW v_prediction;",
                examples ? "DROP TABLE example;" : "");
    add_objects(sql, "", version, SCHEMA_VERSION);
    if (runs) {
        add_triggers(sql, "run");
        add_runs(sql, "", "SELECT * FROM temp.migrated");
    } else if (examples) {
        pb_text_add(sql, "INSERT INTO example SELECT * FROM temp.migrated;");
    }
    if (runs || examples)
        pb_text_add(sql, "DROP TABLE temp.migrated;");
    free(table);
}

/* Migrates into temporary tables, which SQLite finds before the tables of the file. */
static int migrate_in_temp(pb_store *s, int version)
{
    char *runs = version < RUNS_SINCE ? runs_of_earlier("main.", version) : NULL;
    pb_text sql = {0};
    pb_text_add(&sql, "PRAGMA temp_store=MEMORY; BEGIN;");
    add_objects(&sql, "temp.", version, SCHEMA_VERSION);
    if (runs)
        add_runs(&sql, "temp.", runs);
    else if (version == RUNS_SINCE)
        pb_text_add(&sql, "INSERT INTO temp.example SELECT *, NULL FROM main.example;");
    pb_text_add(&sql, "COMMIT;");
    int rc = pb_store_execute(s, sql.data);
    pb_text_free(&sql);
    free(runs);
    return rc;
}

int pb_store_select_scored(pb_store *s)
{
    return pb_store_execute(s, selections_of_old);
}

int pb_store_source(pb_store *s, const char *in, int *version)
{
    char *pragma = pb_format("PRAGMA %suser_version", in);
    sqlite3_stmt *q = pb_store_prepare(s, pragma);
    free(pragma);
    int rc = q && pb_store_step(s, q) == 1 ? 0 : -1;
    *version = rc ? 0 : sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    if (rc)
        return -1;
    char *runs = *version < RUNS_SINCE ? runs_of_earlier(in, *version) : pb_format("SELECT * FROM %srun", in);
    char *sql = pb_format("CREATE TEMP TABLE theirs AS %s; CREATE UNIQUE INDEX temp.theirs_by_id ON theirs (id)", runs);
    rc = pb_store_execute(s, sql);
    free(sql);
    free(runs);
    return rc;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

/* Creates or migrates the schema.  Two drivers may open a new file at the same time, so the file is identified again
 * inside the transaction. */
static int create(pb_store *s)
{
    struct identity id;
    if (pb_store_execute(s, "PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE"))
        return -1;
    pb_text sql = {0};
    int rc = identify(s, &id);
    if (!rc && is_empty(&id))
        add_objects(&sql, "", 0, SCHEMA_VERSION);
    else if (!rc && id.version < SCHEMA_VERSION)
        add_migration(&sql, (int)id.version);
    if (sql.data)
        pb_text_add(&sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;", APPLICATION, SCHEMA_VERSION);
    rc = rc || (sql.data && pb_store_execute(s, sql.data)) ? -1 : 0;
    pb_text_free(&sql);
    return pb_store_end(s, rc);
}

static int restore_triggers(pb_store *s)
{
    pb_text sql = {0};
    for (size_t i = 0; i < PB_COUNT(objects); i++)
        if (is_in(&objects[i], SCHEMA_VERSION) && objects[i].table && !objects[i].free)
            add_triggers(&sql, objects[i].name);
    int rc = pb_store_execute(s, sql.data);
    pb_text_free(&sql);
    return rc;
}

int pb_store_schema(pb_store *s, bool writable)
{
    struct identity id;
    bool has_triggers = true;
    if (identify(s, &id))
        return -1;
    if (writable && is_empty(&id))
        return create(s);
    if (id.application != APPLICATION)
        return pb_error("%s: not a peftbench database; choose another one with --db", s->path);
    if (id.version < 1 || id.version > SCHEMA_VERSION)
        return pb_error("%s: the schema version is %lld; want 1..%d, or another database with --db", s->path,
                        id.version, SCHEMA_VERSION);
    if (check_objects(s, (int)id.version, &has_triggers))
        return -1;
    if (id.version < SCHEMA_VERSION)
        return writable ? create(s) : migrate_in_temp(s, (int)id.version);
    return writable && !has_triggers ? restore_triggers(s) : 0;
}
