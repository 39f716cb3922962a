/* restore: see restore.h. */
#include "experiment/restore.h"

#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_internal.h"

/* ---- cells ---------------------------------------------------------------------------------------------------- */

/* Returns whether a stored setting identifies the run (row, task, model) or is only informative. */
static bool is_identity(const char *key)
{
    return !strchr(key, '.') || !strcmp(key, "task.class_names");
}

/* Refuses a setting that the run's row does not have, because it would be ignored. */
static int check_groups(const pb_row *row, const pb_settings *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const char *key = s->item[i].key, *dot = strrchr(key, '.');
        bool known = is_identity(key) || !strncmp(key, "task.", 5);
        for (int g = 0; g < PB_GROUP_METHODS + row->spec.parts && !known; g++)
            known = row->group[g] && !strncmp(key, row->group[g], (size_t)(dot - key)) && !row->group[g][dot - key];
        if (!known)
            return pb_error("setting '%s': row %s has no such setting", key, row->label);
    }
    return 0;
}

/* Adds a cell to e->cell, which must have room for it. */
static int add_cell(pb_experiment *e, const pb_row *row, const pb_settings *s, const char *choice, uint64_t seed)
{
    pb_cell *c = &e->cell[e->cells++];
    pb_cell_begin(e, row, c);
    for (int g = 0; g < PB_GROUP_METHODS + row->spec.parts; g++)
        if (row->group[g] && pb_settings_fill(s, row->group[g], pb_row_options(row, g), pb_cell_conf(c, g)))
            return -1;
    c->seed = seed;
    pb_cell_finish(e, c, choice);
    return 0;
}

/* Adds a row with this label, of which a run has these settings. */
static int add_row(pb_experiment *e, const char *label, const pb_settings *s)
{
    return pb_experiment_add_row(e, label) || check_groups(&e->row[e->rows - 1], s) ? -1 : 0;
}

/* ---- one run -------------------------------------------------------------------------------------------------- */

static int restore_cell(pb_experiment *e, const pb_settings *s, uint64_t seed)
{
    e->cell = pb_alloc(sizeof *e->cell);
    e->seed = pb_arena_alloc(e->arena, PB_META, sizeof *e->seed);
    *e->seed = seed;
    e->seeds = e->row[0].choices = 1;
    return add_cell(e, &e->row[0], s, "", seed);
}

/* Sets an option of [experiment] to a setting of the run. */
static int restore_option(pb_experiment *e, const char *option, const pb_settings *s, const char *key)
{
    const char *value = pb_settings_get(s, key);
    return value ? pb_option_set(pb_experiment_table, e, option, value)
                 : pb_error("the run has no '%s' in the database", key);
}

/* Sets task and model to those of a run. */
static int restore_task(pb_experiment *e, const pb_settings *s, const char *kind, const pb_settings *files)
{
    if (restore_option(e, "task", s, "task") || restore_option(e, "model", s, "model"))
        return -1;
    return pb_task_is_path(e->task_name) ? pb_error("task '%s': want the name of a task", e->task_name)
                                         : pb_task_restore(e, s, kind, files);
}

static int restore_all(pb_experiment *e, const pb_settings *s, const pb_settings *files, uint64_t seed)
{
    e->name = "again";
    e->timing_rounds = 0;
    e->row = pb_arena_alloc(e->arena, PB_META, sizeof *e->row);
    return restore_task(e, s, NULL, files) || restore_option(e, "methods", s, "row") ||
                   restore_option(e, "baseline", s, "row") || add_row(e, e->methods, s) || restore_cell(e, s, seed)
               ? -1
               : 0;
}

pb_experiment *pb_experiment_restore(const char *name, const pb_settings *s, const pb_settings *files, uint64_t seed)
{
    pb_experiment *e = pb_experiment_new(name);
    if (!restore_all(e, s, files, seed))
        return e;
    pb_experiment_free(e);
    return NULL;
}

/* ---- the runs of an experiment ---------------------------------------------------------------------------------- */

/* A seed and the number of its runs. */
typedef struct seed_count {
    uint64_t seed;
    int runs;
} seed_count;

static int by_seed(const void *a, const void *b)
{
    const seed_count *x = a, *y = b;
    return x->seed < y->seed ? -1 : x->seed > y->seed;
}

/* Seeds with which every setting was tried have more runs than those of the choice alone. */
static int by_runs(const void *a, const void *b)
{
    const seed_count *x = a, *y = b;
    return x->runs != y->runs ? y->runs - x->runs : by_seed(a, b);
}

static void collect_seeds(pb_experiment *e, const pb_stored_experiment *x)
{
    seed_count *all = pb_alloc((size_t)x->cells * sizeof *all);
    for (int i = 0; i < x->cells; i++) {
        int k = 0;
        while (k < e->seeds && all[k].seed != x->cell[i].seed)
            k++;
        all[k].seed = x->cell[i].seed;
        all[k].runs++;
        e->seeds += k == e->seeds;
    }
    qsort(all, (size_t)e->seeds, sizeof *all, x->trial_seeds ? by_runs : by_seed);
    e->seed = pb_arena_alloc(e->arena, PB_META, (size_t)e->seeds * sizeof *e->seed);
    for (int k = 0; k < e->seeds; k++)
        e->seed[k] = all[k].seed;
    e->tune.seeds = x->trial_seeds;
    free(all);
}

/* Returns the first cell of a row and choice, and of a seed unless `seed` is NULL; NULL if there is none. */
static const pb_stored_cell *find_cell(const pb_stored_experiment *x, const char *row, const char *choice,
                                       const uint64_t *seed)
{
    for (int i = 0; i < x->cells; i++)
        if (!strcmp(x->cell[i].row, row) && !strcmp(x->cell[i].choice, choice) && (!seed || x->cell[i].seed == *seed))
            return &x->cell[i];
    return NULL;
}

/* Adds the cells of a choice, whose first run is `first`, with every seed. */
static int add_choice(pb_experiment *e, pb_row *row, const pb_stored_experiment *x, const pb_stored_cell *first)
{
    row->choices++;
    for (int i = 0; i < e->seeds; i++) {
        const pb_stored_cell *c = find_cell(x, first->row, first->choice, &e->seed[i]);
        if (add_cell(e, row, c ? &c->settings : &first->settings, first->choice, e->seed[i]))
            return -1;
        if (c)
            e->cell[e->cells - 1].hash = c->hash;
    }
    return 0;
}

/* Lists the settings of a row that are not the defaults. */
static void list_given(pb_experiment *e, pb_row *row, const pb_settings *s)
{
    pb_settings defaults = {.item = NULL};
    pb_cell blank;
    pb_cell_begin(e, row, &blank);
    for (int g = 0; g < PB_GROUP_METHODS + row->spec.parts; g++)
        if (row->group[g])
            pb_settings_add(&defaults, row->group[g], pb_row_options(row, g), pb_cell_conf(&blank, g));
    row->given = pb_arena_alloc(e->arena, PB_META, (s->count + 1) * sizeof *row->given);
    for (size_t i = 0; i < s->count; i++) {
        const char *value = pb_settings_get(&defaults, s->item[i].key);
        if (value && strcmp(value, s->item[i].value) != 0)
            row->given[row->givens++] = pb_arena_strdup(e->arena, s->item[i].key);
    }
    pb_settings_free(&defaults);
}

/* Adds the row that begins with cell `at`, with all its choices. */
static int add_stored_row(pb_experiment *e, const pb_stored_experiment *x, int at)
{
    const char *label = x->cell[at].row;
    if (add_row(e, label, &x->cell[at].settings))
        return -1;
    pb_row *row = &e->row[e->rows - 1];
    row->sweep = x->cell[at].sweep;
    row->other_code = x->cell[at].other_code;
    for (int i = at; i < x->cells; i++)
        if (!strcmp(x->cell[i].row, label) && find_cell(x, label, x->cell[i].choice, NULL) == &x->cell[i] &&
            add_choice(e, row, x, &x->cell[i]))
            return -1;
    list_given(e, row, e->cell[e->cells - 1].settings);
    return 0;
}

static int add_rows(pb_experiment *e, const pb_stored_experiment *x)
{
    int rc = 0;
    pb_text labels = {0};
    e->row = pb_arena_alloc(e->arena, PB_META, (size_t)x->cells * sizeof *e->row);
    e->cell = pb_alloc((size_t)x->cells * (size_t)e->seeds * sizeof *e->cell);
    for (int i = 0; i < x->cells && !rc; i++) {
        bool first = true;
        for (int k = 0; k < i && first; k++)
            first = strcmp(x->cell[k].row, x->cell[i].row) != 0;
        if (first)
            pb_text_add(&labels, "%s%s", i ? ", " : "", x->cell[i].row);
        rc = first ? add_stored_row(e, x, i) : 0;
    }
    rc = rc || pb_option_set(pb_experiment_table, e, "methods", labels.data) ? -1 : 0;
    pb_text_free(&labels);
    return rc;
}

/* Sets how the results are shown. */
static int restore_view(pb_experiment *e, const pb_stored_experiment *x)
{
    for (size_t i = 0; i < x->view.count; i++)
        if (pb_option_set(pb_experiment_table, e, x->view.item[i].key, x->view.item[i].value))
            return -1;
    if (!*e->baseline && pb_option_set(pb_experiment_table, e, "baseline", e->row[0].label))
        return -1;
    if (!pb_experiment_row(e, e->baseline)) {
        pb_experiment_refuse_row(e, "--set experiment.baseline", e->baseline);
        return -1;
    }
    if (x->measured) {
        e->retention_text = pb_alloc(sizeof *e->retention_text);
        e->retention_text->identity = pb_strdup(x->measured);
    }
    return pb_experiment_strengths(e);
}

static int restore_runs(pb_experiment *e, const pb_stored_experiment *x)
{
    static const pb_settings no_files = {.item = NULL};
    e->name = pb_arena_strdup(e->arena, x->name);
    e->of_several = strchr(x->name, '@');
    e->data = x->data;
    e->model = x->model;
    e->config = x->config;
    e->tokenizer = x->tokenizer;
    collect_seeds(e, x);
    return restore_task(e, &x->cell[0].settings, x->kind, &no_files) || add_rows(e, x) || restore_view(e, x) ? -1 : 0;
}

pb_experiment *pb_experiment_of_runs(const pb_stored_experiment *x)
{
    pb_experiment *e = pb_experiment_new(x->place);
    if (!restore_runs(e, x))
        return e;
    pb_error_prefix("%s", x->place);
    pb_experiment_free(e);
    return NULL;
}
