/* serving: see serving.h. */
#include "train/serving.h"

#include <stdlib.h>
#include <string.h>

#include "model/apply.h"
#include "model/multi_adapter.h"

enum { MIXED = 32 }; /* texts in a batch */

typedef struct request {
    int offset[MIXED + 1], adapter[MIXED];
    int *ids, *token_type;
    pb_batch batch;
} request;

static void clear_request(request *r)
{
    free(r->ids);
    free(r->token_type);
    r->ids = r->token_type = NULL;
}

/* Puts the n validation texts from `from` on into the request; text i is for adapter (first + i * step) mod count. */
static void fill_request(request *r, const pb_encoded *data, int from, int n, int first, int step, int count)
{
    size_t capacity = 0, room = 0, used = 0;
    const pb_ids *types = data->type[PB_VALIDATION];
    clear_request(r);
    for (int i = 0; i < n; i++) {
        int example = (from + i) % data->items[PB_VALIDATION];
        const pb_ids *text = &data->text[PB_VALIDATION][example];
        for (size_t t = 0; t < text->count; t++, used++) {
            pb_grow(&r->ids, used, &capacity, sizeof *r->ids);
            pb_grow(&r->token_type, used, &room, sizeof *r->token_type);
            r->ids[used] = text->id[t];
            r->token_type[used] = types ? types[example].id[t] : 0;
        }
        r->offset[i + 1] = (int)used;
        r->adapter[i] = (first + i * step) % count;
    }
    r->batch = (pb_batch){.sequences = n,
                          .offset = r->offset,
                          .ids = r->ids,
                          .token_type = types ? r->token_type : NULL,
                          .adapter = r->adapter};
}

/* Returns the seconds of one forward pass, or -1 with an error. */
static double time_pass(pb_apply *a, const pb_batch *batch)
{
    double start = pb_clock();
    return pb_apply_run(a, batch) ? pb_clock() - start : -1;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median latency of requests of one text, each for the adapter `step` after the last; the first request is not
 * counted.  Returns -1 with an error. */
static double median_latency(pb_apply *a, request *r, const pb_encoded *data, int rounds, int step, int count)
{
    double *seconds = pb_alloc((size_t)rounds * sizeof *seconds), median;
    bool good = true;
    for (int i = -1; i < rounds && good; i++) {
        fill_request(r, data, i < 0 ? 0 : i, 1, i < 0 ? 0 : i * step, 0, count);
        double s = time_pass(a, &r->batch);
        good = s >= 0;
        if (i >= 0)
            seconds[i] = s;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, compare_doubles);
    median = good ? seconds[rounds / 2] : -1;
    free(seconds);
    return median;
}

/* One pass of the same texts through the multi-adapter and through the merged model. */
static int time_mixed(pb_apply *multi, pb_apply *merged, request *r, double seconds[2])
{
    seconds[0] = time_pass(multi, &r->batch);
    r->batch.adapter = NULL;
    seconds[1] = time_pass(merged, &r->batch);
    return seconds[0] < 0 || seconds[1] < 0 ? -1 : 0;
}

static int measure_passes(pb_apply *multi, pb_apply *merged, int count, const pb_encoded *data, const pb_rounds *rounds,
                          pb_result *out)
{
    request r = {.ids = NULL};
    double same = median_latency(multi, &r, data, rounds->count, 0, count), seconds[2];
    double other = median_latency(multi, &r, data, rounds->count, 1, count);
    int rc = same < 0 || other < 0 ? -1 : 0;
    pb_result_put(out, -1, rounds->process, 1000 * (other - same), "serving.switch_ms.n%d", count);
    for (int i = -1; i < rounds->count && !rc; i++) {
        fill_request(&r, data, 0, MIXED, 0, 1, count);
        rc = time_mixed(multi, merged, &r, seconds);
        for (int k = 0; k < 2 && i >= 0 && !rc; k++) {
            char key[64];
            snprintf(key, sizeof key, "serving.%s.n%d", k ? "merged" : "mixed", count);
            pb_result_sample(out, rounds->from + i, seconds[k], key);
        }
    }
    clear_request(&r);
    return rc;
}

int pb_measure_serving(pb_model *m, pb_model *merged, const char *dir, int count, const pb_encoded *data,
                       const pb_rounds *rounds, pb_result *out)
{
    pb_multi_adapter *multi = pb_multi_adapter_new(m);
    pb_apply *serving = pb_apply_new(m), *folded = pb_apply_new(merged);
    double start = pb_clock();
    int rc = 0;
    for (int i = 0; i < count && !rc; i++) /* the first one is checked against the base's weights */
        rc = pb_multi_adapter_add(multi, dir, i > 0) < 0 ? -1 : 0;
    pb_result_put(out, -1, rounds->process, 1000 * (pb_clock() - start) / count, "serving.load_ms.n%d", count);
    if (!rounds->process)
        pb_result_put(out, -1, -1, (double)pb_multi_adapter_bytes(multi) / count, "serving.adapter_bytes.n%d", count);
    rc = rc || measure_passes(serving, folded, count, data, rounds, out) ? -1 : 0;
    pb_apply_free(serving);
    pb_apply_free(folded);
    pb_multi_adapter_free(multi);
    return rc;
}
