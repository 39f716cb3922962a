/* measure: see measure.h. */
#include "train/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/runner.h"

#define SINGLES 8 /* examples a round at batch 1, one after the other */

const char *const pb_variant_name[PB_VARIANTS] = {"base", "unmerged", "merged"};
const int pb_measured_batch[2] = {1, 32};

typedef struct bench {
    pb_runner runner[PB_VARIANTS];
    bool present[PB_VARIANTS];
    int examples;
} bench;

/* Batches of `batch` examples, the round's own; seconds for one batch. */
static int time_variant(bench *b, int variant, int batch, int round, double *seconds)
{
    int passes = batch == 1 ? SINGLES : 1, example[32];
    double start = pb_clock();
    for (int p = 0; p < passes; p++) {
        for (int i = 0; i < batch; i++)
            example[i] = (round * batch * passes + p * batch + i) % b->examples;
        if (pb_runner_run(&b->runner[variant], PB_VALIDATION, example, batch, false, 0, 0))
            return -1;
    }
    *seconds = (pb_clock() - start) / passes;
    return 0;
}

/* Round -1 warms caches and memory. */
static int time_round(bench *b, int batch, int round, pb_result *out)
{
    for (int i = 0; i < PB_VARIANTS; i++) {
        int variant = (i + round + PB_VARIANTS) % PB_VARIANTS;
        double seconds;
        char key[64];
        if (!b->present[variant])
            continue;
        if (time_variant(b, variant, batch, round < 0 ? 0 : round, &seconds))
            return -1;
        snprintf(key, sizeof key, "prefill.b%d.%s", batch, pb_variant_name[variant]);
        if (round >= 0)
            pb_result_sample(out, round, seconds, key);
    }
    return 0;
}

/* After a timing at one and the same batch, the logits of both are still there. */
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

int pb_measure_difference(pb_model *packed, pb_model *full, const pb_data *d, pb_result *out)
{
    int n = d->split[PB_VALIDATION].count < 32 ? d->split[PB_VALIDATION].count : 32, example[32];
    pb_runner a = pb_runner_start(packed, d, false), b = pb_runner_start(full, d, false);
    for (int i = 0; i < n; i++)
        example[i] = i;
    int rc = pb_runner_run(&a, PB_VALIDATION, example, n, false, 0, 0) ||
             pb_runner_run(&b, PB_VALIDATION, example, n, false, 0, 0);
    if (!rc)
        put_error(&b, &a, "overhead.precision_error", out);
    pb_runner_stop(&a);
    pb_runner_stop(&b);
    return rc ? -1 : 0;
}

static void put_kv_bytes(const pb_model *m, pb_result *out)
{
    const pb_config *c = pb_model_config(m);
    double tokens = c->positions - pb_model_max_tokens(m) - c->first_position;
    pb_result_put(out, -1, -1, tokens * 2 * c->layers * pb_model_kv_width(m) * (double)sizeof(float),
                  "overhead.kv_bytes");
}

static int time_all(bench *b, int rounds, pb_result *out)
{
    for (size_t k = 0; k < PB_COUNT(pb_measured_batch); k++)
        for (int round = -1; round < rounds; round++)
            if (time_round(b, pb_measured_batch[k], round, out))
                return -1;
    if (b->present[PB_MERGED])
        put_error(&b->runner[PB_UNMERGED], &b->runner[PB_MERGED], "overhead.merge_error", out);
    return 0;
}

int pb_measure_inference(pb_model *const model[PB_VARIANTS], const pb_data *d, int rounds, pb_result *out)
{
    bench b = {.examples = d->split[PB_VALIDATION].count};
    for (int v = 0; v < PB_VARIANTS; v++)
        if ((b.present[v] = model[v] != NULL))
            b.runner[v] = pb_runner_start(model[v], d, false);
    int rc = time_all(&b, rounds, out);
    put_kv_bytes(model[PB_UNMERGED], out);
    for (int v = 0; v < PB_VARIANTS; v++)
        if (b.present[v])
            pb_runner_stop(&b.runner[v]);
    return rc;
}
