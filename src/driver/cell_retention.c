/* cell_retention: measures what the trained model of a cell has kept of its base, and how it moved the weights. */
#include <math.h>

#include "base/threads.h"
#include "driver/cell_internal.h"
#include "results/retained.h"
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

/* ---- the cell ----------------------------------------------------------------------------------------- */

static int measure(retention *t)
{
    pb_head head = pb_model_config(t->trained.model)->head;
    t->base = open_language_model(t->bench, t->cell, head, 0);
    pb_model *tuned = t->base ? open_tuned(t) : NULL;
    int rc = tuned ? measure_trained(t, tuned) || measure_geometry(t, tuned) : -1;
    pb_model_free(tuned);
    return rc ? -1 : 0;
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
    pb_subject_close(&t.trained);
    pb_threads_stop();
    return rc;
}
