/* experiment_reader: see experiment_reader.h. */
#include "experiment/experiment_reader.h"

#include <stdlib.h>
#include <string.h>

#include "model/plugin.h"
#include "experiment/experiment_internal.h"

static int count_items(const char *list)
{
    int n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

/* ---- [experiment] ------------------------------------------------------------------------------------- */

/* Names the experiment, and the folder of its figures, after its file. */
static int name_experiment(pb_experiment *e)
{
    const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
    size_t n = strlen(name);
    e->name = pb_arena_format(e->arena, "%.*s", (int)(n > 4 && !strcmp(name + n - 4, ".ini") ? n - 4 : n), name);
    return e->name[strspn(e->name, ".")] ? 0 : pb_error("%s: want a file with a name, such as NAME.ini", e->path);
}

static int read_seeds(pb_experiment *e, const pb_entry *entry)
{
    size_t count;
    uint64_t *seed = pb_number_list(e, "seeds", e->seed_list, 0, INT64_MAX, &count); /* the database's are signed */
    if (!seed)
        return pb_ini_blame(entry);
    e->seed = pb_arena_alloc(e->arena, PB_META, count * sizeof *e->seed);
    memcpy(e->seed, seed, count * sizeof *seed);
    e->seeds = (int)count;
    free(seed);
    return 0;
}

/* Reads the numbers of adapters that are served together. */
static int read_served(pb_experiment *e, pb_ini *ini)
{
    size_t count;
    if (!*e->serving)
        return 0;
    uint64_t *served = pb_number_list(e, "serving", e->serving, 1, 4096, &count);
    if (!served)
        return pb_ini_blame(pb_ini_find(ini, "experiment", "serving"));
    e->served = pb_arena_alloc(e->arena, PB_META, count * sizeof *e->served);
    for (size_t i = 0; i < count; i++)
        e->served[i] = (int)served[i];
    e->serveds = (int)count;
    free(served);
    return 0;
}

static int read_experiment(pb_experiment *e, pb_ini *ini)
{
    static const char *const needed[] = {"task", "model", "methods"};
    if (pb_ini_fill(ini, "experiment", pb_experiment_table, e))
        return -1;
    for (size_t i = 0; i < PB_COUNT(needed); i++) {
        const pb_entry *entry = pb_ini_find(ini, "experiment", needed[i]);
        if (!entry || !*entry->value)
            return pb_error("%s: [experiment] has no '%s'; want %s", e->path, needed[i],
                            pb_option_find(pb_experiment_table, needed[i])->help);
    }
    if (e->timing_rounds && e->timing_processes > e->timing_rounds)
        e->timing_processes = e->timing_rounds; /* at least one each */
    const pb_entry *seeds = pb_ini_find(ini, "experiment", "seeds");
    int rc = seeds ? read_seeds(e, seeds) : read_seeds(e, &(pb_entry){.location = ini->path});
    return rc || read_served(e, ini) ? -1 : 0;
}

static int read_tune(pb_experiment *e, pb_ini *ini)
{
    if (pb_ini_fill(ini, "tune", pb_tune_table, &e->tune))
        return -1;
    if (e->tune.seeds <= e->seeds)
        return 0;
    pb_error("seeds: want at most the %d seed%s of [experiment], got %d", e->seeds, e->seeds == 1 ? "" : "s",
             e->tune.seeds);
    return pb_ini_blame(pb_ini_find(ini, "tune", "seeds"));
}

/* ---- [retention] --------------------------------------------------------------------------------------- */

static int add_strength(pb_experiment *e, const char *item)
{
    char *end;
    double x = strtod(item, &end);
    if (end == item || *end || !(x >= 0 && x <= 1))
        return pb_error("strength: want numbers from 0 to 1, separated by commas, got '%s'", item);
    for (int i = 0; i < e->strengths; i++)
        if (e->strength[i] >= x)
            return pb_error("strength: want numbers that rise, got '%s'", e->strength_list);
    e->strength[e->strengths++] = x;
    return 0;
}

int pb_experiment_strengths(pb_experiment *e)
{
    const char *list = *e->strength_list ? e->strength_list : NULL, *item;
    int rc = 0;
    e->strength = pb_arena_alloc(e->arena, PB_META, (size_t)count_items(e->strength_list) * sizeof *e->strength);
    while (!rc && (item = pb_experiment_item(e, &list)))
        rc = add_strength(e, item);
    return rc;
}

static int read_strengths(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "strength");
    int rc = entry && *entry->value && !pb_ini_has(ini, "retention")
                 ? pb_error("strength: want a section [retention], whose text it is measured on, too")
                 : pb_experiment_strengths(e);
    return rc ? pb_ini_blame(entry) : 0;
}

/* Returns the path of the text of [retention]; NULL with an error.  The caller frees it. */
static char *find_text(const pb_experiment *e)
{
    const char *slash = strrchr(e->path, '/');
    char *beside = pb_format("%.*s%s", slash ? (int)(slash - e->path) + 1 : 0, e->path, e->retention.text);
    if (*e->retention.text != '/' && pb_file_exists(beside))
        return beside;
    free(beside);
    return pb_data_find(NULL, e->retention.text);
}

static int read_retention(pb_experiment *e, pb_ini *ini)
{
    if (read_strengths(e, ini))
        return -1;
    if (!pb_ini_has(ini, "retention"))
        return 0;
    const pb_entry at = {.location = ini->path}, *text = pb_ini_find(ini, "retention", "text");
    if (pb_ini_fill(ini, "retention", pb_retention_table, &e->retention))
        return -1;
    char *path = *e->retention.text ? find_text(e) : NULL;
    if (!*e->retention.text)
        pb_error("text: want a file, got nothing");
    e->retention_text = path ? pb_retention_text_read(path, &e->retention) : NULL;
    free(path);
    return e->retention_text ? 0 : pb_ini_blame(text ? text : &at);
}

/* ---- rows --------------------------------------------------------------------------------------------- */

static int check_variants(const pb_ini *ini, const pb_method_spec *s)
{
    for (int i = 0; i < s->parts; i++) {
        const pb_method_part *p = &s->part[i];
        char *section = p->variant ? pb_format("method %s:%s", p->name, p->variant) : NULL;
        bool missing = section && !pb_ini_has(ini, section);
        if (missing)
            pb_error("%s: there is no section [%s]", s->label, section);
        free(section);
        if (missing)
            return -1;
    }
    return 0;
}

static int read_baseline(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "baseline");
    const pb_row *row = *e->baseline ? pb_experiment_row(e, e->baseline) : &e->row[0];
    if (!row) {
        pb_experiment_refuse_row(e, "baseline", e->baseline);
        return pb_ini_blame(entry);
    }
    free((char *)(uintptr_t)e->baseline);
    e->baseline = pb_strdup(row->label);
    return 0;
}

static int each_plugin(pb_experiment *e, pb_ini *ini, pb_each_plugin *each, void *ctx)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "plugins");
    const char *list = entry && *entry->value ? entry->value : NULL, *path;
    int rc = 0;
    while (!rc && (path = pb_experiment_item(e, &list)))
        rc = each(ctx, path);
    return rc ? pb_ini_blame(entry) : 0;
}

int pb_experiment_plugins(const char *path, pb_each_plugin *each, void *ctx)
{
    pb_ini *ini = pb_ini_read(path);
    if (!ini)
        return -1;
    pb_experiment *e = pb_experiment_new(path);
    int rc = each_plugin(e, ini, each, ctx);
    pb_experiment_free(e);
    pb_ini_free(ini);
    return rc;
}

static int load_plugin(void *ctx, const char *path)
{
    (void)ctx;
    return pb_plugin_load(path) ? 0 : -1;
}

static int read_row(pb_experiment *e, const pb_ini *ini, const char *spec, const char *location)
{
    if (pb_experiment_add_row(e, spec) || check_variants(ini, &e->row[e->rows - 1].spec))
        return (pb_error_prefix("methods"), pb_error_prefix("%s", location));
    e->row[e->rows - 1].location = pb_arena_strdup(e->arena, location);
    return 0;
}

static int read_rows(pb_experiment *e, pb_ini *ini, const pb_entry *methods)
{
    const char *list = e->methods, *at = list;
    char *spec;
    int rc = 0;
    e->row = pb_arena_alloc(e->arena, PB_META, (size_t)count_items(list) * sizeof *e->row);
    while (!rc && (spec = pb_method_list_next(&list))) {
        at += strspn(at, " ");
        rc = read_row(e, ini, spec, pb_ini_location(methods, (size_t)(at - e->methods)));
        free(spec);
        at = list;
    }
    return rc ? -1 : read_baseline(e, ini);
}

/* ---- a file --------------------------------------------------------------------------------------------- */

static int check_budget(const pb_experiment *e, pb_ini *ini)
{
    double elements;
    return *e->budget && pb_budget_parse(e->budget, &elements) ? pb_ini_blame(pb_ini_find(ini, "experiment", "budget"))
                                                               : 0;
}

/* Makes the experiment of one task, an item of [experiment] task. */
static int read_one(pb_experiment *e, pb_ini *ini, const char *task, bool several)
{
    if (name_experiment(e) || read_experiment(e, ini) || check_budget(e, ini) || read_tune(e, ini) ||
        read_retention(e, ini) || pb_option_set(pb_experiment_table, e, "task", task) || pb_task_read(e, ini) ||
        each_plugin(e, ini, load_plugin, NULL))
        return -1;
    e->of_several = several;
    if (several)
        e->name = pb_arena_format(e->arena, "%s@%s", e->name, e->task_name);
    return read_rows(e, ini, pb_ini_find(ini, "experiment", "methods")) || pb_sweep_expand(e, ini) ? -1 : 0;
}

/* Adds the experiment of one task. */
static int add_task(pb_experiments *x, pb_ini *ini, const char *task, bool several)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "task");
    if (!*task) {
        pb_error("task: want names of tasks, separated by commas, got '%s'", entry->value);
        return pb_ini_blame(entry);
    }
    pb_experiment *e = pb_experiment_new(ini->path);
    int rc = read_one(e, ini, task, several);
    if (!rc && pb_experiments_have(x, e->task_name)) {
        pb_error("task: %s is given twice", e->task_name);
        rc = pb_ini_blame(entry);
    }
    if (rc)
        pb_experiment_free(e);
    else
        x->task[x->tasks++] = e;
    return rc;
}

static int read_tasks(pb_experiments *x, pb_ini *ini, const char *const *sets)
{
    for (; sets && *sets; sets++)
        if (pb_ini_set(ini, *sets))
            return -1;
    pb_experiment *general = pb_experiment_new(ini->path);
    int rc = name_experiment(general) || read_experiment(general, ini), tasks = count_items(general->task_name);
    const char *list = general->task_name, *task;
    x->name = pb_strdup(general->name ? general->name : "");
    x->task = pb_alloc((size_t)tasks * sizeof *x->task);
    while (!rc && (task = pb_experiment_item(general, &list)))
        rc = add_task(x, ini, task, tasks > 1);
    pb_experiment_free(general);
    return rc || pb_sections_check(x, ini) || pb_training_check(x, ini) ? -1 : 0;
}

/* Frees all but the experiment of this task. */
static int keep_task(pb_experiments *x, const char *path, const char *task)
{
    if (!pb_experiments_have(x, task)) {
        const char **names = pb_alloc((size_t)(x->tasks + 1) * sizeof *names);
        for (int i = 0; i < x->tasks; i++)
            names[i] = x->task[i]->task_name;
        char *tasks = pb_experiments_list(x), *near = pb_did_you_mean(task, names);
        pb_error("--task: %s has no task '%s'; want %s%s", path, task, tasks, near);
        free(names);
        free(near);
        free(tasks);
        return -1;
    }
    for (int i = 0; i < x->tasks; i++)
        if (strcmp(x->task[i]->task_name, task) != 0) {
            pb_experiment_free(x->task[i]);
            x->task[i--] = x->task[--x->tasks];
        }
    return 0;
}

/* Frees the file.  NULL stands for one that could not be read. */
static int read_file(pb_experiments *x, pb_ini *ini, const char *const *sets, const char *task)
{
    *x = (pb_experiments){.tasks = 0};
    int rc = !ini || read_tasks(x, ini, sets) || (task && keep_task(x, ini->path, task)) ? -1 : 0;
    if (rc)
        pb_experiments_free(x);
    pb_ini_free(ini);
    return rc;
}

void pb_experiments_free(pb_experiments *x)
{
    for (int i = 0; i < x->tasks; i++)
        pb_experiment_free(x->task[i]);
    free(x->task);
    free(x->name);
    *x = (pb_experiments){.tasks = 0};
}

int pb_experiments_read(pb_experiments *x, const char *path, const char *const *sets, const char *task)
{
    return read_file(x, pb_ini_read(path), sets, task);
}

int pb_experiments_check_one(const pb_experiments *x)
{
    if (x->tasks == 1)
        return 0;
    char *tasks = pb_experiments_list(x);
    pb_error("%s has several tasks; want --task with one of %s", x->task[0]->path, tasks);
    free(tasks);
    return -1;
}

pb_experiment *pb_experiment_read_ini(pb_ini *ini, const char *const *sets, const char *task)
{
    pb_experiments x;
    if (read_file(&x, ini, sets, task))
        return NULL;
    pb_experiment *e = pb_experiments_check_one(&x) ? NULL : x.task[0];
    x.tasks = e ? 0 : x.tasks; /* the caller frees it */
    pb_experiments_free(&x);
    return e;
}

pb_experiment *pb_experiment_read(const char *path, const char *const *sets, const char *task)
{
    return pb_experiment_read_ini(pb_ini_read(path), sets, task);
}

pb_experiment *pb_experiment_read_task(const char *task, const char *model, const char *const *sets,
                                       const char *of_tasks)
{
    pb_ini *ini = pb_task_is_path(task) ? pb_ini_read(task) : pb_ini_new(task);
    if (ini && !pb_ini_has(ini, "experiment")) {
        pb_ini_free(ini);
        ini = pb_ini_new(task);
        pb_ini_put(ini, "experiment", "task", task, task);
        pb_ini_put(ini, "experiment", "model", PB_NO_MODEL, task);
        pb_ini_put(ini, "experiment", "methods", "full", task);
    }
    if (ini && model)
        pb_ini_put(ini, "experiment", "model", model, "--model");
    return pb_experiment_read_ini(ini, sets, of_tasks);
}
