/* timing: see timing.h. */
#include "study/timing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats/stats.h"
#include "train/measure.h"

/* Every process measures it: where it is, the process has been. */
static const char always[] = "overhead.prefill_ratio.b1";

/* ---- one process ---------------------------------------------------------------------------------------- */

void pb_timing_ratio(pb_result *r, int process, const char *over, const char *under, const char *key)
{
    double *ratio = pb_alloc((r->samples + 1) * sizeof *ratio);
    int n = 0;
    for (size_t i = 0; i < r->samples; i++)
        for (size_t j = 0; j < r->samples && !strcmp(r->sample[i].key, under); j++)
            if (!strcmp(r->sample[j].key, over) && r->sample[j].round == r->sample[i].round)
                ratio[n++] = r->sample[j].seconds / r->sample[i].seconds;
    if (n)
        pb_result_put(r, -1, process, pb_stats_median(n, ratio).middle, "%s", key);
    free(ratio);
}

/* `what`: prefill or decode. */
static void put_overhead(pb_result *r, int process, const char *what, int batch, const char *variant,
                         const char *suffix)
{
    char under[64], over[64], key[64];
    snprintf(under, sizeof under, "%s.b%d.base", what, batch);
    snprintf(over, sizeof over, "%s.b%d.%s", what, batch, variant);
    snprintf(key, sizeof key, "overhead.%s_ratio.b%d%s", what, batch, suffix);
    pb_timing_ratio(r, process, over, under, key);
}

void pb_timing_ratios(pb_result *r, int process)
{
    static const char *const what[] = {"prefill", "decode"};
    for (size_t w = 0; w < PB_COUNT(what); w++)
        for (size_t k = 0; k < PB_COUNT(pb_measured_batch); k++) {
            put_overhead(r, process, what[w], pb_measured_batch[k], pb_variant_name[PB_UNMERGED], "");
            put_overhead(r, process, what[w], pb_measured_batch[k], pb_variant_name[PB_MERGED], ".merged");
        }
}

/* ---- all processes -------------------------------------------------------------------------------------- */

static int take_one(void *ctx, int columns, const char *const *value)
{
    (void)columns, (void)value;
    *(bool *)ctx = true;
    return 0;
}

bool pb_timing_has(pb_store *s, long long run, int process)
{
    char id[24], step[16];
    bool has = false;
    snprintf(id, sizeof id, "%lld", run);
    snprintf(step, sizeof step, "%d", process);
    pb_store_query(s,
                   "SELECT 1 FROM value WHERE run = CAST(? AS INTEGER) AND split = '' AND step = CAST(? AS INTEGER)"
                   " AND key = ?",
                   (const char *const[]){id, step, always, NULL}, take_one, &has);
    return has;
}

typedef struct values {
    double *x;
    size_t count, capacity;
} values;

static int take_value(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    values *v = ctx;
    pb_grow(&v->x, v->count, &v->capacity, sizeof *v->x);
    v->x[v->count++] = value[0] ? strtod(value[0], NULL) : NAN;
    return 0;
}

int pb_timing_read(pb_store *s, long long run, const char *key, double **x)
{
    char id[24];
    values v = {0};
    snprintf(id, sizeof id, "%lld", run);
    int rc = pb_store_query(s,
                            "SELECT format('%.17g', value) FROM value WHERE run = CAST(? AS INTEGER) AND key = ?"
                            " AND split = '' AND step >= 0 AND value IS NOT NULL ORDER BY step",
                            (const char *const[]){id, key, NULL}, take_value, &v);
    *x = v.x;
    return rc ? -1 : (int)v.count;
}

typedef struct pool {
    pb_store *store;
    long long run;
    pb_result result;
} pool;

static int pool_key(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    pool *p = ctx;
    const char *key = value[0];
    double *x;
    int n = pb_timing_read(p->store, p->run, key, &x);
    pb_interval v = (strstr(key, "_ratio") ? pb_stats_geometric : pb_stats_mean)(n < 0 ? 0 : n, x);
    free(x);
    pb_result_put(&p->result, -1, -1, v.middle, "%s", key);
    if (n > 1) {
        pb_result_put(&p->result, -1, -1, v.low, "%s.low", key);
        pb_result_put(&p->result, -1, -1, v.high, "%s.high", key);
    }
    return n < 0 ? -1 : 0;
}

int pb_timing_pool(pb_store *s, long long run, int processes)
{
    char id[24];
    double *x;
    int n = pb_timing_read(s, run, always, &x);
    pool p = {.store = s, .run = run};
    free(x);
    if (n < processes || pb_timing_has(s, run, -1))
        return n < 0 ? -1 : 0;
    snprintf(id, sizeof id, "%lld", run);
    pb_result_init(&p.result);
    int rc = pb_store_query(s,
                            "SELECT DISTINCT key FROM value WHERE run = CAST(? AS INTEGER) AND split = '' AND step >= 0"
                            " AND (key GLOB 'overhead.*' OR key GLOB 'serving.*') ORDER BY key",
                            (const char *const[]){id, NULL}, pool_key, &p);
    rc = rc || pb_store_append(s, run, &p.result) ? -1 : 0;
    pb_result_free(&p.result);
    return rc;
}
