/* other_version: see other_version.h. */
#include "results/other_version.h"

#include <stdlib.h>
#include <string.h>

#include "model/plugin.h"
#include "version.h"

/* ---- finished runs and their settings ------------------------------------------------------------------------- */

typedef struct candidate {
    long long run;
    uint64_t seed;
    pb_digest hash, settings;
} candidate;

typedef struct candidates {
    const pb_experiment *experiment;
    candidate *one; /* [count] in the order of the runs, those of the experiment's name last */
    size_t count, capacity;
    pb_settings settings; /* of the last one, while they are read */
} candidates;

static pb_digest digest_settings(const pb_settings *s, const char *row)
{
    pb_text all = {0};
    pb_settings_print(s, row, &all);
    pb_digest digest = pb_sha256(all.data ? all.data : "", all.length);
    pb_text_free(&all);
    return digest;
}

static void end_candidate(candidates *x)
{
    if (x->count) {
        pb_settings_sort(&x->settings);
        const char *label = pb_settings_get(&x->settings, "row");
        char *row = pb_method_spec_resolve(label ? label : "");
        x->one[x->count - 1].settings = digest_settings(&x->settings, row);
        free(row);
    }
    pb_settings_free(&x->settings);
}

/* Adds a setting of the last candidate.  Earlier versions stored a file of the task by the path at which it was
 * found. */
static int put_setting(candidates *x, const char *key, const char *value)
{
    const pb_cell *any = x->experiment->cell;
    bool of_file = !strncmp(key, "task.", 5) && pb_cell_has_setting(x->experiment, any, key, value);
    return pb_settings_put(&x->settings, key, of_file ? pb_settings_get(any->settings, key) : value);
}

/* The class names are stored with the settings but belong to the data. */
static int take_setting(void *ctx, const pb_stored_setting *s)
{
    candidates *x = ctx;
    if (!x->count || x->one[x->count - 1].run != s->run) {
        end_candidate(x);
        pb_grow(&x->one, x->count, &x->capacity, sizeof *x->one);
        candidate *c = &x->one[x->count++];
        *c = (candidate){.run = s->run, .seed = s->seed};
        snprintf(c->hash.hex, sizeof c->hash.hex, "%s", s->hash);
    }
    return !strcmp(s->key, "task.class_names") ? 0 : put_setting(x, s->key, s->value);
}

/* ---- what has changed ----------------------------------------------------------------------------------------- */

/* A run that is compared with a cell, and the clauses that say how they differ. */
typedef struct comparison {
    pb_store *store;
    long long run;
    const pb_experiment *experiment;
    const pb_cell *cell;
    pb_text why;
    int rc;
} comparison;

PB_PRINTF(2, 3) static void add_cause(comparison *c, const char *fmt, ...)
{
    va_list args;
    char *text;
    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        pb_no_memory("a cause");
    va_end(args);
    pb_text_add(&c->why, "%s%s", c->why.length ? ", " : "", text);
    free(text);
}

typedef enum finding { SAME, DIFFERENT, NOT_RECORDED } finding;

/* Compares an entry of the run's provenance with its value now. */
static finding compare_entry(comparison *c, const char *key, const char *now)
{
    char *was = NULL;
    c->rc = pb_store_provenance_get(c->store, c->run, key, &was) || c->rc ? -1 : 0;
    finding found = !was ? NOT_RECORDED : strcmp(was, now) != 0 ? DIFFERENT : SAME;
    free(was);
    return found;
}

/* Compares an input of the run with what it is now.  Returns whether the run may be shown beside others: earlier
 * programs did not store what the model's folder has beside its weights. */
static bool compare_input(comparison *c, const char *key, const char *now, const char *what)
{
    finding found = compare_entry(c, key, now);
    bool later = !strcmp(key, "config") || !strcmp(key, "tokenizer");
    if (found == DIFFERENT)
        add_cause(c, "%s changed", what);
    return found == SAME || (found == NOT_RECORDED && later);
}

/* Returns whether the run is known to have the cell's inputs and metrics. */
static bool compare_inputs(comparison *c)
{
    const pb_experiment *e = c->experiment;
    char *metrics = pb_format("%s %d", e->task->name, e->task->version);
    pb_cell_input input[PB_CELL_INPUTS];
    pb_cell_inputs(e, c->cell, input);
    bool same = true;
    for (int i = 0; i < PB_CELL_INPUTS; i++)
        same = compare_input(c, input[i].key, input[i].is->hex, input[i].what) && same;
    same = compare_input(c, "metrics", metrics, "the metrics") && same;
    free(metrics);
    return same;
}

static void compare_method(comparison *c, const pb_method *m)
{
    const char *plugin = pb_plugin_path(m);
    char *key = pb_format("%s.%s", plugin ? "plugin" : PB_CODE_METHOD, m->name);
    if (compare_entry(c, key, pb_method_digest(m)) != SAME) {
        if (plugin)
            add_cause(c, "the plugin %s changed", plugin);
        else
            add_cause(c, "methods/%s.c changed", m->name);
    }
    free(key);
}

static void compare_code(comparison *c)
{
    const char *kind = c->experiment->task->name;
    finding engine = compare_entry(c, PB_CODE_ENGINE, PB_CODE_VERSION);
    if (engine == NOT_RECORDED) {
        add_cause(c, "it was made by another version of the code");
        return;
    }
    if (engine == DIFFERENT)
        add_cause(c, "the engine's code changed");
    char *key = pb_format("%s.%s", PB_CODE_TASK, kind);
    if (compare_entry(c, key, pb_task_digest(c->experiment->task)) != SAME)
        add_cause(c, "tasks/%s.c changed", kind);
    free(key);
    for (int p = 0; p < c->cell->row->spec.parts; p++)
        compare_method(c, c->cell->part[p].method);
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

static int compare_run(pb_store *s, const pb_experiment *e, const pb_cell *cell, const candidate *with,
                       pb_other_run *out)
{
    comparison c = {.store = s, .run = with->run, .experiment = e, .cell = cell};
    bool same_inputs = compare_inputs(&c);
    compare_code(&c);
    if (!c.why.length)
        add_cause(&c, "what has changed is not recorded");
    if (!out->run || same_inputs) {
        free(out->why);
        *out = (pb_other_run){with->run, with->hash, same_inputs, pb_strdup(c.why.data)};
    }
    pb_text_free(&c.why);
    return c.rc;
}

static int find_other(pb_store *s, const pb_experiment *e, const pb_cell *c, const candidates *x, pb_other_run *out)
{
    pb_digest settings = digest_settings(c->settings, c->row->spec.resolved);
    int rc = 0;
    for (size_t i = x->count; i-- > 0 && !rc && !out->code_only;)
        if (x->one[i].seed == c->seed && !strcmp(x->one[i].settings.hex, settings.hex))
            rc = compare_run(s, e, c, &x->one[i], out);
    return rc;
}

pb_other_run *pb_other_runs_find(pb_store *s, const pb_experiment *e, const pb_cell_state *cell)
{
    pb_other_run *out = pb_alloc((size_t)(e->cells + 1) * sizeof *out);
    candidates x = {.experiment = e};
    int missing = 0, rc = 0;
    for (int i = 0; i < e->cells; i++)
        missing += !cell[i].run;
    if (missing) {
        rc = pb_store_task_settings(s, e->task_name, e->name, take_setting, &x);
        end_candidate(&x);
    }
    for (int i = 0; i < e->cells && !rc; i++)
        if (!cell[i].run)
            rc = find_other(s, e, &e->cell[i], &x, &out[i]);
    free(x.one);
    if (!rc)
        return out;
    pb_other_runs_free(out, e->cells);
    return NULL;
}

void pb_other_runs_free(pb_other_run *x, int n)
{
    for (int i = 0; x && i < n; i++)
        free(x[i].why);
    free(x);
}
