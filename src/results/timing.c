/* timing: see timing.h. */
#include "results/timing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats/stats.h"
#include "train/measure.h"

/* Every process measures this ratio, so its presence shows that a process has measured the run. */
static const char measured_by_all[] = "overhead.prefill_ratio.b1";

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

int pb_timing_has(pb_store *s, long long run, int process, bool *has)
{
    return pb_store_has(s, run, -1, measured_by_all, process, has);
}

typedef struct pool {
    pb_store *store;
    long long run;
    pb_result result;
} pool;

static int pool_key(pool *p, const char *key)
{
    double *x;
    int n, rc = pb_store_series(p->store, p->run, key, &x, &n);
    pb_interval v = (strstr(key, "_ratio") ? pb_stats_geometric : pb_stats_mean)(n, x);
    free(x);
    pb_result_put(&p->result, -1, -1, v.middle, "%s", key);
    if (n > 1) {
        pb_result_put(&p->result, -1, -1, v.low, "%s.low", key);
        pb_result_put(&p->result, -1, -1, v.high, "%s.high", key);
    }
    return rc;
}

/* All keys are read before the values, because two statements cannot be open at the same time. */
typedef struct keys {
    char **key;
    size_t count, capacity;
} keys;

static int take_key(void *ctx, const char *key, const char *nothing)
{
    (void)nothing;
    keys *k = ctx;
    pb_grow(&k->key, k->count, &k->capacity, sizeof *k->key);
    k->key[k->count++] = pb_strdup(key);
    return 0;
}

int pb_timing_pool(pb_store *s, long long run, int processes)
{
    double *x;
    int n;
    bool pooled;
    pool p = {.store = s, .run = run};
    int rc = pb_store_series(s, run, measured_by_all, &x, &n);
    free(x);
    if (rc || pb_timing_has(s, run, -1, &pooled))
        return -1;
    if (n < processes || pooled)
        return 0;
    pb_result_init(&p.result);
    keys all = {.key = NULL};
    rc = pb_store_series_keys(s, run, take_key, &all);
    for (size_t i = 0; i < all.count; i++) {
        rc = rc ? rc : pool_key(&p, all.key[i]);
        free(all.key[i]);
    }
    free(all.key);
    rc = rc || pb_store_append(s, run, &p.result) ? -1 : 0;
    pb_result_free(&p.result);
    return rc;
}

int pb_timing_processes(pb_store *s, const long long *run, int n, const char *key, double **x)
{
    int processes = 0, rc = 0;
    *x = NULL;
    for (int i = 0; !rc && !processes && i < n; i++) {
        free(*x);
        *x = NULL;
        rc = run[i] ? pb_store_series(s, run[i], key, x, &processes) : 0;
    }
    return rc ? -1 : processes;
}
