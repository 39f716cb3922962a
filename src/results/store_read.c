/* store_read: reading runs, values and predictions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/store_internal.h"

/* ---- runs --------------------------------------------------------------------------------------------- */

int pb_store_find(pb_store *s, const pb_digest *hash, long long *run)
{
    static const char sql[] = "SELECT id FROM run WHERE hash = ? AND status <> 'failed' AND superseded IS NULL";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *run = 0;
    if (!q)
        return -1;
    pb_store_bind(q, 1, hash->hex);
    int rc = pb_store_step(s, q);
    if (rc == 1)
        *run = sqlite3_column_int64(q, 0);
    pb_store_done(q);
    return rc < 0 ? -1 : 0;
}

int pb_store_state(pb_store *s, const pb_digest *hash, const char *score, pb_cell_state *out)
{
    static const char sql[] =
        "SELECT r.id, r.status, r.error, v.value FROM run r LEFT JOIN value v ON v.run = r.id AND v.key = ?2"
        " AND v.split = 'validation' AND v.step = -1 WHERE r.hash = ?1 AND r.superseded IS NULL"
        " ORDER BY r.status <> 'failed', r.id";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *out = (pb_cell_state){.status = "missing", .validation = NAN};
    if (!q)
        return -1;
    pb_store_bind(q, 1, hash->hex);
    pb_store_bind(q, 2, score);
    int rc;
    while ((rc = pb_store_step(s, q)) == 1) { /* failed ones first */
        char *status = pb_store_text(q, 1);
        snprintf(out->status, sizeof out->status, "%s", status);
        free(status);
        free(out->error);
        out->error = sqlite3_column_type(q, 2) == SQLITE_NULL ? NULL : pb_store_text(q, 2);
        if (!strcmp(out->status, "failed")) {
            out->failed++;
            continue;
        }
        out->run = sqlite3_column_int64(q, 0);
        out->validation = pb_store_number(q, 3);
    }
    pb_store_done(q);
    return rc;
}

int pb_store_find_named(pb_store *s, const char *name, long long *run)
{
    static const char sql[] = "SELECT min(id), count(*) FROM (SELECT id FROM run WHERE id = ?2 UNION SELECT id FROM run"
                              " WHERE length(?1) >= 6 AND hash >= ?1 AND hash < ?1 || 'g'"
                              " AND NOT EXISTS (SELECT 1 FROM run WHERE id = ?2)) JOIN run USING (id)"
                              " WHERE status <> 'failed' AND superseded IS NULL";
    char *end;
    long long number = strtoll(name, &end, 10);
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *run = 0;
    if (!q)
        return -1;
    pb_store_bind(q, 1, name);
    sqlite3_bind_int64(q, 2, end > name && !*end ? number : 0);
    int rc = pb_store_step(s, q), found = rc == 1 ? sqlite3_column_int(q, 1) : 0;
    if (found == 1)
        *run = sqlite3_column_int64(q, 0);
    pb_store_done(q);
    if (rc < 0)
        return -1;
    if (found > 1)
        return pb_error("%s: '%s' matches %d runs; want more digits of the hash", s->path, name, found);
    return *run ? 0
                : pb_error("%s: no finished run '%s'; want the number of a run or the beginning of its hash", s->path,
                           name);
}

int pb_store_record(pb_store *s, long long run, pb_run_record *out)
{
    static const char sql[] = "SELECT hash, experiment, task, model, row, choice, status, code, machine, "
                              "coalesce((SELECT value FROM provenance"
                              " WHERE run = id AND key = 'plugins'), ''), seed, threads FROM run WHERE id = ?";
    char **text[] = {&out->hash,   &out->experiment, &out->task, &out->model,   &out->row,
                     &out->choice, &out->status,     &out->code, &out->machine, &out->plugins};
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *out = (pb_run_record){.id = run};
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    int rc = pb_store_step(s, q), n = (int)PB_COUNT(text);
    for (int i = 0; i < n && rc == 1; i++)
        *text[i] = pb_store_text(q, i);
    out->seed = rc == 1 ? (uint64_t)sqlite3_column_int64(q, n) : 0;
    out->threads = rc == 1 ? sqlite3_column_int(q, n + 1) : 0;
    pb_store_done(q);
    return rc == 1 ? 0 : rc < 0 ? -1 : pb_error("%s: no run %lld", s->path, run);
}

void pb_run_record_free(pb_run_record *r)
{
    char *text[] = {r->hash,   r->experiment, r->task, r->model,   r->row,
                    r->choice, r->status,     r->code, r->machine, r->plugins};
    for (size_t i = 0; i < PB_COUNT(text); i++)
        free(text[i]);
    *r = (pb_run_record){.id = 0};
}

/* ---- values and settings -------------------------------------------------------------------------------- */

static int split_of(const char *name)
{
    for (int i = 0; i < PB_SPLITS; i++)
        if (!strcmp(name, pb_split_name[i]))
            return i;
    return -1;
}

int pb_store_values(pb_store *s, long long run, pb_values *out)
{
    sqlite3_stmt *q =
        pb_store_statement(s, "SELECT key, split, value FROM value WHERE run = ? AND step = -1 ORDER BY key");
    size_t capacity = 0;
    *out = (pb_values){.count = 0};
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    int rc;
    while ((rc = pb_store_step(s, q)) == 1) {
        char *split = pb_store_text(q, 1);
        pb_grow(&out->value, out->count, &capacity, sizeof *out->value);
        out->value[out->count++] = (pb_stored_value){pb_store_text(q, 0), split_of(split), pb_store_number(q, 2)};
        free(split);
    }
    pb_store_done(q);
    if (rc < 0)
        pb_values_free(out);
    return rc;
}

void pb_values_free(pb_values *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->value[i].key);
    free(v->value);
    *v = (pb_values){.count = 0};
}

double pb_values_get(const pb_values *v, int split, const char *key)
{
    size_t low = 0, high = v->count; /* sorted by key */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(v->value[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < v->count && !strcmp(v->value[low].key, key); low++)
        if (v->value[low].split == split)
            return v->value[low].value;
    return NAN;
}

int pb_store_series(pb_store *s, long long run, const char *key, double **x, int *n)
{
    static const char sql[] = "SELECT value FROM value WHERE run = ? AND key = ? AND split = '' AND step >= 0"
                              " AND value IS NOT NULL ORDER BY step";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    size_t count = 0, capacity = 0;
    *x = NULL;
    *n = 0;
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, key);
    int rc;
    while ((rc = pb_store_step(s, q)) == 1) {
        pb_grow(x, count, &capacity, sizeof **x);
        (*x)[count++] = sqlite3_column_double(q, 0);
    }
    pb_store_done(q);
    *n = (int)count;
    return rc;
}

int pb_store_has(pb_store *s, long long run, int split, const char *key, int step, bool *has)
{
    static const char sql[] = "SELECT 1 FROM value WHERE run = ? AND key = ? AND split = ? AND step = ?";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *has = false;
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, key);
    pb_store_bind(q, 3, pb_store_split(split));
    sqlite3_bind_int(q, 4, step);
    int rc = pb_store_step(s, q);
    *has = rc == 1;
    pb_store_done(q);
    return rc < 0 ? -1 : 0;
}

int pb_store_provenance_get(pb_store *s, long long run, const char *key, char **value)
{
    sqlite3_stmt *q = pb_store_statement(s, "SELECT value FROM provenance WHERE run = ? AND key = ?");
    *value = NULL;
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, key);
    int rc = pb_store_step(s, q);
    if (rc == 1)
        *value = pb_store_text(q, 0);
    pb_store_done(q);
    return rc < 0 ? -1 : 0;
}

int pb_store_want_whole(pb_store *s, long long run)
{
    char *brief;
    int rc = pb_store_provenance_get(s, run, PB_BRIEF, &brief);
    if (!rc && brief)
        rc =
            pb_error("%s: run %lld is a brief copy (merge --brief), with which no repetition can be compared; want the "
                     "database that it was copied from",
                     s->path, run);
    free(brief);
    return rc;
}

/* Calls `each` with two texts of each row of a query whose arguments are bound. */
static int each_pair(pb_store *s, sqlite3_stmt *q, pb_store_pair *each, void *ctx)
{
    int rc = 0, more = 0;
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        char *key = pb_store_text(q, 0), *value = pb_store_text(q, 1);
        rc = each(ctx, key, value);
        free(key);
        free(value);
    }
    pb_store_done(q);
    return rc ? rc : more;
}

int pb_store_settings(pb_store *s, const long long *run, int n, pb_store_pair *each, void *ctx)
{
    static const char sql[] = "SELECT DISTINCT key, value FROM setting WHERE run IN (SELECT value FROM json_each(?))"
                              " ORDER BY key";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    pb_store_bind_ids(q, 1, run, n);
    return each_pair(s, q, each, ctx);
}

int pb_store_task_settings(pb_store *s, const char *task, const char *experiment, pb_store_each_setting *each,
                           void *ctx)
{
    static const char sql[] = "SELECT r.id, r.seed, r.hash, t.key, t.value FROM run r JOIN setting t ON t.run = r.id"
                              " WHERE r.task = ?2 AND r.status <> 'failed' AND r.superseded IS NULL"
                              " ORDER BY r.experiment = ?1, r.id";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    int rc = 0, more = 0;
    if (!q)
        return -1;
    pb_store_bind(q, 1, experiment);
    pb_store_bind(q, 2, task);
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        char *hash = pb_store_text(q, 2), *key = pb_store_text(q, 3), *value = pb_store_text(q, 4);
        rc = each(ctx, &(pb_stored_setting){sqlite3_column_int64(q, 0), (uint64_t)sqlite3_column_int64(q, 1), hash, key,
                                            value});
        free(hash);
        free(key);
        free(value);
    }
    pb_store_done(q);
    return rc ? rc : more;
}

int pb_store_provenance(pb_store *s, long long run, pb_store_pair *each, void *ctx)
{
    sqlite3_stmt *q = pb_store_statement(s, "SELECT key, value FROM provenance WHERE run = ?");
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    return each_pair(s, q, each, ctx);
}

int pb_store_series_keys(pb_store *s, long long run, pb_store_pair *each, void *ctx)
{
    static const char sql[] = "SELECT DISTINCT key, '' FROM value WHERE run = ? AND split = '' AND step >= 0"
                              " AND (key GLOB 'overhead.*' OR key GLOB 'serving.*') ORDER BY key";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    return each_pair(s, q, each, ctx);
}

int pb_store_curve(pb_store *s, const long long *run, int n, const char *key, pb_store_point *each, void *ctx)
{
    static const char sql[] = "SELECT step, avg(value) FROM value WHERE run IN (SELECT value FROM json_each(?))"
                              " AND key = ? AND step >= 0 GROUP BY step HAVING avg(value) IS NOT NULL ORDER BY step";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    pb_store_bind_ids(q, 1, run, n);
    pb_store_bind(q, 2, key);
    int rc;
    while ((rc = pb_store_step(s, q)) == 1)
        each(ctx, sqlite3_column_int(q, 0), sqlite3_column_double(q, 1));
    pb_store_done(q);
    return rc;
}

char *pb_store_values_sql(const long long *run, int n, const char *keys)
{
    pb_text t = {0};
    pb_text_add(&t, "-- The stored values of the runs of this figure.\n"
                    "SELECT r.task, r.row, r.choice, r.seed, v.key, v.split, v.step, v.value\n"
                    "FROM run r JOIN value v ON v.run = r.id\n"
                    "WHERE r.id IN (");
    for (int i = 0; i < n; i++)
        pb_text_add(&t, "%s%lld", i ? ", " : "", run[i]);
    pb_text_add(&t, ")\nAND (");
    for (const char *at = keys; *at;) {
        int length = (int)strcspn(at, "\n");
        char *key = pb_format("%.*s", length, at),
             *quoted = sqlite3_mprintf("%Q, %Q || '.low', %Q || '.high'", key, key, key);
        pb_text_add(&t, "%sv.key IN (%s)", at == keys ? "" : "\n  OR ", quoted);
        sqlite3_free(quoted);
        free(key);
        at += length + (at[length] == '\n');
    }
    pb_text_add(&t, "%s)\nORDER BY r.task, r.row, r.seed, v.key, v.split, v.step;\n", *keys ? "" : "false");
    return t.data;
}

/* ---- predictions ------------------------------------------------------------------------------------------ */

int pb_store_predictions(pb_store *s, long long run, pb_split split, pb_store_each_prediction *each, void *ctx)
{
    static const char sql[] =
        "SELECT example, label, predicted, probability, NULL, NULL, NULL FROM prediction WHERE run = ?1 AND split = ?2"
        " UNION ALL SELECT example, -1, -1, NULL, text, NULL, NULL FROM answer WHERE run = ?1 AND split = ?2"
        " UNION ALL SELECT example, -1, -1, NULL, NULL, target, value FROM number WHERE run = ?1 AND split = ?2";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, pb_split_name[split]);
    int rc = 0, more = 0;
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        pb_stored_prediction p = {.example = sqlite3_column_int(q, 0),
                                  .label = sqlite3_column_int(q, 1),
                                  .predicted = sqlite3_column_int(q, 2),
                                  .probability = pb_store_number(q, 3),
                                  .target = pb_store_number(q, 5),
                                  .value = pb_store_number(q, 6)};
        p.text = sqlite3_column_type(q, 4) == SQLITE_NULL ? NULL : pb_store_text(q, 4);
        rc = each(ctx, &p);
        free(p.text);
    }
    pb_store_done(q);
    return rc ? rc : more;
}

int pb_store_count_predictions(pb_store *s, long long run, pb_split split, int *count)
{
    static const char *const sql[] = {"SELECT count(*) FROM prediction WHERE run = ? AND split = ?",
                                      "SELECT count(*) FROM answer WHERE run = ? AND split = ?",
                                      "SELECT count(*) FROM number WHERE run = ? AND split = ?"};
    int rc = 1;
    *count = 0;
    for (size_t i = 0; i < PB_COUNT(sql) && rc > 0; i++) {
        sqlite3_stmt *q = pb_store_statement(s, sql[i]);
        if (!q)
            return -1;
        sqlite3_bind_int64(q, 1, run);
        pb_store_bind(q, 2, pb_split_name[split]);
        rc = pb_store_step(s, q);
        *count += rc == 1 ? sqlite3_column_int(q, 0) : 0;
        pb_store_done(q);
    }
    return rc < 0 ? -1 : 0;
}

int pb_store_classes(pb_store *s, long long run, pb_store_class *each, void *ctx)
{
    static const char sql[] = "SELECT label, name FROM class WHERE data = (SELECT data FROM run WHERE id = ?)"
                              " ORDER BY label";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    int rc = 0, more = 0;
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        char *name = pb_store_text(q, 1);
        rc = each(ctx, sqlite3_column_int(q, 0), name);
        free(name);
    }
    pb_store_done(q);
    return rc ? rc : more;
}

/* "[1,2,null]": null is NaN */
static int read_numbers(const pb_store *s, const char *text, int n, double *x)
{
    const char *at = text;
    for (int i = 0; i < n; i++) {
        char *end;
        bool begins = *at == (i ? ',' : '['), null = begins && !strncmp(at + 1, "null", 4);
        x[i] = begins && !null ? strtod(at + 1, &end) : NAN;
        if (!begins || (!null && end == at + 1))
            return pb_error("%s: want a list of %d numbers, got '%s'", s->path, n, text);
        at = null ? at + 5 : end;
    }
    return *at == ']' ? 0 : pb_error("%s: want a list of %d numbers, got '%s'", s->path, n, text);
}

int pb_store_statistics(pb_store *s, long long run, pb_split split, const char *metric, int examples, int stats,
                        double *x, int *seen)
{
    static const char sql[] = "SELECT example, numbers FROM statistic WHERE run = ? AND split = ? AND metric = ?";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *seen = 0;
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, pb_split_name[split]);
    pb_store_bind(q, 3, metric);
    int rc = 0, more = 0;
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        long long example = sqlite3_column_int64(q, 0);
        char *numbers = pb_store_text(q, 1);
        rc = example >= 0 && example < examples ? read_numbers(s, numbers, stats, x + (size_t)example * (size_t)stats)
                                                : pb_error("%s: run %lld has statistics of example %lld, want 0..%d",
                                                           s->path, run, example, examples - 1);
        free(numbers);
        ++*seen;
    }
    pb_store_done(q);
    return rc ? rc : more;
}
