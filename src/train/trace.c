/* trace: see trace.h. */
#include "train/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numeric/kernel.h"
#include "train/score.h"

/* The steps after which fingerprints and scores are recorded, besides the end. */
static const int points[] = {0, 1, 2, 5, 10, 20};

static bool is_point(int step)
{
    for (size_t i = 0; i < PB_COUNT(points); i++)
        if (points[i] == step)
            return true;
    return false;
}

/* ---- fingerprints --------------------------------------------------------------------------------------- */

/* Independent lanes of a hash: a single lane would wait for each multiplication. */
enum { LANES = 8, BLOCK = LANES * sizeof(uint64_t) };

static void mix_block(uint64_t lane[LANES], const char *block)
{
    uint64_t word[LANES];
    memcpy(word, block, BLOCK);
    for (int i = 0; i < LANES; i++) {
        lane[i] = (lane[i] ^ word[i]) * 0x9E3779B97F4A7C15u;
        lane[i] ^= lane[i] >> 29;
    }
}

/* Returns a hash of the bits of n numbers. */
static uint32_t hash_of(size_t n, const pb_real *x)
{
    uint64_t lane[LANES] = {1, 2, 3, 4, 5, 6, 7, 8};
    const char *bytes = (const char *)x;
    size_t size = n * sizeof *x, at = 0;
    char rest[BLOCK] = {0};
    for (; at + BLOCK <= size; at += BLOCK)
        mix_block(lane, bytes + at);
    memcpy(rest, bytes + at, size - at);
    mix_block(lane, rest);
    return (uint32_t)(pb_hash(lane, sizeof lane) >> 16);
}

static pb_tensor_fingerprint print_of(const pb_param *p, bool gradient)
{
    size_t n = (size_t)p->rows * (size_t)p->cols;
    size_t g = (size_t)(p->slot ? p->touched : p->rows) * (size_t)p->cols;
    return (pb_tensor_fingerprint){.values = hash_of(n, p->x),
                                   .gradient = gradient && p->g && p->reached ? hash_of(g, p->g) : 0,
                                   .norm = (float)sqrt((double)pb_sum_squares(n, p->x))};
}

static void record_fingerprint(const pb_trace *t, int step)
{
    const pb_model *m = t->runner->model;
    pb_tensor_fingerprint *print = pb_alloc((size_t)(t->out->tensors + 1) * sizeof *print);
    for (int i = 0, n = 0; i < pb_model_params(m); i++)
        if (pb_model_param(m, i)->trainable)
            print[n++] = print_of(pb_model_param(m, i), step > 0);
    pb_result_fingerprint(t->out, step, print);
    free(print);
}

static void name_tensors(const pb_model *m, pb_result *out)
{
    out->tensor = pb_alloc((size_t)(pb_model_params(m) + 1) * sizeof *out->tensor);
    for (int i = 0; i < pb_model_params(m); i++)
        if (pb_model_param(m, i)->trainable)
            out->tensor[out->tensors++] = pb_strdup(pb_model_param(m, i)->name);
}

/* ---- scores ---------------------------------------------------------------------------------------------- */

/* The runner's maxima are restored: they belong to the planned training, of which this scoring is not a part. */
static int record_scores(const pb_trace *t, int step, const char *name)
{
    size_t activations = t->runner->activations, workspace = t->runner->workspace;
    double *x = NULL;
    int n;
    int rc = pb_score_first(t->runner, PB_VALIDATION, t->batch, PB_TRACE_ITEMS, &x, &n);
    if (!rc)
        pb_result_series(t->out, step, name, n, x);
    free(x);
    t->runner->activations = activations;
    t->runner->workspace = workspace;
    return rc ? -1 : 0;
}

/* Merging needs memory for whole weights, which a base that is stored in fewer bits is meant to save. */
static bool can_merge(const pb_trace *t)
{
    const pb_model *m = t->runner->model;
    bool can = t->steps && !t->runner->encoded->prefix_cached && pb_model_can_merge(m);
    for (int i = 0; i < pb_model_params(m); i++)
        can = can && !pb_model_param(m, i)->packed;
    return can;
}

static int record_merged(const pb_trace *t)
{
    pb_model *m = t->runner->model;
    if (!can_merge(t))
        return 0;
    if (pb_model_merge(m))
        return -1;
    int rc = record_scores(t, -1, "logits.merged");
    pb_model_unmerge(m);
    return rc;
}

static int record_point(const pb_trace *t, int step)
{
    record_fingerprint(t, step); /* before the scores, whose graph replaces that of the batch */
    return record_scores(t, step, "logits");
}

/* ---- the run ----------------------------------------------------------------------------------------------- */

int pb_trace_start(pb_trace *t, pb_runner *r, int batch, int planned, pb_result *out)
{
    *t = (pb_trace){.runner = r, .batch = batch, .planned = planned, .out = out};
    name_tensors(r->model, out);
    return record_point(t, 0);
}

int pb_trace_step(pb_trace *t, int step, double loss, double norm)
{
    if (t->steps < PB_TRACE_STEPS) {
        t->loss[t->steps] = loss;
        t->norm[t->steps++] = norm;
    }
    return is_point(step) && step < t->planned ? record_point(t, step) : 0;
}

int pb_trace_end(pb_trace *t, bool diverged)
{
    pb_result_series(t->out, -1, "loss", t->steps, t->loss);
    pb_result_series(t->out, -1, "gradient_norm", t->steps, t->norm);
    return record_point(t, -1) || (!diverged && record_merged(t)) ? -1 : 0;
}
