/* serving: see serving.h. */
#include "train/serving.h"

#include <stdlib.h>
#include <string.h>

#include "model/apply.h"
#include "model/multi_adapter.h"

enum { MIXED = 32 }; /* texts in a batch */

typedef struct request {
    int offset[MIXED + 1], adapter[MIXED];
    int *ids;
    pb_batch batch;
} request;

/* The first n texts from `from` on; text i is for adapter (first + i * step) mod count. */
static void ask(request *r, const pb_encoded *f, int from, int n, int first, int step, int count)
{
    size_t capacity = 0, used = 0;
    free(r->ids);
    r->ids = NULL;
    for (int i = 0; i < n; i++) {
        const pb_ids *one = &f->text[PB_VALIDATION][(from + i) % f->items[PB_VALIDATION]];
        for (size_t t = 0; t < one->count; t++) {
            pb_grow(&r->ids, used, &capacity, sizeof *r->ids);
            r->ids[used++] = one->id[t];
        }
        r->offset[i + 1] = (int)used;
        r->adapter[i] = (first + i * step) % count;
    }
    r->batch = (pb_batch){.sequences = n, .offset = r->offset, .ids = r->ids, .adapter = r->adapter};
}

/* Seconds of one pass; < 0 with an error. */
static double timed(pb_apply *a, const pb_batch *batch)
{
    double start = pb_clock();
    return pb_apply_run(a, batch) ? pb_clock() - start : -1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median latency of single requests; step 0: all for one adapter. */
static double latency(pb_apply *a, request *r, const pb_encoded *f, int rounds, int step, int count)
{
    double *seconds = pb_alloc((size_t)rounds * sizeof *seconds), middle;
    bool good = true;
    for (int i = -1; i < rounds && good; i++) { /* the first is not counted */
        ask(r, f, i < 0 ? 0 : i, 1, i < 0 ? 0 : i * step, 0, count);
        double s = timed(a, &r->batch);
        good = s >= 0;
        if (i >= 0)
            seconds[i] = s;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_value);
    middle = good ? seconds[rounds / 2] : -1;
    free(seconds);
    return middle;
}

static int measure(pb_apply *bank, pb_apply *merged, int count, const pb_encoded *f, const pb_rounds *rounds,
                   pb_result *out)
{
    request r = {.ids = NULL};
    double same = latency(bank, &r, f, rounds->count, 0, count), other = latency(bank, &r, f, rounds->count, 1, count);
    int rc = same < 0 || other < 0 ? -1 : 0;
    pb_result_put(out, -1, rounds->process, 1000 * (other - same), "serving.switch_ms.n%d", count);
    for (int i = -1; i < rounds->count && !rc; i++) {
        ask(&r, f, 0, MIXED, 0, 1, count);
        double mixed = timed(bank, &r.batch);
        r.batch.adapter = NULL;
        double folded = timed(merged, &r.batch);
        rc = mixed < 0 || folded < 0 ? -1 : 0;
        if (i >= 0 && !rc) {
            char key[64];
            snprintf(key, sizeof key, "serving.mixed.n%d", count);
            pb_result_sample(out, rounds->from + i, mixed, key);
            snprintf(key, sizeof key, "serving.merged.n%d", count);
            pb_result_sample(out, rounds->from + i, folded, key);
        }
    }
    free(r.ids);
    return rc;
}

int pb_measure_serving(pb_model *m, pb_model *merged, const char *dir, int count, const pb_encoded *f,
                       const pb_rounds *rounds, pb_result *out)
{
    pb_multi_adapter *bank = pb_multi_adapter_new(m);
    pb_apply *serving = pb_apply_new(m), *folded = pb_apply_new(merged);
    double start = pb_clock();
    int rc = 0;
    for (int i = 0; i < count && !rc; i++)
        rc = pb_multi_adapter_add(bank, dir, i > 0) < 0 ? -1 : 0; /* that it fits the base is seen once */
    pb_result_put(out, -1, rounds->process, 1000 * (pb_clock() - start) / count, "serving.load_ms.n%d", count);
    if (!rounds->process)
        pb_result_put(out, -1, -1, (double)pb_multi_adapter_bytes(bank) / count, "serving.adapter_bytes.n%d", count);
    rc = rc || measure(serving, folded, count, f, rounds, out) ? -1 : 0;
    pb_apply_free(serving);
    pb_apply_free(folded);
    pb_multi_adapter_free(bank);
    return rc;
}
