/* cell: see cell.h. */
#include "study/cell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/threads.h"
#include "numeric/blas.h"
#include "study/stats.h"
#include "study/store.h"
#include "train/measure.h"

char *pb_cell_artifact(const pb_bench *b, const pb_cell *c)
{
    return pb_format("%s/%s.safetensors", b->artifacts, c->hash.hex);
}

/* ---- models ------------------------------------------------------------------------------------------- */

static pb_model *attach(const pb_bench *b, const pb_cell *c, const pb_attached *part, int parts, bool shapes_only)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = b->experiment->model_path,
                                              .classes = b->data->classes,
                                              .seed = c->seed,
                                              .shapes_only = shapes_only,
                                              .base = c->base});
    if (m && !pb_model_attach(m, part, parts))
        return m;
    pb_model_free(m);
    return NULL;
}

/* Texts are cut where the setting says, or where the model has no positions left. */
static void encode(const pb_bench *b, const pb_cell *c, const pb_model *m)
{
    int most = pb_model_max_tokens(m);
    if (pb_model_tokenizer(m))
        pb_data_encode(b->data, pb_model_tokenizer(m), c->train.max_tokens < most ? c->train.max_tokens : most);
}

pb_model *pb_cell_model(const pb_bench *b, const pb_cell *c, bool shapes_only)
{
    pb_model *m = attach(b, c, c->part, c->row->parts, shapes_only);
    if (m)
        encode(b, c, m);
    return m;
}

static int train_again(const pb_bench *b, const pb_cell *c, pb_model *m)
{
    pb_result r;
    pb_result_init(&r);
    int rc = pb_train(m, b->data, b->experiment->task, &c->train, c->seed, NULL, &r);
    pb_result_free(&r);
    return rc;
}

pb_model *pb_cell_trained(const pb_bench *b, const pb_cell *c)
{
    pb_model *m = pb_cell_model(b, c, false);
    if (!m)
        return NULL;
    char *path = pb_cell_artifact(b, c);
    int rc = pb_file_exists(path) ? pb_model_load(m, path) : train_again(b, c, m);
    free(path);
    if (!rc)
        return m;
    pb_model_free(m);
    return NULL;
}

/* ---- training ----------------------------------------------------------------------------------------- */

static double file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) ? NAN : (double)st.st_size;
}

static int save(const pb_bench *b, const pb_cell *c, const pb_model *m, pb_result *r)
{
    char *path = pb_cell_artifact(b, c), *base = pb_format("%s/model.safetensors", b->experiment->model_path);
    int rc = pb_make_dirs(b->artifacts) || pb_model_save(m, path);
    double bytes = file_bytes(path), whole = file_bytes(base);
    pb_result_put(r, -1, -1, bytes, "storage.artifact_bytes");
    pb_result_put(r, -1, -1, whole, "storage.rebuild_bytes");
    pb_result_put(r, -1, -1, bytes / whole, "storage.ratio_to_full");
    free(base);
    free(path);
    return rc;
}

/* What the machine could do beside what the training did, both in GFLOP/s. */
static void put_rates(pb_result *r)
{
    double flops = pb_result_get(r, -1, "compute.train_flops"), seconds = pb_result_get(r, -1, "compute.train_seconds");
    pb_result_put(r, -1, -1, pb_blas_rate(0.1), "compute.gemm_limit");
    if (flops > 0 && seconds > 0)
        pb_result_put(r, -1, -1, flops / seconds * 1e-9, "compute.gflops");
}

static int store(const pb_bench *b, const pb_cell *c, const pb_result *r, double seconds)
{
    pb_store *s = pb_store_open(b->db);
    int rc = s && pb_store_run(s, b->experiment, c, r, NULL, seconds) > 0 ? 0 : -1;
    pb_store_close(s);
    return rc;
}

int pb_cell_train(const pb_bench *b, const pb_cell *c, const pb_progress *progress)
{
    double start = pb_clock();
    pb_threads_start(b->threads);
    pb_model *m = pb_cell_model(b, c, false);
    pb_result r;
    pb_result_init(&r);
    int rc = m ? pb_train(m, b->data, b->experiment->task, &c->train, c->seed, progress, &r) : -1;
    if (!rc)
        rc = save(b, c, m, &r);
    if (!rc)
        put_rates(&r);
    rc = rc || store(b, c, &r, pb_clock() - start) ? -1 : 0;
    pb_result_free(&r);
    pb_model_free(m);
    pb_threads_stop();
    return rc;
}

/* ---- afterwards --------------------------------------------------------------------------------------- */

static int append(const pb_bench *b, long long id, const pb_result *r)
{
    pb_store *s = pb_store_open(b->db);
    int rc = s ? pb_store_append(s, id, r) : -1;
    pb_store_close(s);
    return rc;
}

int pb_cell_test(const pb_bench *b, const pb_cell *c, long long id)
{
    pb_threads_start(b->threads);
    pb_model *m = pb_cell_trained(b, c);
    pb_result r;
    pb_result_init(&r);
    int rc = m ? pb_score(m, b->data, b->experiment->task, PB_TEST, c->train.batch, &r) : -1;
    rc = rc || append(b, id, &r) ? -1 : 0;
    pb_result_free(&r);
    pb_model_free(m);
    pb_threads_stop();
    return rc;
}

/* Ratios round by round, so that what disturbs a round disturbs both sides. */
static void put_ratio(pb_result *r, int batch, const char *variant, const char *suffix)
{
    char base_key[64], key[64];
    snprintf(base_key, sizeof base_key, "prefill.b%d.base", batch);
    snprintf(key, sizeof key, "prefill.b%d.%s", batch, variant);
    double *ratio = pb_alloc((r->samples + 1) * sizeof *ratio);
    int n = 0;
    for (size_t i = 0; i < r->samples; i++)
        for (size_t j = 0; j < r->samples && !strcmp(r->sample[i].key, base_key); j++)
            if (!strcmp(r->sample[j].key, key) && r->sample[j].round == r->sample[i].round)
                ratio[n++] = r->sample[j].seconds / r->sample[i].seconds;
    pb_interval m = pb_stats_median(n, ratio);
    free(ratio);
    if (!n)
        return;
    pb_result_put(r, -1, -1, m.middle, "overhead.prefill_ratio.b%d%s", batch, suffix);
    pb_result_put(r, -1, -1, m.low, "overhead.prefill_ratio.b%d%s.low", batch, suffix);
    pb_result_put(r, -1, -1, m.high, "overhead.prefill_ratio.b%d%s.high", batch, suffix);
}

static void put_ratios(pb_result *r)
{
    for (size_t k = 0; k < PB_COUNT(pb_measured_batch); k++) {
        put_ratio(r, pb_measured_batch[k], pb_variant_name[PB_UNMERGED], "");
        put_ratio(r, pb_measured_batch[k], pb_variant_name[PB_MERGED], ".merged");
    }
}

int pb_cell_time(const pb_bench *b, const pb_cell *c, long long id)
{
    pb_threads_start(b->threads);
    pb_model *model[PB_VARIANTS] = {attach(b, c, NULL, 0, false), pb_cell_trained(b, c), NULL};
    bool good = model[PB_BASE] && model[PB_UNMERGED];
    if (good && pb_model_can_merge(model[PB_UNMERGED])) {
        model[PB_MERGED] = pb_cell_trained(b, c);
        good = model[PB_MERGED] != NULL;
        if (good)
            pb_model_merge(model[PB_MERGED]);
    }
    pb_result r;
    pb_result_init(&r);
    int rc = good ? pb_measure_inference(model, b->data, b->experiment->timing_rounds, &r) : -1;
    put_ratios(&r);
    rc = rc || append(b, id, &r) ? -1 : 0;
    pb_result_free(&r);
    for (int v = 0; v < PB_VARIANTS; v++)
        pb_model_free(model[v]);
    pb_threads_stop();
    return rc;
}
