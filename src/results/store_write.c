/* store_write: writing runs, their results and the data sets, each in one transaction. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "base/json.h"
#include "model/plugin.h"
#include "numeric/blas.h"
#include "base/host.h"
#include "results/store_internal.h"
#include "version.h"

/* ---- parts of a result ---------------------------------------------------------------------------------------- */

/* Binds item i to the parameters of an insertion from the second on; the first is the run.  Returns false if the item
 * does not belong to the table. */
typedef bool bind_item(sqlite3_stmt *q, const pb_result *r, size_t i);

static bool bind_value(sqlite3_stmt *q, const pb_result *r, size_t i)
{
    const pb_result_value *v = &r->value[i];
    pb_store_bind(q, 2, v->key);
    pb_store_bind(q, 3, pb_store_split(v->split));
    sqlite3_bind_int(q, 4, v->step);
    sqlite3_bind_double(q, 5, v->value); /* NaN becomes NULL */
    return true;
}

static bool bind_answer(sqlite3_stmt *q, const pb_result *r, size_t i)
{
    const pb_prediction *p = &r->prediction[i];
    pb_store_bind(q, 2, pb_store_split((int)p->split));
    sqlite3_bind_int(q, 3, p->example);
    pb_store_bind(q, 4, p->text);
    return p->text;
}

static bool bind_statistic(sqlite3_stmt *q, const pb_result *r, size_t i)
{
    const pb_statistic *t = &r->statistic[i];
    pb_text numbers = {0};
    for (int k = 0; k < t->count; k++)
        if (isfinite(t->x[k]))
            pb_text_add(&numbers, "%s%.17g", k ? "," : "[", t->x[k]);
        else
            pb_text_add(&numbers, "%snull", k ? "," : "[");
    pb_text_add(&numbers, t->count ? "]" : "[]");
    pb_store_bind(q, 2, pb_store_split((int)t->split));
    pb_store_bind(q, 3, t->metric);
    sqlite3_bind_int(q, 4, t->example);
    pb_store_bind(q, 5, numbers.data);
    pb_text_free(&numbers);
    return true;
}

static bool bind_prediction(sqlite3_stmt *q, const pb_result *r, size_t i)
{
    const pb_prediction *p = &r->prediction[i];
    pb_store_bind(q, 2, pb_store_split((int)p->split));
    sqlite3_bind_int(q, 3, p->example);
    sqlite3_bind_int(q, 4, p->label);
    sqlite3_bind_int(q, 5, p->predicted);
    sqlite3_bind_double(q, 6, (double)p->probability);
    return !p->text && !p->number;
}

static bool bind_number(sqlite3_stmt *q, const pb_result *r, size_t i)
{
    const pb_prediction *p = &r->prediction[i];
    pb_store_bind(q, 2, pb_store_split((int)p->split));
    sqlite3_bind_int(q, 3, p->example);
    sqlite3_bind_double(q, 4, p->target);
    sqlite3_bind_double(q, 5, p->value); /* NULL if it is NaN */
    return p->number;
}

static bool bind_sample(sqlite3_stmt *q, const pb_result *r, size_t i)
{
    pb_store_bind(q, 2, r->sample[i].key);
    sqlite3_bind_int(q, 3, r->sample[i].round);
    sqlite3_bind_double(q, 4, r->sample[i].seconds);
    return true;
}

static int put_items(pb_store *s, long long run, const char *sql, bind_item *bind, size_t n, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, sql);
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < n && !rc; i++) {
        sqlite3_bind_int64(q, 1, run);
        rc = bind(q, r, i) ? pb_store_insert(s, q) : 0;
    }
    sqlite3_finalize(q);
    return rc;
}

static int put_result(pb_store *s, long long run, const pb_result *r)
{
    return put_items(s, run, "INSERT INTO value VALUES (?, ?, ?, ?, ?)", bind_value, r->values, r) ||
           put_items(s, run, "INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?)", bind_prediction, r->predictions, r) ||
           put_items(s, run, "INSERT INTO answer VALUES (?, ?, ?, ?)", bind_answer, r->predictions, r) ||
           put_items(s, run, "INSERT INTO number VALUES (?, ?, ?, ?, ?)", bind_number, r->predictions, r) ||
           put_items(s, run, "INSERT INTO statistic VALUES (?, ?, ?, ?, ?)", bind_statistic, r->statistics, r) ||
           put_items(s, run, "INSERT INTO sample VALUES (?, ?, ?, ?)", bind_sample, r->samples, r) ||
           pb_store_put_trace(s, run, r);
}

static int put_pair(pb_store *s, sqlite3_stmt *q, long long run, const char *key, const char *value)
{
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, key);
    pb_store_bind(q, 3, value);
    return pb_store_insert(s, q);
}

static int put_settings(pb_store *s, long long run, const pb_experiment *e, const pb_cell *c)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO setting VALUES (?, ?, ?)");
    int rc = q ? 0 : -1;
    for (size_t i = 0; i < c->settings->count && !rc; i++)
        rc = put_pair(s, q, run, c->settings->item[i].key, c->settings->item[i].value);
    rc = rc || put_pair(s, q, run, "task.class_names", e->class_names) ? -1 : 0;
    sqlite3_finalize(q);
    return rc;
}

/* Stores the digest of each plugin file under "plugin.NAME" and their paths under "plugins". */
static int put_plugins(pb_store *s, sqlite3_stmt *q, long long run, const pb_cell *c)
{
    pb_text paths = {0};
    int rc = 0;
    for (int p = 0; p < c->row->spec.parts && !rc; p++) {
        const pb_method *m = c->part[p].method;
        if (!pb_plugin_digest(m))
            continue;
        char *key = pb_format("plugin.%s", m->name);
        pb_text_add(&paths, "%s%s", paths.length ? ", " : "", pb_plugin_path(m));
        rc = put_pair(s, q, run, key, pb_plugin_digest(m)->hex);
        free(key);
    }
    rc = rc || (paths.length && put_pair(s, q, run, "plugins", paths.data)) ? -1 : 0;
    pb_text_free(&paths);
    return rc;
}

/* Stores a value under "WHAT.NAME". */
static int put_named(pb_store *s, sqlite3_stmt *q, long long run, const char *what, const char *name, const char *value)
{
    char *key = pb_format("%s.%s", what, name);
    int rc = put_pair(s, q, run, key, value);
    free(key);
    return rc;
}

/* Stores the version of the code that made the run, part by part; plugins are stored by put_plugins. */
static int put_code(pb_store *s, sqlite3_stmt *q, long long run, const pb_experiment *e, const pb_cell *c)
{
    int rc = put_pair(s, q, run, PB_CODE_ENGINE, PB_CODE_VERSION) ||
                     put_named(s, q, run, PB_CODE_TASK, e->task->name, pb_task_digest(e->task))
                 ? -1
                 : 0;
    for (int p = 0; p < c->row->spec.parts && !rc; p++) {
        const pb_method *m = c->part[p].method;
        if (!pb_plugin_digest(m))
            rc = put_named(s, q, run, PB_CODE_METHOD, m->name, pb_method_digest(m));
    }
    return rc;
}

/* Describes the tuning and training budget of a row and its stopping rule. */
static char *budget_of(const pb_cell *c)
{
    const pb_train_options *o = &c->train;
    pb_text t = {0};
    pb_text_add(&t, "%d settings, %d epochs of batches of %d", c->row->choices, o->epochs, o->batch);
    if (o->patience)
        pb_text_add(&t, ", patience %d", o->patience);
    if (o->target > 0)
        pb_text_add(&t, ", target %.10g", o->target);
    if (o->max_flops > 0)
        pb_text_add(&t, ", %.10g FLOPs", o->max_flops);
    if (o->max_seconds > 0)
        pb_text_add(&t, ", %.10g seconds", o->max_seconds);
    return t.data;
}

/* Stores where the task's files were found beside the INI files. */
static int put_files(pb_store *s, sqlite3_stmt *q, long long run, const pb_experiment *e)
{
    int rc = 0;
    for (const pb_option *o = e->task->options; o->name && !rc; o++) {
        char *key = pb_format("task.%s", o->name), *path = pb_experiment_file(e, key);
        char *name = pb_format("%s.%s", PB_FILE, o->name);
        if (path)
            rc = put_pair(s, q, run, name, path);
        free(key);
        free(name);
        free(path);
    }
    return rc;
}

/* Stores the settings of the experiment that decide how its results are shown, as far as they are given. */
static int put_view(pb_store *s, sqlite3_stmt *q, long long run, const pb_experiment *e)
{
    const char *row[][2] = {
        {"title", e->title}, {"baseline", e->baseline}, {"axis", e->axis}, {"strength", e->strength_list}};
    int rc = 0;
    for (size_t i = 0; i < PB_COUNT(row) && !rc; i++)
        if (row[i][1] && *row[i][1])
            rc = put_named(s, q, run, PB_VIEW, row[i][0], row[i][1]);
    return rc;
}

/* Stores the provenance that is not in the run's row, which has machine and program. */
static int put_provenance(pb_store *s, long long run, const pb_experiment *e, const pb_cell *c, const pb_result *r)
{
    char *metrics = pb_format("%s %d", e->task->name, e->task->version);
    char *budget = budget_of(c), *processor = pb_host_processor();
    const char *row[][2] = {{"metrics", metrics}, {"budget", budget}, {"processor", processor}};
    pb_cell_input input[PB_CELL_INPUTS];
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO provenance VALUES (?, ?, ?)");
    int rc = q ? 0 : -1;
    pb_cell_inputs(e, c, input);
    for (int i = 0; i < PB_CELL_INPUTS && !rc; i++)
        rc = put_pair(s, q, run, input[i].key, input[i].is->hex);
    for (size_t i = 0; i < PB_COUNT(row) && !rc; i++)
        rc = put_pair(s, q, run, row[i][0], row[i][1]);
    if (!rc && *r->artifact.hex)
        rc = put_pair(s, q, run, "artifact", r->artifact.hex);
    rc = rc || put_code(s, q, run, e, c) || put_plugins(s, q, run, c) || put_files(s, q, run, e) ||
                 put_view(s, q, run, e)
             ? -1
             : 0;
    sqlite3_finalize(q);
    free(metrics);
    free(budget);
    free(processor);
    return rc;
}

/* Returns the id of the new run, 0 if the database has a result with this hash, -1 with an error. */
static long long put_run(pb_store *s, const pb_experiment *e, const pb_cell *c, const char *status, const char *error,
                         double seconds)
{
    char ended[32];
    pb_timestamp(ended);
    const char *text[] = {c->hash.hex, e->name,    e->task_name,    e->model_path,  c->row->label,  c->choice,
                          status,      error,      ended,           pb_host_name(), pb_blas_name(), PB_COMPILER,
                          PB_FLAGS,    PB_VERSION, PB_CODE_VERSION, e->data.hex};
    sqlite3_stmt *q =
        pb_store_prepare(s, "INSERT INTO run (hash, experiment, task, model, row, choice, status, error, ended,"
                            " machine, kernels, compiler, flags, version, code, data, seed, seconds, threads)"
                            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (hash)"
                            " WHERE status <> 'failed' AND superseded IS NULL DO NOTHING");
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
    return rc ? -1 : sqlite3_changes(s->db) ? sqlite3_last_insert_rowid(s->db) : 0;
}

long long pb_store_run(pb_store *s, const pb_experiment *e, const pb_cell *c, const pb_result *r, const char *error,
                       double seconds)
{
    if (pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    long long run = put_run(s, e, c, r->status, error, seconds);
    int rc = run < 0 ? -1 : 0;
    if (run > 0)
        rc = put_settings(s, run, e, c) || put_provenance(s, run, e, c, r) || put_result(s, run, r) ? -1 : 0;
    if (pb_store_end(s, rc))
        return -1;
    if (!run && pb_store_find(s, &c->hash, &run)) /* another driver has stored it */
        return -1;
    return run;
}

int pb_store_provenance_add(pb_store *s, long long run, const char *key, const char *value)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT OR IGNORE INTO provenance VALUES (?, ?, ?)");
    int rc = q ? put_pair(s, q, run, key, value) : -1;
    sqlite3_finalize(q);
    return rc;
}

/* ---- data ---------------------------------------------------------------------------------------------- */

/* Returns the reference answers, the labels of a set, or the choices of a question, as a JSON array; NULL for classes
 * and numbers.  The caller frees it. */
static char *wanted_of(const pb_data *d, const pb_example *e)
{
    pb_text t = {0};
    if (d->answer_kind == PB_ANSWER_LABELS) {
        pb_data_put_labels(d, e->label_count, e->labels, &t);
        return t.data;
    }
    if (e->label >= 0 && !e->choices)
        return NULL;
    char *const *list = e->choices ? e->choice : e->answer;
    int n = e->choices ? e->choices : e->answers;
    for (int i = 0; i < n; i++) {
        pb_text_add(&t, i ? "," : "[");
        pb_json_quote(&t, list[i]);
    }
    pb_text_add(&t, n ? "]" : "[]");
    return t.data;
}

/* The SHA-256 of a text; of a pair, that of both with a NUL between them. */
static pb_digest digest_of(const pb_example *e)
{
    pb_text both = {0};
    pb_text_bytes(&both, e->text, strlen(e->text) + (e->second != NULL));
    if (e->second)
        pb_text_bytes(&both, e->second, strlen(e->second));
    pb_digest digest = pb_sha256(both.data ? both.data : "", both.length);
    pb_text_free(&both);
    return digest;
}

static int put_example(pb_store *s, const pb_data *d, pb_split split, int i)
{
    static const char sql[] = "INSERT OR IGNORE INTO example (data, split, digest, text, wanted, second, example,"
                              " line) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    const pb_example *e = &d->split[split].example[i];
    if (!q)
        return -1;
    pb_digest digest = digest_of(e);
    char *wanted = wanted_of(d, e);
    const char *text[] = {d->digest.hex, pb_split_name[split], digest.hex, e->text, wanted, e->second};
    for (int k = 0; k < (int)PB_COUNT(text); k++)
        pb_store_bind(q, k + 1, text[k]);
    sqlite3_bind_int(q, 7, i);
    sqlite3_bind_int(q, 8, e->line);
    free(wanted);
    return pb_store_insert(s, q);
}

static int put_class(pb_store *s, const pb_data *d, int label)
{
    sqlite3_stmt *q = pb_store_statement(s, "INSERT OR IGNORE INTO class (data, label, name) VALUES (?, ?, ?)");
    if (!q)
        return -1;
    pb_store_bind(q, 1, d->digest.hex);
    sqlite3_bind_int(q, 2, label);
    pb_store_bind(q, 3, d->class_name[label]);
    return pb_store_insert(s, q);
}

/* Returns 1 if the last test example, which is written last, is in the database, 0 if not, -1 with an error. */
static int has_data(pb_store *s, const pb_data *d)
{
    static const char sql[] = "SELECT 1 FROM example WHERE data = ? AND split = 'test' AND example = ?";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    pb_store_bind(q, 1, d->digest.hex);
    sqlite3_bind_int(q, 2, d->split[PB_TEST].count - 1);
    int has = pb_store_step(s, q);
    pb_store_done(q);
    return has;
}

int pb_store_data(pb_store *s, const pb_data *d)
{
    int has = has_data(s, d);
    if (has)
        return has < 0 ? -1 : 0;
    if (pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    int rc = 0;
    for (int label = 0; label < d->classes && !rc; label++)
        rc = put_class(s, d, label);
    for (int split = PB_VALIDATION; split <= PB_TEST; split++)
        for (int i = 0; i < d->split[split].count && !rc; i++)
            rc = put_example(s, d, (pb_split)split, i);
    return pb_store_end(s, rc);
}

/* ---- appending ----------------------------------------------------------------------------------------- */

/* Returns 1 if another driver has appended the first value of the result, 0 if not, -1 with an error. */
static int has_value(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "SELECT 1 FROM value WHERE run = ? AND key = ? AND split = ? AND step = ?");
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, r->value[0].key);
    pb_store_bind(q, 3, pb_store_split(r->value[0].split));
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
