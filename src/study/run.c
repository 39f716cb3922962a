/* run: the passes of an experiment: train, choose, test, time. */
#include "study/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"
#include "model/chat.h"
#include "model/family.h"
#include "study/children.h"
#include "study/kept.h"
#include "study/progress.h"
#include "study/timing.h"
#include "train/template.h"

/* ---- the bench ---------------------------------------------------------------------------------------- */

static int check_template(const char *path)
{
    pb_template t;
    char *text = pb_read_file(path, NULL);
    int rc = text ? pb_template_parse(path, text, &t) : -1;
    free(text);
    return rc;
}

/* Rows that answer in words or texts need a model that goes on with a text, and a template. */
static int check_decoder(const pb_experiment *e, const pb_model *m)
{
    for (int i = 0; i < e->cells; i++) {
        const pb_prompting *p = pb_cell_prompting(&e->cell[i]);
        if ((e->task->texts || p) && !pb_model_config(m)->family->causal)
            return pb_error("%s: row %s needs a causal language model; %s is a %s", e->path, e->cell[i].row->label,
                            e->model_path, pb_model_family(m));
        const pb_chat *chat;
        if (p && ((*p->template && check_template(p->template)) || pb_chat_find(m, p->chat, &chat)))
            return -1;
    }
    return 0;
}

int pb_bench_open(pb_bench *b, pb_experiment *e, const char *db)
{
    *b = (pb_bench){.experiment = e, .db = db, .home = getcwd(NULL, 0), .artifacts = pb_kept_folder(db)};
    b->data = pb_experiment_data(e);
    pb_model *m = b->data ? pb_model_open(&(pb_opening){.path = e->model_path, .classes = b->data->classes}) : NULL;
    if (!m) {
        pb_bench_close(b);
        return -1;
    }
    pb_digest digest = pb_model_digest(m);
    int rc = check_decoder(e, m);
    pb_model_free(m);
    pb_experiment_seal(e, b->data, &digest);
    if (rc)
        pb_bench_close(b);
    return rc;
}

void pb_bench_close(pb_bench *b)
{
    pb_data_free(b->data);
    free(b->home);
    free(b->artifacts);
    b->data = NULL;
    b->artifacts = b->home = NULL;
}

/* ---- choosing ----------------------------------------------------------------------------------------- */

double pb_run_validation(pb_store *s, const pb_experiment *e, const pb_row *row, const char *choice)
{
    const pb_metric_info *primary = &e->task->metrics[0];
    char key[80];
    snprintf(key, sizeof key, "accuracy.validation.%s", primary->name);
    double sum = 0;
    int n = 0;
    for (int i = 0; i < e->cells; i++) {
        const pb_cell *c = &e->cell[i];
        long long id = c->row == row && !strcmp(c->choice, choice) ? pb_store_find(s, &c->hash) : 0;
        if (id <= 0)
            continue;
        double value = pb_store_value(s, id, PB_VALIDATION, key);
        sum += isnan(value) ? (primary->higher_is_better ? -INFINITY : INFINITY) : value;
        n++;
    }
    return n ? (primary->higher_is_better ? sum : -sum) / n : NAN;
}

static const char *best_choice(pb_store *s, const pb_experiment *e, const pb_row *row)
{
    const char *best = NULL;
    double most = NAN;
    for (int i = 0; i < e->cells; i++) {
        const pb_cell *c = &e->cell[i];
        if (c->row != row || (i && e->cell[i - 1].row == row && !strcmp(e->cell[i - 1].choice, c->choice)))
            continue;
        double mean = pb_run_validation(s, e, row, c->choice);
        if (!isnan(mean) && (!best || mean > most)) {
            best = c->choice;
            most = mean;
        }
    }
    return best;
}

bool pb_run_chosen(pb_store *s, const pb_experiment *e, const pb_cell *c)
{
    const char *best = best_choice(s, e, c->row);
    return best && !strcmp(best, c->choice);
}

/* ---- passes ------------------------------------------------------------------------------------------- */

typedef bool is_wanted(pb_store *s, const pb_bench *b, const pb_cell *c, long long id);

typedef struct pass {
    pb_bench bench;
    is_wanted *lacks;     /* does the cell's run lack what this pass stores? */
    const pb_cell **cell; /* to be done in this pass */
    long long *id;        /* their runs, if stored   */
    int cells;
    int (*work)(const pb_bench *b, const pb_cell *c, long long id); /* NULL: training */
    pb_meter meter;
    int failed;
} pass;

static char *label_of(const pb_cell *c)
{
    return pb_format("%s%s%s seed %llu", c->row->label, *c->choice ? " " : "", c->choice, (unsigned long long)c->seed);
}

typedef struct teller {
    FILE *to;
    double last;
} teller;

static void tell_step(void *ctx, int step, int steps, double loss)
{
    teller *t = ctx;
    double now = pb_clock();
    if (now - t->last < 0.1 && step < steps)
        return;
    t->last = now;
    fprintf(t->to, "%d %d %g\n", step, steps, loss);
}

static int work_in_child(void *ctx, int number, FILE *to_parent)
{
    const pass *p = ctx;
    const pb_cell *c = p->cell[number];
    teller t = {.to = to_parent};
    pb_error_clear();
    if (p->work)
        return p->work(&p->bench, c, p->id[number]);
    return pb_cell_train(&p->bench, c, &(pb_progress){.tell = tell_step, .ctx = &t});
}

static void cell_begun(void *ctx, int number)
{
    pass *p = ctx;
    char *label = label_of(p->cell[number]);
    pb_meter_tell(&p->meter, label, 0, "");
    free(label);
}

static void cell_told(void *ctx, int number, const char *line)
{
    pass *p = ctx;
    int step, steps;
    double loss;
    if (sscanf(line, "%d %d %lg", &step, &steps, &loss) != 3)
        return;
    char *label = label_of(p->cell[number]), *detail = pb_format("loss %.3f", loss);
    pb_meter_tell(&p->meter, label, (double)step / steps, detail);
    free(detail);
    free(label);
}

/* A failed training is a row of its own, with the first error. */
static int store_failure(const pass *p, const pb_cell *c, const char *error, double seconds)
{
    pb_result r;
    pb_result_init(&r);
    snprintf(r.status, sizeof r.status, "failed");
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s && pb_store_run(s, p->bench.experiment, c, &r, error, seconds) > 0 ? 0 : -1;
    pb_store_close(s);
    pb_result_free(&r);
    return rc;
}

/* What could not be timed is not tried for ever. */
static int note_untimed(const pass *p, long long id, const char *error)
{
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? pb_store_note(s, id, PB_TIMING_FAILED, error) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

/* What the database has of a cell when its child is gone: that counts, not how the child ended. */
typedef struct outcome {
    bool stored;
    double validation; /* NaN: it diverged */
} outcome;

static outcome outcome_of(const pass *p, const pb_cell *c)
{
    pb_store *s = pb_store_read(p->bench.db);
    long long id = s ? pb_store_find(s, &c->hash) : 0;
    char *key = pb_format("accuracy.validation.%s", p->bench.experiment->task->metrics[0].name);
    outcome o = {.stored = id > 0 && !p->lacks(s, &p->bench, c, id),
                 .validation = id > 0 ? pb_store_value(s, id, PB_VALIDATION, key) : NAN};
    free(key);
    pb_store_close(s);
    return o;
}

/* What the meter says of a cell whose result is there. */
static char *praise(const pass *p, const outcome *o)
{
    if (p->work)
        return pb_strdup("done");
    return isnan(o->validation)
               ? pb_strdup("diverged")
               : pb_format("validation %s %.4f", p->bench.experiment->task->metrics[0].name, o->validation);
}

static int cell_ended(void *ctx, int number, const char *error, double seconds)
{
    pass *p = ctx;
    const pb_cell *c = p->cell[number];
    outcome o = outcome_of(p, c);
    if (!error)
        error = "it ended, with exit status 0, before its result was stored";
    char *label = label_of(c), *detail = o.stored ? praise(p, &o) : pb_format("failed: %s", error);
    pb_meter_end(&p->meter, label, detail, seconds);
    free(detail);
    free(label);
    p->failed += !o.stored;
    return o.stored                  ? 0
           : !p->work                ? store_failure(p, c, error, seconds)
           : p->work == pb_cell_time ? note_untimed(p, p->id[number], error)
                                     : 0;
}

static const pb_child_events events = {.begun = cell_begun, .told = cell_told, .ended = cell_ended};

static int run_pass(pass *p, const char *what, int jobs, const pb_run_options *o)
{
    if (!p->cells)
        return 0;
    int cores = o->threads > 0 ? o->threads : pb_cores_allowed("");
    p->bench.threads = cores / jobs > 1 ? cores / jobs : 1;
    p->meter = pb_meter_start(what, p->cells, jobs, o->quiet);
    pb_child_limits limits = {.jobs = jobs, .seconds = p->bench.experiment->cell_seconds};
    int rc = pb_children_run(p->cells, &limits, work_in_child, &events, p);
    pb_meter_stop(&p->meter);
    return rc;
}

/* ---- what is left to do ------------------------------------------------------------------------------- */

static bool is_missing(pb_store *s, const pb_bench *b, const pb_cell *c, long long id)
{
    (void)s, (void)b, (void)c;
    return id == 0;
}

/* A finished run of the row's choice that did not diverge. */
static bool is_good_choice(pb_store *s, const pb_experiment *e, const pb_cell *c, long long id)
{
    char key[80];
    snprintf(key, sizeof key, "accuracy.validation.%s", e->task->metrics[0].name);
    return id > 0 && !isnan(pb_store_value(s, id, PB_VALIDATION, key)) && pb_run_chosen(s, e, c);
}

static bool lacks_test(pb_store *s, const pb_bench *b, const pb_cell *c, long long id)
{
    char key[80];
    (void)c;
    snprintf(key, sizeof key, "accuracy.test.%s", b->experiment->task->metrics[0].name);
    return isnan(pb_store_value(s, id, PB_TEST, key));
}

static bool is_untested(pb_store *s, const pb_bench *b, const pb_cell *c, long long id)
{
    return is_good_choice(s, b->experiment, c, id) && lacks_test(s, b, c, id);
}

static bool lacks_times(pb_store *s, const pb_bench *b, const pb_cell *c, long long id)
{
    (void)c;
    return !pb_timing_has(s, id, -1) && !pb_timing_has(s, id, b->process);
}

/* One seed of each row: speed does not depend on what was learnt. */
static bool is_untimed(pb_store *s, const pb_bench *b, const pb_cell *c, long long id)
{
    const pb_experiment *e = b->experiment;
    if (e->timing_rounds <= 0 || c->seed != e->seed[0] || !lacks_times(s, b, c, id) || !is_good_choice(s, e, c, id))
        return false;
    char *failed = b->retry ? NULL : pb_store_fact(s, id, PB_TIMING_FAILED);
    bool tried = failed != NULL;
    free(failed);
    return !tried;
}

static int collect(pass *p, const char *db, is_wanted *wanted)
{
    const pb_experiment *e = p->bench.experiment;
    pb_store *s = pb_store_open(db); /* closed again before a child is made */
    p->cells = 0;
    for (int i = 0; s && i < e->cells; i++) {
        long long id = pb_store_find(s, &e->cell[i].hash);
        if (id >= 0 && wanted(s, &p->bench, &e->cell[i], id)) {
            p->cell[p->cells] = &e->cell[i];
            p->id[p->cells++] = id;
        }
    }
    pb_store_close(s);
    return s ? 0 : -1;
}

/* The trained parameters of settings that were not chosen will not be asked for again. */
static int drop_artifacts(const pass *p, const char *db)
{
    const pb_experiment *e = p->bench.experiment;
    pb_store *s = pb_store_open(db);
    for (int i = 0; s && i < e->cells; i++) {
        char *path = pb_kept_path(db, e->cell[i].hash.hex);
        if (!pb_run_chosen(s, e, &e->cell[i]))
            unlink(path);
        free(path);
    }
    pb_store_close(s);
    return s ? 0 : -1;
}

static int pool_times(const pass *p, const char *db)
{
    const pb_experiment *e = p->bench.experiment;
    pb_store *s = pb_store_open(db);
    int rc = s ? 0 : -1;
    for (int i = 0; !rc && i < e->cells; i++) {
        long long id = pb_store_find(s, &e->cell[i].hash);
        rc = id > 0 ? pb_timing_pool(s, id, e->timing_processes) : (int)id;
    }
    pb_store_close(s);
    return rc;
}

/* One process of each row after the other, then the next ones: what changes on the machine meets all rows alike. */
static int time_rows(pass *p, const char *db, const pb_run_options *o)
{
    int processes = p->bench.experiment->timing_processes;
    char what[64];
    p->work = pb_cell_time;
    p->lacks = lacks_times;
    for (p->bench.process = 0; p->bench.process < processes; p->bench.process++) {
        snprintf(what, sizeof what, "time (process %d of %d)", p->bench.process + 1, processes);
        if (collect(p, db, is_untimed) || run_pass(p, what, 1, o))
            return -1;
    }
    return pool_times(p, db);
}

/* Did any run come to an end that can be looked at?  -1 with an error. */
static int has_result(const pass *p, const char *db)
{
    const pb_experiment *e = p->bench.experiment;
    pb_store *s = pb_store_read(db);
    char key[80];
    snprintf(key, sizeof key, "accuracy.validation.%s", e->task->metrics[0].name);
    int has = s ? 0 : -1;
    for (int i = 0; !has && i < e->cells; i++) {
        long long id = pb_store_find(s, &e->cell[i].hash);
        has = id < 0 ? -1 : id > 0 && !isnan(pb_store_value(s, id, PB_VALIDATION, key));
    }
    pb_store_close(s);
    return has;
}

static int run_passes(pass *p, const char *db, const pb_run_options *o)
{
    int jobs = o->jobs > 0 ? o->jobs : p->bench.experiment->jobs;
    p->lacks = is_missing;
    if (collect(p, db, is_missing) || run_pass(p, "train", jobs, o))
        return -1;
    p->work = pb_cell_test;
    p->lacks = lacks_test;
    if (drop_artifacts(p, db) || collect(p, db, is_untested) || run_pass(p, "test", jobs, o))
        return -1;
    if (o->timing && time_rows(p, db, o))
        return -1;
    int has = has_result(p, db);
    if (!has)
        pb_warn("no row has a result: every run diverged or failed");
    return has < 0 ? -1 : p->failed || !has;
}

int pb_run_experiment(pb_experiment *e, const char *db, const pb_run_options *o)
{
    pass p = {.cells = 0};
    if (pb_bench_open(&p.bench, e, db))
        return -1;
    p.cell = pb_alloc((size_t)(e->cells + 1) * sizeof *p.cell);
    p.id = pb_alloc((size_t)(e->cells + 1) * sizeof *p.id);
    p.bench.retry = o->retry;
    pb_kept_sweep(db);
    int rc = run_passes(&p, db, o);
    free(p.cell);
    free(p.id);
    pb_bench_close(&p.bench);
    return rc;
}
