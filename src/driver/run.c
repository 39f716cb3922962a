/* run: the passes of an experiment: train, choose, test, measure retention, time. */
#include "driver/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cores.h"
#include "driver/children.h"
#include "driver/inputs.h"
#include "results/artifact_file.h"
#include "driver/progress.h"
#include "results/retained.h"
#include "results/timing.h"
#include "train/encoded.h"

/* ---- the bench ---------------------------------------------------------------------------------------- */

int pb_bench_open(pb_bench *b, pb_experiment *e, const char *db)
{
    *b = (pb_bench){.experiment = e, .db = db, .home = getcwd(NULL, 0), .artifacts = pb_artifact_folder(db)};
    b->data = pb_experiment_data(e);
    pb_opening o = {.path = e->model_path, .problem = pb_problem_of(e->task->answer_kind)};
    o.tokens = e->task->answer_kind == PB_ANSWER_TAGS;
    o.classes = b->data ? pb_data_outputs(b->data) : 0;
    pb_model *m = b->data ? pb_model_open(&o) : NULL;
    if (!m) {
        pb_bench_close(b);
        return -1;
    }
    int rc = pb_inputs_check(e, b->data, m);
    if (!rc)
        pb_experiment_seal(e, b->data, m);
    pb_model_free(m);
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

/* ---- passes ------------------------------------------------------------------------------------------- */

/* What a pass does to a cell, and how the database shows that it is done. */
typedef struct pass_kind {
    const char *name;                                               /* of its claims */
    int (*work)(const pb_bench *b, const pb_cell *c, long long id); /* NULL: training */
    int (*is_done)(pb_store *s, const pb_bench *b, const pb_cell *c, long long id, bool *done);
    bool alone;         /* one cell at a time on this machine, over all drivers */
    const char *failed; /* the provenance entry that says why it failed, so that it is not tried again; NULL: it is */
} pass_kind;

typedef struct pass {
    pb_bench bench;
    const pass_kind *kind;
    const pb_cell **cell; /* to be done in this pass                             */
    long long *id;        /* their runs, if stored                               */
    long long *busy;      /* the process of another driver that works on it; 0: none */
    int cells;
    pb_selections chosen; /* known once all is trained                           */
    pb_meter meter;
    int failed, unchosen;
} pass;

static int is_trained(pb_store *s, const pb_bench *b, const pb_cell *c, long long id, bool *done)
{
    (void)b, (void)id;
    long long run;
    int rc = pb_store_find(s, &c->hash, &run);
    *done = run != 0;
    return rc;
}

static int is_tested(pb_store *s, const pb_bench *b, const pb_cell *c, long long id, bool *done)
{
    (void)c;
    char *key = pb_format("accuracy.test.%s", b->experiment->primary->name);
    int rc = pb_store_has(s, id, PB_TEST, key, -1, done);
    free(key);
    return rc;
}

static int is_timed(pb_store *s, const pb_bench *b, const pb_cell *c, long long id, bool *done)
{
    (void)c;
    if (pb_timing_has(s, id, -1, done))
        return -1;
    return *done ? 0 : pb_timing_has(s, id, b->process, done);
}

static int is_retained(pb_store *s, const pb_bench *b, const pb_cell *c, long long id, bool *done)
{
    (void)c;
    return pb_retained_is_done(s, id, b->experiment, done);
}

static const pass_kind training = {"train", NULL, is_trained, false, NULL},
                       testing = {"test", pb_cell_test, is_tested, false, NULL},
                       retaining = {"retention", pb_cell_retain, is_retained, false, PB_RETENTION_FAILED},
                       timing = {"time", pb_cell_time, is_timed, true, PB_TIMING_FAILED};

static char *label_of(const pb_cell *c)
{
    return pb_format("%s%s%s seed %llu", c->row->label, *c->choice ? " " : "", c->choice, (unsigned long long)c->seed);
}

/* ---- in a child ---------------------------------------------------------------------------------------- */

/* Claims a cell of a pass; a pass whose cells run alone is claimed as a whole. */
static int claim_cell(const pass *p, const pb_cell *c, long long id, bool *done, long long *busy)
{
    *done = false;
    *busy = 0;
    pb_bench_home(&p->bench);
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? pb_store_claim(s, p->kind->alone ? "" : c->hash.hex, p->kind->name, busy) : -1;
    if (!rc && !*busy)
        rc = p->kind->is_done(s, &p->bench, c, id, done);
    return pb_store_close(s) || rc ? -1 : 0;
}

static int release_cell(const pass *p, const pb_cell *c)
{
    pb_bench_home(&p->bench);
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? pb_store_release(s, p->kind->alone ? "" : c->hash.hex, p->kind->name) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

typedef struct reporter {
    const pass *pass;
    const pb_cell *cell;
    FILE *to;
    double last, claimed;
} reporter;

static void report_step(void *ctx, int step, int steps, double loss)
{
    enum { EXTEND = 120 }; /* seconds */
    reporter *t = ctx;
    double now = pb_clock();
    if (now - t->last < 0.1 && step < steps)
        return;
    t->last = now;
    fprintf(t->to, "%d %d %g\n", step, steps, loss);
    if (now - t->claimed > EXTEND) {
        bool done;
        long long busy;
        bool fine = !*pb_error_text();
        t->claimed = now;
        if (claim_cell(t->pass, t->cell, 0, &done, &busy) && fine) /* a busy database must not stop the training */
            pb_error_clear();
    }
}

/* Returns 1 if the cell was claimed.  Returns 0 if it is done or another driver works on it, of which the parent is
 * notified.  Returns -1 with an error. */
static int take_cell(const pass *p, int number, FILE *to_parent)
{
    bool done;
    long long busy;
    for (;;) {
        if (claim_cell(p, p->cell[number], p->id[number], &done, &busy))
            return -1;
        if (done)
            fprintf(to_parent, "done\n");
        else if (busy && !p->kind->alone)
            fprintf(to_parent, "busy %lld\n", busy);
        if (done || !busy || !p->kind->alone)
            return !done && !busy;
        pb_child_begin(to_parent); /* the time of waiting does not count */
        usleep(200000);
    }
}

static int work_in_child(void *ctx, int number, FILE *to_parent)
{
    const pass *p = ctx;
    const pb_cell *c = p->cell[number];
    reporter t = {.pass = p, .cell = c, .to = to_parent, .claimed = pb_clock()};
    pb_error_clear();
    int rc = take_cell(p, number, to_parent);
    if (rc <= 0)
        return rc;
    pb_child_begin(to_parent);
    rc = p->kind->work ? p->kind->work(&p->bench, c, p->id[number])
                       : pb_cell_train(&p->bench, c, &(pb_progress){.step = report_step, .ctx = &t});
    return release_cell(p, c) || rc ? -1 : 0;
}

/* ---- in the parent ------------------------------------------------------------------------------------- */

static void cell_begun(void *ctx, int number)
{
    pass *p = ctx;
    char *label = label_of(p->cell[number]);
    pb_meter_update(&p->meter, label, 0, "");
    free(label);
}

static void cell_line(void *ctx, int number, const char *line)
{
    pass *p = ctx;
    int step, steps;
    double loss;
    if (sscanf(line, "busy %lld", &p->busy[number]) == 1 || sscanf(line, "%d %d %lg", &step, &steps, &loss) != 3)
        return;
    char *label = label_of(p->cell[number]), *detail = pb_format("loss %.3f", loss);
    pb_meter_update(&p->meter, label, (double)step / steps, detail);
    free(detail);
    free(label);
}

/* A failed training is stored as a run, with the first error. */
static int store_failure(const pass *p, const pb_cell *c, const char *error, double seconds)
{
    pb_result r;
    pb_result_init(&r);
    snprintf(r.status, sizeof r.status, "failed");
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s && pb_store_run(s, p->bench.experiment, c, &r, error, seconds) > 0 ? 0 : -1;
    rc = pb_store_close(s) || rc ? -1 : 0;
    pb_result_free(&r);
    return rc;
}

/* Stores why a run could not be measured, so that it is not tried again each time. */
static int note_unmeasured(const pass *p, long long id, const char *error)
{
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? pb_store_provenance_add(s, id, p->kind->failed, error) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

/* What the database has of a cell after its process ended.  This counts, not the exit status. */
typedef struct outcome {
    bool stored;
    double validation; /* NaN: it diverged */
} outcome;

static int read_outcome(const pass *p, int number, outcome *o)
{
    char *key = pb_format("accuracy.validation.%s", p->bench.experiment->primary->name);
    pb_cell_state state = {.validation = NAN};
    pb_store *s = pb_store_read(p->bench.db);
    int rc = s ? pb_store_state(s, &p->cell[number]->hash, key, &state) : -1;
    if (!rc)
        rc = p->kind->is_done(s, &p->bench, p->cell[number], p->id[number], &o->stored);
    o->validation = state.validation;
    free(key);
    free(state.error);
    return pb_store_close(s) || rc ? -1 : 0;
}

/* Returns the progress text for a cell whose result is stored. */
static char *describe_outcome(const pass *p, const outcome *o)
{
    if (p->kind->work)
        return pb_strdup("done");
    return isnan(o->validation) ? pb_strdup("diverged")
                                : pb_format("validation %s %.4f", p->bench.experiment->primary->name, o->validation);
}

static int cell_ended(void *ctx, int number, const char *error, double seconds)
{
    pass *p = ctx;
    const pb_cell *c = p->cell[number];
    outcome o;
    if (read_outcome(p, number, &o))
        return -1;
    if (!error)
        error = "it ended, with exit status 0, before its result was stored";
    char *label = label_of(c), *detail = o.stored          ? describe_outcome(p, &o)
                                         : p->busy[number] ? pb_format("left to process %lld", p->busy[number])
                                                           : pb_format("failed: %s", error);
    bool failed = !o.stored && !p->busy[number];
    pb_meter_end(&p->meter, label, detail, seconds);
    free(detail);
    free(label);
    p->failed += failed;
    return !failed           ? 0
           : !p->kind->work  ? store_failure(p, c, error, seconds)
           : p->kind->failed ? note_unmeasured(p, p->id[number], error)
                             : 0;
}

static const pb_child_events events = {.begun = cell_begun, .line = cell_line, .ended = cell_ended};

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

typedef bool is_candidate(const pass *p, int cell);

/* While nothing is chosen, the trials; after that, the other seeds of the choice. */
static bool is_to_be_trained(const pass *p, int cell)
{
    const pb_experiment *e = p->bench.experiment;
    bool trial = cell % e->seeds < pb_experiment_trial_seeds(e, e->cell[cell].row);
    return p->chosen.cell ? !trial && pb_selection_includes(&p->chosen, &e->cell[cell]) : trial;
}

/* A run of the row's choice that did not diverge. */
static bool is_chosen(const pass *p, int cell)
{
    const pb_cell_state *state = p->chosen.cell ? &p->chosen.cell[cell] : NULL; /* while training nothing is */
    return state && state->run && !isnan(state->validation) &&
           pb_selection_includes(&p->chosen, &p->bench.experiment->cell[cell]) &&
           p->chosen.row[p->bench.experiment->cell[cell].row - p->bench.experiment->row].stored;
}

/* One seed of each row is timed: the speed does not depend on the learned values. */
static bool is_to_be_timed(const pass *p, int cell)
{
    const pb_experiment *e = p->bench.experiment;
    return e->timing_rounds > 0 && e->cell[cell].seed == e->seed[0] && is_chosen(p, cell);
}

/* Every run of a row's choice, since what it has kept depends on what it has learned. */
static bool is_to_be_retained(const pass *p, int cell)
{
    return p->bench.experiment->retention_text && is_chosen(p, cell);
}

/* A measurement that failed before is tried again only with --retry. */
static int was_given_up(const pass *p, pb_store *s, long long id, bool *given_up)
{
    char *why = NULL;
    int rc = p->bench.retry ? 0 : pb_store_provenance_get(s, id, p->kind->failed, &why);
    *given_up = why != NULL;
    free(why);
    return rc;
}

static int collect_cells(pass *p, const pass_kind *kind, is_candidate *candidate)
{
    const pb_experiment *e = p->bench.experiment;
    pb_store *s = pb_store_open(p->bench.db); /* closed again before a child is made */
    int rc = s ? 0 : -1;
    p->kind = kind;
    p->cells = 0;
    for (int i = 0; !rc && i < e->cells; i++) {
        bool done = true;
        long long id = p->chosen.cell ? p->chosen.cell[i].run : 0;
        if (candidate(p, i))
            rc = kind->is_done(s, &p->bench, &e->cell[i], id, &done);
        if (!rc && !done && kind->failed)
            rc = was_given_up(p, s, id, &done);
        if (done)
            continue;
        p->cell[p->cells] = &e->cell[i];
        p->busy[p->cells] = 0;
        p->id[p->cells++] = id;
    }
    return pb_store_close(s) || rc ? -1 : 0;
}

/* ---- several drivers ---------------------------------------------------------------------------------- */

/* Keeps those cells of the pass that another driver works on. */
static void keep_busy(pass *p)
{
    int count = 0;
    for (int i = 0; i < p->cells; i++) {
        if (!p->busy[i])
            continue;
        p->cell[count] = p->cell[i];
        p->id[count] = p->id[i];
        p->busy[count++] = p->busy[i];
    }
    p->cells = count;
}

static int count_claimed(const pass *p, int *claimed)
{
    *claimed = 0;
    pb_store *s = pb_store_read(p->bench.db);
    int rc = s ? 0 : -1;
    for (int i = 0; i < p->cells && !rc; i++) {
        long long process;
        rc = pb_store_claimed(s, p->cell[i]->hash.hex, p->kind->name, &process);
        *claimed += process != 0;
    }
    return pb_store_close(s) || rc ? -1 : 0;
}

/* Waits until the drivers that work on the pass's cells have finished them or have died. */
static int wait_for_others(pass *p, bool quiet)
{
    int claimed;
    if (!quiet)
        fprintf(stderr, "%s: waiting for %d that another run works on (process %lld)\n", p->kind->name, p->cells,
                p->busy[0]);
    while (!count_claimed(p, &claimed)) {
        if (!claimed) {
            memset(p->busy, 0, (size_t)p->cells * sizeof *p->busy);
            return 0;
        }
        usleep(500000);
    }
    return -1;
}

static int run_shared(pass *p, const char *what, int jobs, const pb_run_options *o)
{
    while (p->cells) {
        if (run_pass(p, what, jobs, o))
            return -1;
        keep_busy(p);
        if (p->cells && wait_for_others(p, o->quiet))
            return -1;
    }
    return 0;
}

/* ---- choosing ----------------------------------------------------------------------------------------- */

/* Deletes the artifacts of settings that neither this sweep nor another has chosen; they are not needed again. */
static int drop_artifacts(const pass *p, pb_store *s)
{
    const pb_experiment *e = p->bench.experiment;
    int chosen = 0;
    for (int i = 0; i < e->cells && chosen >= 0; i++) {
        char *path = pb_artifact_path(p->bench.db, e->cell[i].hash.hex);
        if (p->chosen.row[e->cell[i].row - e->row].stored && !pb_selection_includes(&p->chosen, &e->cell[i]) &&
            !access(path, F_OK) && !(chosen = pb_store_is_chosen(s, e->cell[i].hash.hex)))
            unlink(path);
        free(path);
    }
    return chosen < 0 ? -1 : 0;
}

static int choose_rows(pass *p, bool partial)
{
    const pb_experiment *e = p->bench.experiment;
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? pb_selections_make(&p->chosen, s, e, partial ? PB_SELECT_PARTIAL : 0) : -1;
    for (int i = 0; i < e->rows && !rc; i++) {
        pb_selection *row = &p->chosen.row[i];
        if (pb_selection_is_ready(row, partial)) {
            rc = row->stored ? 0 : pb_selection_store(row, e, s);
            row->stored = true;
            continue;
        }
        pb_text line = {0};
        pb_selection_describe(row, e->seeds, &line);
        pb_warn("%s", line.data);
        pb_text_free(&line);
        p->unchosen++;
    }
    if (!rc)
        rc = drop_artifacts(p, s);
    return pb_store_close(s) || rc ? -1 : 0;
}

/* Trains every setting with the seeds of its trials, then the settings that are chosen with the other seeds. */
static int train_cells(pass *p, int jobs, const pb_run_options *o)
{
    const pb_experiment *e = p->bench.experiment;
    if (collect_cells(p, &training, is_to_be_trained) || run_shared(p, "train", jobs, o))
        return -1;
    if (!e->tune.seeds || e->tune.seeds == e->seeds)
        return 0; /* every seed is one of the trials' */
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? pb_selections_make(&p->chosen, s, e, o->partial ? PB_SELECT_PARTIAL : 0) : -1;
    if (pb_store_close(s) || rc)
        return -1;
    rc = collect_cells(p, &training, is_to_be_trained) || run_shared(p, "train the chosen settings", jobs, o) ? -1 : 0;
    pb_selections_free(&p->chosen);
    return rc;
}

/* ---- all passes --------------------------------------------------------------------------------------- */

static int store_data(const pass *p)
{
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? pb_store_data(s, p->bench.data) : -1;
    return pb_store_close(s) || rc ? -1 : 0;
}

static int pool_times(const pass *p)
{
    const pb_experiment *e = p->bench.experiment;
    pb_store *s = pb_store_open(p->bench.db);
    int rc = s ? 0 : -1;
    for (int i = 0; !rc && i < e->cells; i++)
        if (is_to_be_timed(p, i))
            rc = pb_timing_pool(s, p->chosen.cell[i].run, e->timing_processes);
    return pb_store_close(s) || rc ? -1 : 0;
}

/* Times one process of each row, then the next process of each row, so that changes on the machine affect all rows
 * alike. */
static int time_rows(pass *p, const pb_run_options *o)
{
    int processes = p->bench.experiment->timing_processes;
    char what[64];
    for (p->bench.process = 0; p->bench.process < processes; p->bench.process++) {
        snprintf(what, sizeof what, "time (process %d of %d)", p->bench.process + 1, processes);
        if (collect_cells(p, &timing, is_to_be_timed) || run_shared(p, what, 1, o))
            return -1;
    }
    return pool_times(p);
}

/* True if any run ended with a finite validation score. */
static bool has_result(const pass *p)
{
    for (int i = 0; i < p->bench.experiment->cells; i++)
        if (!isnan(p->chosen.cell[i].validation))
            return true;
    return false;
}

static int run_passes(pass *p, const pb_run_options *o)
{
    int jobs = o->jobs > 0 ? o->jobs : p->bench.experiment->jobs;
    if (store_data(p) || train_cells(p, jobs, o))
        return -1;
    if (choose_rows(p, o->partial) || collect_cells(p, &testing, is_chosen) || run_shared(p, "test", jobs, o))
        return -1;
    if (collect_cells(p, &retaining, is_to_be_retained) || run_shared(p, "retention", jobs, o))
        return -1;
    if (o->timing && time_rows(p, o))
        return -1;
    if (!has_result(p))
        pb_warn("no row has a result: every run diverged or failed");
    return p->failed || p->unchosen || !has_result(p);
}

int pb_run_experiment(pb_experiment *e, const char *db, const pb_run_options *o)
{
    pass p = {.cells = 0};
    if (pb_bench_open(&p.bench, e, db))
        return -1;
    p.cell = pb_alloc((size_t)(e->cells + 1) * sizeof *p.cell);
    p.id = pb_alloc((size_t)(e->cells + 1) * sizeof *p.id);
    pb_artifact_remove_partial(db);
    p.bench.retry = o->retry;
    p.busy = pb_alloc((size_t)(e->cells + 1) * sizeof *p.busy);
    int rc = run_passes(&p, o);
    pb_selections_free(&p.chosen);
    free(p.cell);
    free(p.id);
    free(p.busy);
    pb_bench_close(&p.bench);
    return rc;
}
