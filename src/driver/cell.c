/* cell: see cell.h. */
#include "driver/cell_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/threads.h"
#include "base/waits.h"
#include "numeric/blas.h"
#include "results/artifact_file.h"
#include "results/timing.h"
#include "model/adapter.h"
#include "model/multi_adapter.h"
#include "train/measure.h"
#include "train/micro_batches.h"
#include "train/score.h"
#include "train/serving.h"

void pb_bench_home(const pb_bench *b)
{
    pb_plain_numbers();
    if (b->home && chdir(b->home))
        pb_warn("%s: cannot go there: %s", b->home, strerror(errno));
}

/* ---- models ------------------------------------------------------------------------------------------- */

/* Returns how the first `parts` of the cell's methods prompt a decoder; NULL if they do not. */
static const pb_prompting *prompting_of(const pb_cell *c, int parts)
{
    return parts ? pb_cell_prompting(c) : NULL;
}

/* Opens the model with the head for texts that the first `reading` of the cell's methods present, and with the first
 * `parts` of them attached. */
static pb_model *open_with(const pb_experiment *e, const pb_cell *c, const pb_data *d, int reading, int parts,
                           bool shapes_only)
{
    bool head = pb_answer_mode_of(!d->classes, prompting_of(c, reading)) == PB_BY_HEAD;
    pb_model *m = pb_model_open(&(pb_opening){.path = e->model_path,
                                              .classes = head ? pb_data_outputs(d) : 0,
                                              .tokens = d->answer_kind == PB_ANSWER_TAGS,
                                              .problem = head ? pb_problem_of(d->answer_kind) : PB_PROBLEM_ANY,
                                              .seed = c->seed,
                                              .shapes_only = shapes_only,
                                              .base = c->base});
    if (m && !pb_model_attach(m, c->part, parts))
        return m;
    pb_model_free(m);
    return NULL;
}

pb_model *pb_cell_open(const pb_experiment *e, const pb_cell *c, const pb_data *d, int parts, bool shapes_only)
{
    return open_with(e, c, d, parts, parts, shapes_only);
}

pb_model *pb_cell_open_without(const pb_bench *b, const pb_cell *c)
{
    pb_bench_home(b);
    return open_with(b->experiment, c, b->data, c->row->spec.parts, 0, false);
}

pb_encoded *pb_cell_encode(const pb_cell *c, const pb_data *d, const pb_model *m, int parts)
{
    if (pb_encoded_check_prompting(d, prompting_of(c, parts)))
        return NULL;
    return pb_encoded_new(
        d, m, &(pb_encoding){prompting_of(c, parts), c->train.max_tokens, c->decoding, c->seed, c->train.examples});
}

void pb_subject_close(pb_subject *s)
{
    pb_encoded_free(s->encoded);
    pb_model_free(s->model);
    *s = (pb_subject){.model = NULL};
}

/* Returns true if both models of one cell read the examples alike. */
static bool reads_alike(const pb_subject *a, const pb_subject *b)
{
    return a->prompting == b->prompting && pb_model_max_tokens(a->model) == pb_model_max_tokens(b->model);
}

/* Opens the base model with the first `parts` methods of the cell.  The examples are those of `other`, which may be
 * NULL, if both models read them alike, and are encoded otherwise.  The model of the result is NULL with an error. */
static pb_subject open_subject(const pb_bench *b, const pb_cell *c, int parts, const pb_subject *other)
{
    pb_bench_home(b);
    pb_subject s = {.model = pb_cell_open(b->experiment, c, b->data, parts, false),
                    .prompting = prompting_of(c, parts)};
    if (s.model && other && other->encoded && reads_alike(&s, other))
        s.encoded = pb_encoded_share(other->encoded);
    else if (s.model)
        s.encoded = pb_cell_encode(c, b->data, s.model, parts);
    if (!s.encoded)
        pb_subject_close(&s);
    return s;
}

/* Trains with as many threads as the run had, which gives the same bits on the same kind of machine, and writes the
 * artifact again.  Returns -1 with an error if the bits differ. */
static int train_again(const pb_bench *b, const pb_cell *c, const pb_subject *s, const pb_artifact *k)
{
    pb_result r;
    pb_digest is = {{0}};
    pb_result_init(&r);
    pb_threads_start(k->threads);
    int rc = pb_train(s->model, s->encoded, b->experiment->task, &c->train, c->seed, NULL, &r);
    pb_threads_start(b->threads);
    pb_result_free(&r);
    pb_bench_home(b);
    rc = rc || pb_make_dirs(b->artifacts) || pb_model_save(s->model, k->path) || pb_sha256_file(k->path, &is) ? -1 : 0;
    if (rc || !*k->digest.hex || !strcmp(is.hex, k->digest.hex))
        return rc;
    unlink(k->path);
    return pb_error("%s: training again does not give the parameters that run %lld had; want its file, or the kind of "
                    "machine and the program that it was trained with",
                    k->path, k->run);
}

static int load_trained(const pb_bench *b, const pb_cell *c, const pb_subject *s, const pb_artifact *k)
{
    char *why;
    if (pb_artifact_is_intact(k, &why))
        return pb_model_load(s->model, k->path);
    pb_warn("%s: run %lld is trained again: %s", k->path, k->run, why);
    free(why);
    return train_again(b, c, s, k);
}

static int find_artifact(const pb_bench *b, long long id, pb_artifact *k)
{
    pb_store *s = pb_store_read(b->db);
    int rc = s ? pb_artifact_find(s, b->db, id, k) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

pb_subject pb_subject_trained(const pb_bench *b, const pb_cell *c, long long id, const pb_subject *other)
{
    pb_artifact k = {.path = NULL};
    pb_bench_home(b);
    int rc = find_artifact(b, id, &k);
    pb_subject s = rc ? (pb_subject){.model = NULL} : open_subject(b, c, c->row->spec.parts, other);
    if (s.model && load_trained(b, c, &s, &k))
        pb_subject_close(&s);
    pb_artifact_free(&k);
    return s;
}

/* ---- training ----------------------------------------------------------------------------------------- */

static double file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) ? NAN : (double)st.st_size;
}

static int save(const pb_bench *b, const pb_cell *c, const pb_model *m, pb_result *r)
{
    pb_bench_home(b);
    char *path = pb_artifact_path(b->db, c->hash.hex);
    char *folder = pb_find_installed(b->experiment->model_path), *base = pb_format("%s/model.safetensors", folder);
    int rc = pb_make_dirs(b->artifacts) || pb_model_save(m, path) || pb_sha256_file(path, &r->artifact) ? -1 : 0;
    double bytes = file_bytes(path), whole = file_bytes(base);
    pb_result_put(r, -1, -1, bytes, "storage.artifact_bytes");
    pb_result_put(r, -1, -1, whole, "storage.rebuild_bytes");
    pb_result_put(r, -1, -1, bytes / whole, "storage.ratio_to_full");
    free(base);
    free(folder);
    free(path);
    return rc;
}

/* Stores the rate of GEMM on this machine and the rate of the training, both in GFLOP/s. */
static void put_rates(pb_result *r)
{
    double flops = pb_result_get(r, -1, "compute.train_flops"), seconds = pb_result_get(r, -1, "compute.train_seconds");
    pb_result_put(r, -1, -1, pb_blas_rate(0.1), "compute.gemm_limit");
    if (flops > 0 && seconds > 0)
        pb_result_put(r, -1, -1, flops / seconds * 1e-9, "compute.gflops");
}

/* Stores how many tokens the template and the examples in the prompt take. */
static void put_prompt(const pb_encoded *f, pb_result *r)
{
    if (f->mode == PB_BY_HEAD)
        return;
    pb_result_put(r, -1, -1, f->extra_tokens, "overhead.prompt_tokens");
    pb_result_put(r, -1, -1, f->shots, "overhead.prompt_shots");
    pb_result_put(r, -1, -1, f->shots_dropped, "overhead.prompt_dropped");
}

/* Stores which share of the words the model does not read. */
static void put_lost(const pb_encoded *f, pb_split s, pb_result *r)
{
    int words = 0;
    for (int i = 0; i < f->data->split[s].count; i++)
        words += f->data->split[s].example[i].words;
    pb_result_put(r, -1, -1, (double)f->lost[s] / words, "data.lost.%s", pb_split_name[s]);
    if (f->lost[s])
        pb_warn("%s: %s: %d of %d words are cut or have no token; their tags count as predicted O", f->data->name,
                pb_split_name[s], f->lost[s], words);
}

/* Stores which share of the texts was truncated. */
static void put_cuts(const pb_encoded *f, pb_result *r)
{
    for (int s = 0; s < PB_SPLITS; s++)
        pb_result_put(r, -1, -1, (double)f->cut[s] / f->data->split[s].count, "data.cut.%s", pb_split_name[s]);
    for (int s = 0; s < PB_SPLITS && f->data->answer_kind == PB_ANSWER_TAGS; s++)
        put_lost(f, (pb_split)s, r);
}

/* Refuses to store a result if an error is pending that a caller did not return. */
static int check_errors(const pb_bench *b)
{
    pb_bench_home(b);
    return *pb_error_text() ? -1 : 0;
}

static int store(const pb_bench *b, const pb_cell *c, const pb_result *r, double seconds)
{
    if (check_errors(b))
        return -1;
    pb_store *s = pb_store_open(b->db);
    int rc = s && pb_store_run(s, b->experiment, c, r, NULL, seconds) > 0 ? 0 : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

int pb_cell_train(const pb_bench *b, const pb_cell *c, const pb_progress *progress)
{
    double start = pb_clock();
    pb_threads_start(b->threads);
    pb_subject s = open_subject(b, c, c->row->spec.parts, NULL);
    pb_result r;
    pb_result_init(&r);
    bool fixed = s.model && !pb_model_counts(s.model).trainable;
    int rc = !s.model || (fixed && pb_encoded_cache_prefix(s.encoded, s.model)) ? -1 : 0;
    if (!rc)
        rc = pb_train(s.model, s.encoded, b->experiment->task, &c->train, c->seed, progress, &r);
    if (!rc)
        rc = save(b, c, s.model, &r);
    if (!rc)
        put_prompt(s.encoded, &r);
    if (!rc)
        put_cuts(s.encoded, &r);
    if (!rc)
        put_rates(&r);
    rc = rc || store(b, c, &r, pb_clock() - start) ? -1 : 0;
    pb_result_free(&r);
    pb_subject_close(&s);
    pb_threads_stop();
    return rc;
}

/* ---- afterwards --------------------------------------------------------------------------------------- */

int pb_cell_append(const pb_bench *b, long long id, const pb_result *r)
{
    if (check_errors(b))
        return -1;
    pb_store *s = pb_store_open(b->db);
    int rc = s ? pb_store_append(s, id, r) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

int pb_cell_test(const pb_bench *b, const pb_cell *c, long long id)
{
    pb_threads_start(b->threads);
    pb_subject s = pb_subject_trained(b, c, id, NULL);
    pb_result r;
    pb_result_init(&r);
    int rc = s.model ? pb_encoded_cache_prefix(s.encoded, s.model) : -1;
    rc = rc || pb_score(s.model, s.encoded, b->experiment->task, PB_TEST, pb_micro_batch_size(&c->train), &r) ? -1 : 0;
    rc = rc || pb_cell_append(b, id, &r) ? -1 : 0;
    pb_result_free(&r);
    pb_subject_close(&s);
    pb_threads_stop();
    return rc;
}

/* Returns this process's share of the timing rounds. */
static pb_rounds rounds_of(const pb_bench *b)
{
    int processes = b->experiment->timing_processes;
    int count = (b->experiment->timing_rounds + processes - 1) / processes;
    return (pb_rounds){.process = b->process, .from = b->process * count, .count = count};
}

/* ---- many adapters ------------------------------------------------------------------------------------ */

/* Serves `count` adapters.  The base model is opened for this, since the multi-adapter changes it. */
static int serve(const pb_bench *b, const pb_cell *c, const pb_subject s[PB_VARIANTS], const char *dir, int count,
                 pb_result *r)
{
    char over[64], under[64], key[64];
    snprintf(over, sizeof over, "serving.mixed.n%d", count);
    snprintf(under, sizeof under, "serving.merged.n%d", count);
    snprintf(key, sizeof key, "serving.mixed_ratio.n%d", count);
    pb_subject base = open_subject(b, c, 0, &s[PB_BASE]);
    pb_rounds rounds = rounds_of(b);
    int rc = base.model ? pb_measure_serving(base.model, s[PB_MERGED].model, dir, count, base.encoded, &rounds, r) : -1;
    pb_timing_ratio(r, b->process, over, under, key);
    pb_subject_close(&base);
    return rc;
}

/* Measures serving if the experiment has the setting and a multi-adapter supports the row. */
static int serve_all(const pb_bench *b, const pb_cell *c, const pb_subject s[PB_VARIANTS], pb_result *r)
{
    const pb_experiment *e = b->experiment;
    if (!e->serveds)
        return 0;
    if (!s[PB_MERGED].model || !pb_multi_adapter_supports(s[PB_UNMERGED].model)) {
        if (!b->process)
            pb_warn("serving: %s is left out: only a row of one method can be served whose update is additive and of "
                    "low rank, and which does not change the base or its pooler",
                    c->row->label);
        return 0;
    }
    char *dir = pb_format("%s/%s.adapter", b->artifacts, c->hash.hex);
    int rc = pb_adapter_save(s[PB_UNMERGED].model, dir);
    for (int i = 0; i < e->serveds && !rc; i++)
        rc = serve(b, c, s, dir, e->served[i], r);
    free(dir);
    return rc;
}

/* Stores how far the logits of the base model in its reduced precision are from those in fp32. */
static int put_precision(const pb_bench *b, const pb_cell *c, const pb_subject *base, pb_result *r)
{
    if (c->base.precision == PB_IN_FP32 || !base->model)
        return 0;
    pb_cell full = *c;
    full.base = (pb_base_options){0};
    pb_subject s = open_subject(b, &full, 0, base);
    int rc = s.model ? pb_measure_difference(base->model, s.model, s.encoded, r) : -1;
    pb_subject_close(&s);
    return rc;
}

/* Opens the tuned model with the updates merged into the weights and the prefix cached, if it can be merged. */
static int open_merged(const pb_bench *b, const pb_cell *c, long long id, const pb_subject *tuned, pb_subject *out)
{
    *out = (pb_subject){.model = NULL};
    if (!pb_model_can_merge(tuned->model))
        return 0;
    *out = pb_subject_trained(b, c, id, tuned);
    if (!out->model)
        return -1;
    return pb_model_merge(out->model) ? -1 : pb_encoded_cache_prefix(out->encoded, out->model);
}

static int time_all(const pb_bench *b, const pb_cell *c, const pb_subject s[PB_VARIANTS], pb_result *r)
{
    pb_model *const model[] = {s[0].model, s[1].model, s[2].model};
    const pb_encoded *const encoded[] = {s[0].encoded, s[1].encoded, s[2].encoded};
    pb_rounds rounds = rounds_of(b);
    pb_waits waits = pb_waits_now();
    if (pb_measure_inference(model, encoded, &rounds, r))
        return -1;
    pb_result_put(r, -1, b->process, pb_waits_since(&waits), "overhead.contention");
    pb_timing_ratios(r, b->process);
    if (serve_all(b, c, s, r))
        return -1;
    return b->process ? 0 : put_precision(b, c, &s[PB_BASE], r);
}

int pb_cell_time(const pb_bench *b, const pb_cell *c, long long id)
{
    pb_threads_start(b->threads);
    pb_subject s[PB_VARIANTS] = {[PB_BASE] = open_subject(b, c, 0, NULL)};
    s[PB_UNMERGED] = pb_subject_trained(b, c, id, &s[PB_BASE]);
    pb_result r;
    pb_result_init(&r);
    int rc = s[PB_BASE].model && s[PB_UNMERGED].model ? open_merged(b, c, id, &s[PB_UNMERGED], &s[PB_MERGED]) : -1;
    rc = rc || time_all(b, c, s, &r) || pb_cell_append(b, id, &r) ? -1 : 0;
    pb_result_free(&r);
    for (int v = 0; v < PB_VARIANTS; v++)
        pb_subject_close(&s[v]);
    pb_threads_stop();
    return rc;
}
