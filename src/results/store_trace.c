/* store_trace: the trace of a training run for `peftbench check`, written and read back. */
#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/store_internal.h"

/* ---- writing ------------------------------------------------------------------------------------------ */

/* Appends a number with as few digits as identify it: logits and losses are floats. */
static void add_number(pb_text *t, double x)
{
    if (!isfinite(x))
        pb_text_add(t, "null");
    else
        pb_text_add(t, "%.*g", (double)(float)x == x ? 9 : 17, x);
}

static int put_numbers(pb_store *s, long long run, const pb_series *a)
{
    sqlite3_stmt *q = pb_store_statement(s, "INSERT INTO trace (run, name, step, numbers) VALUES (?, ?, ?, ?)");
    if (!q)
        return -1;
    pb_text list = {0};
    pb_text_add(&list, "[");
    for (int k = 0; k < a->count; k++) {
        pb_text_add(&list, k ? "," : "");
        add_number(&list, a->x[k]);
    }
    pb_text_add(&list, "]");
    sqlite3_bind_int64(q, 1, run);
    pb_store_bind(q, 2, a->name);
    sqlite3_bind_int(q, 3, a->step);
    pb_store_bind(q, 4, list.data);
    int rc = pb_store_insert(s, q);
    pb_text_free(&list);
    pb_store_done(q);
    return rc;
}

static int put_series(pb_store *s, long long run, const pb_result *r)
{
    int rc = 0;
    for (size_t i = 0; i < r->series_count && !rc; i++)
        rc = put_numbers(s, run, &r->series[i]);
    return rc;
}

/* Stores the steps after which fingerprints were taken, as a series. */
static int put_points(pb_store *s, long long run, const pb_result *r)
{
    double *step = pb_alloc((r->fingerprints + 1) * sizeof *step);
    for (size_t k = 0; k < r->fingerprints; k++)
        step[k] = r->fingerprint[k].step;
    pb_series a = {.name = "fingerprints", .step = -1, .x = step, .count = (int)r->fingerprints};
    int rc = a.count ? put_numbers(s, run, &a) : 0;
    free(step);
    return rc;
}

/* A fingerprint in the database: three little-endian words. */
enum { WORDS = 3, PRINT_BYTES = WORDS * sizeof(uint32_t) };

static void pack(const pb_tensor_fingerprint *p, uint32_t word[WORDS])
{
    word[0] = p->values;
    word[1] = p->gradient;
    memcpy(word + 2, &p->norm, sizeof p->norm);
    for (int i = 0; i < WORDS; i++)
        word[i] = htole32(word[i]);
}

static pb_tensor_fingerprint unpack(const char *bytes)
{
    uint32_t word[WORDS];
    pb_tensor_fingerprint p;
    memcpy(word, bytes, sizeof word);
    for (int i = 0; i < WORDS; i++)
        word[i] = le32toh(word[i]);
    p = (pb_tensor_fingerprint){.values = word[0], .gradient = word[1]};
    memcpy(&p.norm, word + 2, sizeof p.norm);
    return p;
}

static int put_prints(pb_store *s, long long run, const pb_result *r)
{
    sqlite3_stmt *q = pb_store_prepare(s, "INSERT INTO fingerprint (run, number, tensor, prints) VALUES (?, ?, ?, ?)");
    int rc = q ? 0 : -1;
    for (int i = 0; i < r->tensors && !rc; i++) {
        pb_text bytes = {0};
        for (size_t k = 0; k < r->fingerprints; k++) {
            uint32_t word[WORDS];
            pack(&r->fingerprint[k].print[i], word);
            pb_text_bytes(&bytes, word, sizeof word);
        }
        sqlite3_bind_int64(q, 1, run);
        sqlite3_bind_int(q, 2, i);
        pb_store_bind(q, 3, r->tensor[i]);
        if (sqlite3_bind_blob(q, 4, bytes.data, (int)bytes.length, SQLITE_TRANSIENT) == SQLITE_NOMEM)
            pb_no_memory("a fingerprint");
        rc = pb_store_insert(s, q);
        pb_text_free(&bytes);
    }
    sqlite3_finalize(q);
    return rc;
}

int pb_store_put_trace(pb_store *s, long long run, const pb_result *r)
{
    return put_series(s, run, r) || put_points(s, run, r) || put_prints(s, run, r) ? -1 : 0;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* Calls `take` with each row of a query over the rows of one run.  Returns -1 with an error. */
static int each_row(pb_store *s, const char *sql, long long run, int (*take)(sqlite3_stmt *q, pb_result *out),
                    pb_result *out)
{
    sqlite3_stmt *q = pb_store_statement(s, sql);
    int rc = q ? 1 : -1;
    if (q)
        sqlite3_bind_int64(q, 1, run);
    while (rc > 0 && (rc = pb_store_step(s, q)) > 0)
        if (take(q, out))
            rc = pb_error("%s: the stored trace of run %lld cannot be read; the database is damaged", s->path, run);
    pb_store_done(q);
    return rc;
}

static const char *text_of(sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    return text ? text : "";
}

/* Reads a series such as "[1,null,0.5]". */
static int take_series(sqlite3_stmt *q, pb_result *out)
{
    const char *at = text_of(q, 2);
    size_t n = 0, room = strlen(at);
    double *x = pb_alloc((room + 1) * sizeof *x);
    bool points = !strcmp(text_of(q, 0), "fingerprints");
    while (*at && strchr("[,", *at) && at[1] != ']') {
        char *end = NULL;
        bool null = !strncmp(++at, "null", 4);
        x[n++] = null ? NAN : strtod(at, &end);
        at = null ? at + 4 : end;
    }
    int rc = *at == ']' || !strcmp(at, "[]") ? 0 : -1;
    if (!points)
        pb_result_series(out, sqlite3_column_int(q, 1), text_of(q, 0), (int)n, x);
    for (size_t k = 0; points && !rc && k < n; k++) {
        rc = fabs(x[k]) < 1e9 ? 0 : -1; /* a step */
        if (!rc)
            pb_result_fingerprint(out, (int)x[k], NULL); /* its tensors follow */
    }
    free(x);
    return rc;
}

/* Reads the fingerprints of the next tensor at all points. */
static int take_prints(sqlite3_stmt *q, pb_result *out)
{
    const char *bytes = sqlite3_column_blob(q, 1);
    if ((size_t)sqlite3_column_bytes(q, 1) != PRINT_BYTES * out->fingerprints)
        return -1;
    int tensor = out->tensors++;
    out->tensor = pb_realloc(out->tensor, (size_t)out->tensors * sizeof *out->tensor);
    out->tensor[tensor] = pb_strdup(text_of(q, 0));
    for (size_t k = 0; k < out->fingerprints; k++) {
        pb_fingerprint *f = &out->fingerprint[k];
        f->print = pb_realloc(f->print, (size_t)out->tensors * sizeof *f->print);
        f->print[tensor] = unpack(bytes + k * PRINT_BYTES);
    }
    return 0;
}

static int take_prediction(sqlite3_stmt *q, pb_result *out)
{
    bool text = sqlite3_column_type(q, 4) != SQLITE_NULL;
    pb_prediction p = {.split = strcmp(text_of(q, 0), "test") ? PB_VALIDATION : PB_TEST,
                       .example = sqlite3_column_int(q, 1),
                       .predicted = sqlite3_column_int(q, 2),
                       .probability = (float)pb_store_number(q, 3),
                       .number = sqlite3_column_int(q, 5),
                       .target = pb_store_number(q, 6),
                       .value = pb_store_number(q, 7),
                       .text = text ? pb_strdup(text_of(q, 4)) : NULL};
    pb_result_predict(out, &p);
    return 0;
}

static int take_platform(sqlite3_stmt *q, pb_result *out)
{
    pb_recorded_run *r = (pb_recorded_run *)(void *)out; /* its first member */
    for (int i = 0; i < PB_PLATFORM_FIELDS; i++)
        r->platform[i] = pb_strdup(text_of(q, i));
    return 0;
}

int pb_store_recorded_run(pb_store *s, long long run, pb_recorded_run *out)
{
    pb_result *r = &out->result;
    *out = (pb_recorded_run){.platform = {NULL}};
    pb_result_init(r);
    int rc =
        pb_store_want_whole(s, run) ||
        each_row(s,
                 "SELECT coalesce((SELECT value FROM provenance p WHERE p.run = r.id AND key = 'processor'), ''),"
                 " kernels, threads, compiler, flags FROM run r WHERE id = ?",
                 run, take_platform, r) ||
        each_row(s,
                 "SELECT split, example, predicted, probability, NULL, 0, 0, 0 FROM prediction WHERE run = ?1"
                 " UNION ALL SELECT split, example, 0, 0, text, 0, 0, 0 FROM answer WHERE run = ?1"
                 " UNION ALL SELECT split, example, 0, 0, NULL, 1, target, value FROM number WHERE run = ?1"
                 " ORDER BY 1, 2",
                 run, take_prediction, r) ||
        each_row(s, "SELECT name, step, numbers FROM trace WHERE run = ? ORDER BY name, step", run, take_series, r) ||
        each_row(s, "SELECT tensor, prints FROM fingerprint WHERE run = ? ORDER BY number", run, take_prints, r);
    return rc ? -1 : 0;
}

void pb_recorded_run_free(pb_recorded_run *r)
{
    for (int i = 0; i < PB_PLATFORM_FIELDS; i++)
        free(r->platform[i]);
    pb_result_free(&r->result);
}
