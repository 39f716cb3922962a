/* cell_retention: measures what the trained model of a cell has kept of its base, and how it moved the weights. */
#include <math.h>
#include <stdlib.h>

#include "base/threads.h"
#include "driver/cell_internal.h"
#include "results/retained.h"
#include "train/micro_batches.h"
#include "train/retention.h"
#include "train/score.h"

/* ---- models ------------------------------------------------------------------------------------------- */

/* Opens the cell's checkpoint with the head of a language model if it has one, otherwise without a head, and with the
 * first `parts` of the cell's methods.  Returns NULL with an error. */
static pb_model *open_language_model(const pb_bench *b, const pb_cell *c, pb_head head, int parts)
{
    pb_bench_home(b);
    pb_model *m = pb_model_open(&(pb_opening){.path = b->experiment->model_path,
                                              .bare = head != PB_HEAD_CAUSAL && head != PB_HEAD_MASKED,
                                              .seed = c->seed,
                                              .base = c->base});
    if (m && !pb_model_attach(m, c->part, parts))
        return m;
    pb_model_free(m);
    return NULL;
}

/* The models that a cell's retention is measured with. */
typedef struct retention {
    const pb_bench *bench;
    const pb_cell *cell;
    long long run;
    pb_subject trained; /* the task's model, unmerged */
    pb_model *base;     /* a language model without methods */
    pb_model *start;    /* for strengths: the task's model without methods; NULL: not needed */
    pb_result result;
} retention;

/* Opens the language model with the trained parameters.  Returns NULL with an error. */
static pb_model *open_tuned(const retention *t)
{
    pb_head head = pb_model_config(t->trained.model)->head;
    pb_model *m = open_language_model(t->bench, t->cell, head, t->cell->row->spec.parts);
    if (m && !pb_model_copy_trained(m, t->trained.model))
        return m;
    pb_model_free(m);
    return NULL;
}

/* ---- the trained model -------------------------------------------------------------------------------- */

static void put(pb_result *r, double value, const char *key)
{
    if (!isnan(value))
        pb_result_put(r, -1, -1, value, "%s", key);
}

/* Puts a value at a strength. */
static void put_at(pb_result *r, double strength, double value, const char *key)
{
    if (!isnan(value))
        pb_result_put(r, -1, -1, value, "%s.s%g", key, strength);
}

static int measure_trained(retention *t, pb_model *tuned)
{
    pb_retention v;
    if (pb_retention_measure(t->base, tuned, t->bench->experiment->retention_text, true, &v))
        return -1;
    put(&t->result, v.loss[1] - v.loss[0], "retention.loss_delta");
    put(&t->result, v.loss[0], "retention.base_loss");
    put(&t->result, v.drift, "retention.drift");
    put(&t->result, v.cka, "retention.cka");
    return 0;
}

/* Merges the model, if it can be. */
static int measure_geometry(retention *t, pb_model *tuned)
{
    pb_geometry v;
    if (!pb_model_can_merge(tuned))
        return 0;
    if (pb_model_merge(tuned) || pb_model_geometry(tuned, t->base, &v))
        return -1;
    put(&t->result, v.norm, "geometry.norm");
    put(&t->result, v.effective_rank, "geometry.effective_rank");
    put(&t->result, v.overlap, "geometry.overlap");
    return 0;
}

static int measure_whole(retention *t)
{
    pb_model *tuned = open_tuned(t);
    int rc = tuned ? measure_trained(t, tuned) || measure_geometry(t, tuned) : -1;
    pb_model_free(tuned);
    return rc ? -1 : 0;
}

/* ---- a part of the change ----------------------------------------------------------------------------- */

/* Scores the merged model of the task on test. */
static int score_at(retention *t, double strength)
{
    const pb_experiment *e = t->bench->experiment;
    pb_subject s = pb_subject_trained(t->bench, t->cell, t->run, &t->trained);
    pb_result r;
    pb_result_init(&r);
    int rc = s.model ? pb_model_merge(s.model) : -1;
    if (!rc) {
        pb_model_set_strength(s.model, t->start, strength);
        rc = pb_encoded_cache_prefix(s.encoded, s.model) ||
             pb_score(s.model, s.encoded, e->task, PB_TEST, pb_micro_batch_size(&t->cell->train), &r);
    }
    if (!rc) {
        char *key = pb_format("accuracy.test.%s", e->primary->name);
        put_at(&t->result, strength, pb_result_get(&r, PB_TEST, key), "retention.score");
        free(key);
    }
    pb_result_free(&r);
    pb_subject_close(&s);
    return rc ? -1 : 0;
}

/* Measures the retention of the merged language model; the CKA only if it has no loss. */
static int retain_at(retention *t, double strength)
{
    pb_retention v;
    pb_head head = pb_model_head(t->base);
    pb_model *m = open_tuned(t);
    int rc = m ? pb_model_merge(m) : -1;
    if (!rc) {
        pb_model_set_strength(m, t->base, strength);
        rc = pb_retention_measure(t->base, m, t->bench->experiment->retention_text, head == PB_HEAD_NONE, &v);
    }
    if (!rc) {
        put_at(&t->result, strength, v.loss[1] - v.loss[0], "retention.loss_delta");
        put_at(&t->result, strength, v.drift, "retention.drift");
        put_at(&t->result, strength, v.cka, "retention.cka");
    }
    pb_model_free(m);
    return rc;
}

/* Measures the strengths that are wanted.  Methods that cannot be merged have none. */
static int measure_strengths(retention *t, const pb_retained *wanted)
{
    const pb_experiment *e = t->bench->experiment;
    int rc = 0, left = 0;
    for (int i = 0; i < e->strengths; i++)
        left += !wanted->strength[i];
    if (!left)
        return 0;
    if (!pb_model_can_merge(t->trained.model)) {
        if (t->cell->seed == e->seed[0])
            pb_warn("strength: %s is left out: its methods cannot be folded into the weights", t->cell->row->label);
        return 0;
    }
    t->start = pb_cell_open_without(t->bench, t->cell);
    if (!t->start)
        return -1;
    for (int i = 0; i < e->strengths && !rc; i++)
        if (!wanted->strength[i])
            rc = score_at(t, e->strength[i]) || retain_at(t, e->strength[i]);
    return rc ? -1 : 0;
}

/* ---- the cell ----------------------------------------------------------------------------------------- */

static int read_state(const retention *t, pb_retained *out)
{
    pb_store *s = pb_store_read(t->bench->db);
    int rc = s ? pb_retained_read(s, t->run, t->bench->experiment, out) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

static int measure(retention *t)
{
    pb_retained has = {.strength = NULL};
    pb_bench_home(t->bench);
    int rc = read_state(t, &has);
    if (!rc) {
        t->base = open_language_model(t->bench, t->cell, pb_model_config(t->trained.model)->head, 0);
        rc = t->base ? 0 : -1;
    }
    if (!rc && !has.whole)
        rc = measure_whole(t);
    if (!rc)
        rc = measure_strengths(t, &has);
    free(has.strength);
    return rc;
}

static int note(const retention *t, int (*entry)(pb_store *s, long long run, const pb_experiment *e))
{
    pb_bench_home(t->bench);
    pb_store *s = pb_store_open(t->bench->db);
    int rc = s ? entry(s, t->run, t->bench->experiment) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

int pb_cell_retain(const pb_bench *b, const pb_cell *c, long long id)
{
    pb_threads_start(b->threads);
    retention t = {.bench = b, .cell = c, .run = id, .trained = pb_subject_trained(b, c, id, NULL)};
    pb_result_init(&t.result);
    int rc = t.trained.model ? measure(&t) : -1;
    rc = rc || note(&t, pb_retained_begin) || pb_cell_append(b, id, &t.result) || note(&t, pb_retained_end) ? -1 : 0;
    pb_result_free(&t.result);
    pb_model_free(t.base);
    pb_model_free(t.start);
    pb_subject_close(&t.trained);
    pb_threads_stop();
    return rc;
}
