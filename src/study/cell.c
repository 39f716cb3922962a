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
#include "model/adapter.h"
#include "train/measure.h"
#include "train/serving.h"

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
static void put_ratio(pb_result *r, const char *over, const char *under, const char *key)
{
    double *ratio = pb_alloc((r->samples + 1) * sizeof *ratio);
    int n = 0;
    for (size_t i = 0; i < r->samples; i++)
        for (size_t j = 0; j < r->samples && !strcmp(r->sample[i].key, under); j++)
            if (!strcmp(r->sample[j].key, over) && r->sample[j].round == r->sample[i].round)
                ratio[n++] = r->sample[j].seconds / r->sample[i].seconds;
    pb_interval m = pb_stats_median(n, ratio);
    free(ratio);
    if (!n)
        return;
    pb_result_put(r, -1, -1, m.middle, "%s", key);
    pb_result_put(r, -1, -1, m.low, "%s.low", key);
    pb_result_put(r, -1, -1, m.high, "%s.high", key);
}

static void put_prefill(pb_result *r, int batch, const char *variant, const char *suffix)
{
    char under[64], over[64], key[64];
    snprintf(under, sizeof under, "prefill.b%d.base", batch);
    snprintf(over, sizeof over, "prefill.b%d.%s", batch, variant);
    snprintf(key, sizeof key, "overhead.prefill_ratio.b%d%s", batch, suffix);
    put_ratio(r, over, under, key);
}

static void put_ratios(pb_result *r)
{
    for (size_t k = 0; k < PB_COUNT(pb_measured_batch); k++) {
        put_prefill(r, pb_measured_batch[k], pb_variant_name[PB_UNMERGED], "");
        put_prefill(r, pb_measured_batch[k], pb_variant_name[PB_MERGED], ".merged");
    }
}

/* ---- many adapters ------------------------------------------------------------------------------------ */

static int serve(const pb_bench *b, const pb_cell *c, pb_model *merged, const char *dir, int count, pb_result *r)
{
    char over[64], under[64], key[64];
    snprintf(over, sizeof over, "serving.mixed.n%d", count);
    snprintf(under, sizeof under, "serving.merged.n%d", count);
    snprintf(key, sizeof key, "serving.mixed_ratio.n%d", count);
    pb_model *base = attach(b, c, NULL, 0, false);
    int rc = base ? pb_measure_serving(base, merged, dir, count, b->data, b->experiment->timing_rounds, r) : -1;
    put_ratio(r, over, under, key);
    pb_model_free(base);
    return rc;
}

/* Where the experiment asks for it, of rows that a bank can serve: one LoRA each. */
static int serve_all(const pb_bench *b, const pb_cell *c, pb_model *tuned, pb_model *merged, pb_result *r)
{
    const char *at = b->experiment->serving;
    if (!merged || c->row->parts != 1 || strcmp(c->row->method[0]->name, "lora") != 0 || !*at)
        return 0;
    char *dir = pb_format("%s/%s.adapter", b->artifacts, c->hash.hex);
    int rc = pb_adapter_save(tuned, dir);
    for (char *end; !rc && *at; at = *end ? end + 1 : end) {
        long count = strtol(at, &end, 10);
        rc = end > at && count >= 1 && count <= 4096
                 ? serve(b, c, merged, dir, (int)count, r)
                 : pb_error("serving: want numbers of adapters such as 1, 8, 64, got '%s'", b->experiment->serving);
        end += strspn(end, " ");
    }
    free(dir);
    return rc;
}

/* What holding the base in fewer bits changes: its logits against those of the base in full. */
static int put_precision(const pb_bench *b, const pb_cell *c, pb_model *base, pb_result *r)
{
    if (c->base.precision == PB_IN_FP32 || !base)
        return 0;
    pb_cell full = *c;
    full.base = (pb_base_options){0};
    pb_model *m = attach(b, &full, NULL, 0, false);
    int rc = m ? pb_measure_difference(base, m, b->data, r) : -1;
    pb_model_free(m);
    return rc;
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
    rc = rc || serve_all(b, c, model[PB_UNMERGED], model[PB_MERGED], &r) ? -1 : 0;
    rc = rc || put_precision(b, c, model[PB_BASE], &r) ? -1 : 0;
    rc = rc || append(b, id, &r) ? -1 : 0;
    pb_result_free(&r);
    for (int v = 0; v < PB_VARIANTS; v++)
        pb_model_free(model[v]);
    pb_threads_stop();
    return rc;
}
