/* measure: see measure.h. */
#include "train/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/kv_cache.h"
#include "train/runner.h"

#define SINGLES 8 /* examples a round at batch 1, one after the other */

const char *const pb_variant_name[PB_VARIANTS] = {"base", "unmerged", "merged"};
const int pb_measured_batch[2] = {1, 32};

const pb_decoding pb_measured_decoding = {
    .strategy = PB_GREEDY, .max_new = 16, .temperature = 1, .top_p = 1, .beams = 1, .stop = "", .slots = 32};

typedef struct timing_pass {
    pb_runner runner[PB_VARIANTS];
    bool present[PB_VARIANTS];
    int items;
} timing_pass;

/* Times forward passes over batches that depend on the round.  Sets the seconds of one batch. */
static int time_prefill(timing_pass *b, int variant, int batch, int round, double *seconds)
{
    int passes = batch == 1 ? SINGLES : 1, item[32];
    double start = pb_clock();
    for (int p = 0; p < passes; p++) {
        for (int i = 0; i < batch; i++)
            item[i] = (round * batch * passes + p * batch + i) % b->items;
        if (pb_runner_run(&b->runner[variant],
                          &(pb_runner_batch){.split = PB_VALIDATION, .item = item, .count = batch}))
            return -1;
    }
    *seconds = (pb_clock() - start) / passes;
    return 0;
}

/* The same for the generation of one batch. */
static int time_decoding(timing_pass *b, int variant, int batch, int round, double *seconds)
{
    const pb_runner *r = &b->runner[variant];
    pb_ids prompt[32];
    pb_continuation continuation[32];
    for (int i = 0; i < batch; i++)
        prompt[i] = pb_encoded_input(r->encoded, PB_VALIDATION,
                                     (round * batch + i) % r->encoded->data->split[PB_VALIDATION].count);
    double start = pb_clock();
    int rc = pb_decode(r->model, &pb_measured_decoding, batch, prompt, continuation);
    *seconds = pb_clock() - start;
    for (int i = 0; i < batch; i++) {
        pb_ids_free(&prompt[i]);
        if (!rc)
            pb_ids_free(&continuation[i].ids);
    }
    return rc;
}

/* One of the two functions above. */
typedef int timing(timing_pass *b, int variant, int batch, int round, double *seconds);

/* Runs all variants once.  If `out` is NULL, the times are not recorded. */
static int time_round(timing_pass *b, timing *timing_of, const char *what, int batch, int round, pb_result *out)
{
    for (int i = 0; i < PB_VARIANTS; i++) {
        int variant = (i + round) % PB_VARIANTS;
        double seconds;
        char key[64];
        if (!b->present[variant])
            continue;
        if (timing_of(b, variant, batch, round, &seconds))
            return -1;
        snprintf(key, sizeof key, "%s.b%d.%s", what, batch, pb_variant_name[variant]);
        if (out)
            pb_result_sample(out, round, seconds, key);
    }
    return 0;
}

/* Puts the largest difference between the logits of two runners, which have run the same batch last. */
static void put_error(const pb_runner *a, const pb_runner *b, const char *key, pb_result *out)
{
    const pb_node *u = pb_graph_output(a->graph), *m = pb_graph_output(b->graph);
    double worst = 0, largest = 0;
    for (int i = 0; i < u->rows * u->cols; i++) {
        worst = fmax(worst, fabs((double)(u->x[i] - m->x[i])));
        largest = fmax(largest, fabs((double)u->x[i]));
    }
    pb_result_put(out, -1, -1, largest > 0 ? worst / largest : 0, "%s", key);
}

int pb_measure_difference(pb_model *packed, pb_model *full, const pb_encoded *set, pb_result *out)
{
    int n = set->items[PB_VALIDATION] < 32 ? set->items[PB_VALIDATION] : 32, item[32];
    pb_runner a = pb_runner_start(packed, set, false), b = pb_runner_start(full, set, false);
    for (int i = 0; i < n; i++)
        item[i] = i;
    const pb_runner_batch batch = {.split = PB_VALIDATION, .item = item, .count = n};
    int rc = pb_runner_run(&a, &batch) || pb_runner_run(&b, &batch);
    if (!rc)
        put_error(&b, &a, "overhead.precision_error", out);
    pb_runner_stop(&a);
    pb_runner_stop(&b);
    return rc ? -1 : 0;
}

/* Puts the forward FLOPs of an example in a batch of one. */
static int put_flops(timing_pass *b, pb_result *out)
{
    static const char *const key[PB_VARIANTS] = {"overhead.flops.base", "overhead.flops", "overhead.flops.merged"};
    for (int v = 0; v < PB_VARIANTS; v++) {
        double sum = 0;
        int n = b->items < 32 ? b->items : 32;
        for (int i = 0; i < n && b->present[v]; i++) {
            if (pb_runner_plan(&b->runner[v], &(pb_runner_batch){.split = PB_VALIDATION, .item = &i, .count = 1},
                               false))
                return -1;
            sum += (double)b->runner[v].plan.forward_flops;
        }
        if (b->present[v])
            pb_result_put(out, -1, -1, sum / n, "%s", key[v]);
    }
    return 0;
}

/* Runs all rounds twice and records the second time only.  The first time grows every arena to its largest batch: a
 * variant that grew an arena in a recorded round would be charged for it, and would leave freed memory to the
 * others. */
static int time_rounds(timing_pass *b, timing *timing_of, const char *what, int batch, const pb_rounds *r,
                       pb_result *out)
{
    for (int i = 0; i < 2 * r->count; i++)
        if (time_round(b, timing_of, what, batch, r->from + i % r->count, i < r->count ? NULL : out))
            return -1;
    return 0;
}

static int time_all(timing_pass *b, const pb_rounds *r, pb_result *out)
{
    const pb_encoded *set = b->runner[PB_UNMERGED].encoded;
    bool texts = set && set->mode == PB_BY_GENERATION;
    for (size_t k = 0; k < PB_COUNT(pb_measured_batch); k++)
        if (time_rounds(b, time_prefill, "prefill", pb_measured_batch[k], r, out) ||
            (texts && time_rounds(b, time_decoding, "decode", pb_measured_batch[k], r, out)))
            return -1;
    if (b->present[PB_MERGED] && !r->process)
        put_error(&b->runner[PB_UNMERGED], &b->runner[PB_MERGED], "overhead.merge_error", out);
    return 0;
}

int pb_measure_inference(pb_model *const model[PB_VARIANTS], const pb_encoded *const encoded[PB_VARIANTS],
                         const pb_rounds *rounds, pb_result *out)
{
    timing_pass b = {.items = encoded[PB_UNMERGED]->items[PB_VALIDATION]};
    for (int v = 0; v < PB_VARIANTS; v++)
        if ((b.present[v] = model[v] != NULL))
            b.runner[v] = pb_runner_start(model[v], encoded[v], false);
    int rc = time_all(&b, rounds, out);
    if (!rc && !rounds->process) {
        rc = put_flops(&b, out);
        pb_result_put(out, -1, -1, pb_kv_cache_added_bytes(model[PB_UNMERGED]), "overhead.kv_bytes");
    }
    for (int v = 0; v < PB_VARIANTS; v++)
        if (b.present[v])
            pb_runner_stop(&b.runner[v]);
    return rc;
}
