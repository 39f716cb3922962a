/* experiment_reader: see experiment_reader.h. */
#include "experiment/experiment_reader.h"

#include <errno.h>
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
    const char *list = e->seed_list, *item;
    e->seed = pb_arena_alloc(e->arena, PB_META, (size_t)count_items(list) * sizeof *e->seed);
    while ((item = pb_experiment_item(e, &list))) {
        char *end;
        errno = 0;
        uint64_t seed = strtoull(item, &end, 10);
        if (end == item || *end || *item == '-' || errno ||
            seed > INT64_MAX) { /* the database stores a signed integer */
            pb_error("seeds: want whole numbers from 0, separated by commas, got '%s'", item);
            return pb_ini_blame(entry);
        }
        for (int i = 0; i < e->seeds; i++)
            if (e->seed[i] == seed) {
                pb_error("seeds: %s is given twice", item);
                return pb_ini_blame(entry);
            }
        e->seed[e->seeds++] = seed;
    }
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
    return seeds ? read_seeds(e, seeds) : read_seeds(e, &(pb_entry){.location = ini->path});
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

static int read_strength(pb_experiment *e, const char *item)
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

static int read_strengths(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "strength");
    const char *list = entry && *entry->value ? e->strength_list : NULL, *item;
    int rc = list && !pb_ini_has(ini, "retention")
                 ? pb_error("strength: want a section [retention], whose text it is measured on, too")
                 : 0;
    e->strength = pb_arena_alloc(e->arena, PB_META, (size_t)count_items(list ? list : "") * sizeof *e->strength);
    while (!rc && (item = pb_experiment_item(e, &list)))
        rc = read_strength(e, item);
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

/* ---- the task ----------------------------------------------------------------------------------------- */

/* Makes the task's kind and its settings, which are the defaults; `kind` is the entry that names it. */
static int make_task(pb_experiment *e, const pb_entry *kind)
{
    e->task = pb_task_find(kind->value);
    if (!e->task) {
        pb_error("kind: no kind of task '%s'; `peftbench list` shows them", kind->value);
        return pb_ini_blame(kind);
    }
    e->task_conf = pb_experiment_conf(e, e->task->options, e->task->conf_size);
    size_t options = 0;
    while (e->task->options[options].name)
        options++;
    e->task_place = pb_arena_alloc(e->arena, PB_META, (options + 1) * sizeof *e->task_place);
    return 0;
}

static int read_task_file(pb_experiment *e, pb_ini *file)
{
    const pb_entry *kind = pb_ini_find(file, "task", "kind");
    if (!kind)
        return pb_error("%s: [task] has no 'kind'; want a kind of task, such as classify", file->path);
    if (make_task(e, kind))
        return -1;
    for (size_t i = 0; i < file->entries; i++) {
        const pb_entry *entry = &file->entry[i];
        if (strcmp(entry->section, "task") != 0) {
            pb_error("unknown section [%s]; want [task] only", entry->section);
            return pb_ini_blame(entry);
        }
        if (entry->key && strcmp(entry->key, "kind") != 0 && pb_ini_apply(e->task->options, e->task_conf, entry))
            return -1;
    }
    return 0;
}

/* Returns whether a task is given by the path of its file and not by its name. */
static bool is_path(const char *task)
{
    return strchr(task, '/') || pb_ends_in(task, ".ini");
}

/* Replaces the path of a task by its name, that of the file without .ini. */
static int name_task(pb_experiment *e, const char *path)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    char *name = pb_format("%.*s", (int)(strlen(file) - (pb_ends_in(file, ".ini") ? 4 : 0)), file);
    char *usual = pb_format("tasks/%s.ini", name);
    int rc = *name ? pb_option_set(pb_experiment_table, e, "task", name)
                   : pb_error("task: %s: want a file with a name, such as NAME.ini", path);
    e->has_own_task = strcmp(path, usual) != 0;
    free(name);
    free(usual);
    return rc;
}

/* Notes where a setting of the task is given.  A later note of a setting replaces an earlier one. */
static void note_place(pb_experiment *e, const pb_entry *entry)
{
    const pb_option *o = entry->key ? pb_option_find(e->task->options, entry->key) : NULL;
    size_t n = 0;
    while (o && e->task_place[n].name && e->task_place[n].name != o->name)
        n++;
    if (o)
        e->task_place[n] = (pb_setting_place){o->name, pb_arena_strdup(e->arena, entry->location)};
}

/* Does so for all settings of a section. */
static void note_places(pb_experiment *e, const pb_ini *file, const char *section)
{
    for (size_t i = 0; i < file->entries; i++)
        if (!strcmp(file->entry[i].section, section))
            note_place(e, &file->entry[i]);
}

/* Reads the file of the experiment's task; `entry` is where the task is named. */
static int read_task_named(pb_experiment *e, const pb_entry *entry)
{
    char *path = is_path(e->task_name) ? pb_strdup(e->task_name) : pb_format("tasks/%s.ini", e->task_name);
    int rc = 0;
    e->folder[1] = pb_experiment_folder(e, path);
    if (!pb_file_exists(path)) {
        pb_error("task: no named task '%s': there is no file %s, and no section [task %s] with a `kind`", e->task_name,
                 path, e->task_name);
        rc = pb_ini_blame(entry);
    } else if (is_path(e->task_name) && name_task(e, path)) {
        rc = pb_ini_blame(entry);
    }
    pb_ini *file = rc ? NULL : pb_ini_read(path);
    rc = file ? read_task_file(e, file) : -1;
    if (!rc)
        note_places(e, file, "task");
    pb_ini_free(file);
    free(path);
    return rc;
}

/* Finds the metric that the task's settings name. */
static int find_primary(pb_experiment *e)
{
    const char *location = e->path;
    e->primary = pb_task_primary(e->task, e->task_conf);
    for (const pb_setting_place *p = e->task_place; p->name; p++)
        location = strcmp(p->name, "metric") ? location : p->location;
    return e->primary ? 0 : (pb_error_prefix("metric"), pb_error_prefix("%s", location));
}

/* Takes the task's kind from the experiment's file, in which the whole task then stands. */
static int read_own_task(pb_experiment *e, const pb_entry *kind)
{
    char *path = pb_format("tasks/%s.ini", e->task_name);
    bool taken = pb_file_exists(path);
    if (taken) {
        pb_error("kind: %s has the kind of task %s; want another name for a task of one's own, or no kind", path,
                 e->task_name);
        pb_ini_blame(kind);
    }
    free(path);
    e->has_own_task = true;
    return taken ? -1 : make_task(e, kind);
}

/* Applies what --set says of the task once more, since [task NAME] of the file has replaced it. */
static int apply_overrides(pb_experiment *e, pb_ini *ini, const char *section)
{
    for (size_t i = 0; i < ini->entries; i++) {
        const pb_entry *entry = &ini->entry[i];
        if (entry->key && !strcmp(entry->section, "task") && pb_ini_is_override(entry)) {
            const pb_entry *other = pb_ini_find(ini, section, entry->key);
            if (other && pb_ini_is_override(other))
                continue;
            if (pb_ini_apply(e->task->options, e->task_conf, entry))
                return -1;
            note_place(e, entry);
        }
    }
    return 0;
}

/* Applies the settings of a section for the task, and passes over its kind. */
static int fill_own_task(pb_experiment *e, pb_ini *ini, const char *section)
{
    for (size_t i = 0; i < ini->entries; i++) {
        pb_entry *entry = &ini->entry[i];
        if (strcmp(entry->section, section) != 0)
            continue;
        entry->used = true;
        if (entry->key && strcmp(entry->key, "kind") != 0 && pb_ini_apply(e->task->options, e->task_conf, entry))
            return -1;
    }
    return 0;
}

static int read_task(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *named = pb_ini_find(ini, "experiment", "task");
    char *section = pb_format("task %s", e->task_name);
    const pb_entry *kind = is_path(e->task_name) ? NULL : pb_ini_find(ini, section, "kind");
    kind = kind || is_path(e->task_name) ? kind : pb_ini_find(ini, "task", "kind");
    free(section);
    e->folder[0] = pb_experiment_folder(e, e->path);
    if (kind ? read_own_task(e, kind) : read_task_named(e, named))
        return -1;
    section = pb_format("task %s", e->task_name); /* the name of a task that was given by a path */
    int rc = kind ? fill_own_task(e, ini, "task") || fill_own_task(e, ini, section)
                  : pb_ini_fill(ini, "task", e->task->options, e->task_conf) ||
                        pb_ini_fill(ini, section, e->task->options, e->task_conf);
    note_places(e, ini, "task");
    note_places(e, ini, section);
    rc = rc || apply_overrides(e, ini, section);
    if (!rc)
        pb_experiment_place_files(e, ini, section);
    free(section);
    return rc || find_primary(e) ? -1 : 0;
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
        pb_error("baseline: '%s' is not in methods: %s", e->baseline, e->methods);
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

/* ---- sections that no row uses ----------------------------------------------------------------------------- */

static int refuse_unread(const pb_experiment *e, const pb_entry *entry)
{
    static const char *const first[] = {"experiment", "train",  "tune", "retention", "model",
                                        "decode",     "method", "task", NULL};
    char group[64];
    snprintf(group, sizeof group, "%.*s", (int)strcspn(entry->section, " "), entry->section);
    const char *near = pb_nearest(group, first), *name = entry->section + strcspn(entry->section, " ");
    name += *name == ' ';
    if (near && strcmp(near, group) != 0)
        pb_error("unknown section [%s]; did you mean [%s%s%s]?", entry->section, near, *name ? " " : "", name);
    else if (!strcmp(group, "method") || !strcmp(group, "train") || !strcmp(group, "model"))
        pb_error("section [%s] belongs to no row; the methods are %s", entry->section, e->methods);
    else if (!strcmp(group, "decode"))
        pb_error("section [%s]: %s", entry->section,
                 e->task->answer_kind == PB_ANSWER_TEXT ? "no row has this name"
                                                        : "want a task whose answers are texts; this one has classes");
    else if (!strcmp(group, "task"))
        pb_error("section [%s]: want [task] or [task %s], as the experiment's task is", entry->section, e->task_name);
    else
        pb_error(
            "unknown section [%s]; want [experiment], [train], [train ROW], [tune], [retention], [model], [model ROW], "
            "[decode], [decode ROW], [method NAME], [method NAME:VARIANT] or [task NAME]",
            entry->section);
    return pb_ini_blame(entry);
}

/* Returns whether a section may remain unused because --set replaced the list of methods. */
static bool may_be_unused(const pb_entry *methods, const pb_entry *entry)
{
    bool of_row = !strncmp(entry->section, "train ", 6) || !strncmp(entry->section, "method ", 7) ||
                  !strncmp(entry->section, "model ", 6) || !strncmp(entry->section, "decode ", 7);
    return of_row && pb_ini_is_override(methods) && !pb_ini_is_override(entry);
}

/* True for a setting of rows: the experiment's, the task's and those of [tune] have no more specific section. */
static bool is_of_rows(const pb_entry *entry)
{
    static const char *const kind[] = {"train", "model", "decode", "method"};
    size_t n = strcspn(entry->section, " ");
    for (size_t i = 0; i < PB_COUNT(kind); i++)
        if (strlen(kind[i]) == n && !strncmp(entry->section, kind[i], n))
            return true;
    return false;
}

/* Refuses a --set that every row replaces: its user would take the results for those of the value. */
static int refuse_replaced(const pb_entry *entry)
{
    pb_error("no row takes this value; each sets %s in a more specific section or in the list of methods", entry->key);
    return pb_ini_blame(entry);
}

static int check_unread(const pb_experiment *e, const pb_ini *ini, const pb_entry *methods)
{
    for (size_t i = 0; i < ini->entries; i++) {
        const pb_entry *entry = &ini->entry[i];
        if (!entry->used && !may_be_unused(methods, entry))
            return refuse_unread(e, entry);
        if (entry->key && pb_ini_is_override(entry) && is_of_rows(entry) && !entry->in_force)
            return refuse_replaced(entry);
    }
    return 0;
}

/* ---- a file --------------------------------------------------------------------------------------------- */

static int check_budget(const pb_experiment *e, pb_ini *ini)
{
    double elements;
    return *e->budget && pb_budget_parse(e->budget, &elements) ? pb_ini_blame(pb_ini_find(ini, "experiment", "budget"))
                                                               : 0;
}

static int read_entries(pb_experiment *e, pb_ini *ini, const char *const *sets)
{
    for (; sets && *sets; sets++)
        if (pb_ini_set(ini, *sets))
            return -1;
    if (name_experiment(e) || read_experiment(e, ini) || check_budget(e, ini) || read_tune(e, ini) ||
        read_retention(e, ini) || read_task(e, ini) || each_plugin(e, ini, load_plugin, NULL))
        return -1;
    const pb_entry *methods = pb_ini_find(ini, "experiment", "methods");
    return read_rows(e, ini, methods) || pb_sweep_expand(e, ini) || check_unread(e, ini, methods) ? -1 : 0;
}

pb_experiment *pb_experiment_read_ini(pb_ini *ini, const char *const *sets)
{
    pb_experiment *e = ini ? pb_experiment_new(ini->path) : NULL;
    if (e && read_entries(e, ini, sets)) {
        pb_experiment_free(e);
        e = NULL;
    }
    pb_ini_free(ini);
    return e;
}

pb_experiment *pb_experiment_read(const char *path, const char *const *sets)
{
    return pb_experiment_read_ini(pb_ini_read(path), sets);
}

pb_experiment *pb_experiment_read_task(const char *task, const char *model, const char *const *sets)
{
    pb_ini *ini = is_path(task) ? pb_ini_read(task) : pb_ini_new(task);
    if (ini && !pb_ini_has(ini, "experiment")) {
        pb_ini_free(ini);
        ini = pb_ini_new(task);
        pb_ini_put(ini, "experiment", "task", task, task);
        pb_ini_put(ini, "experiment", "model", PB_NO_MODEL, task);
        pb_ini_put(ini, "experiment", "methods", "full", task);
    }
    if (ini && model)
        pb_ini_put(ini, "experiment", "model", model, "--model");
    return pb_experiment_read_ini(ini, sets);
}

/* ---- a stored run ----------------------------------------------------------------------------------------- */

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

static int restore_cell(pb_experiment *e, const pb_settings *s, uint64_t seed)
{
    pb_cell *c = e->cell = pb_alloc(sizeof *c);
    const pb_row *row = &e->row[0];
    pb_cell_begin(e, row, c);
    for (int g = 0; g < PB_GROUP_METHODS + row->spec.parts; g++)
        if (row->group[g] && pb_settings_fill(s, row->group[g], pb_row_options(row, g), pb_cell_conf(c, g)))
            return -1;
    pb_cell_finish(e, c, "");
    e->seed = pb_arena_alloc(e->arena, PB_META, sizeof *e->seed);
    *e->seed = c->seed = seed;
    e->seeds = e->cells = e->row[0].choices = 1;
    return 0;
}

/* Sets task, model and row to those of the run. */
static int restore_identity(pb_experiment *e, const pb_settings *s)
{
    static const char *const needed[][2] = {
        {"task", "task"}, {"model", "model"}, {"row", "methods"}, {"row", "baseline"}, {"", "timing_rounds"}};
    for (size_t i = 0; i < PB_COUNT(needed); i++) {
        const char *value = *needed[i][0] ? pb_settings_get(s, needed[i][0]) : "0";
        if (!value)
            return pb_error("the run has no '%s' in the database", needed[i][0]);
        if (pb_option_set(pb_experiment_table, e, needed[i][1], value))
            return -1;
    }
    e->name = "again";
    return is_path(e->task_name) ? pb_error("task '%s': want the name of a task", e->task_name) : 0;
}

/* Makes the task from its file or, if it was given by a path, from the settings alone: a path in a database may be
 * anybody's. */
static int restore_task(pb_experiment *e, const pb_settings *s)
{
    const pb_entry at = {.location = (char *)(uintptr_t)e->path};
    const char *kind = pb_settings_get(s, "task.kind");
    e->has_own_task = kind != NULL;
    if (kind ? make_task(e, &(pb_entry){.value = (char *)(uintptr_t)kind, .location = at.location})
             : read_task_named(e, &at))
        return -1;
    for (size_t i = 0; i < s->count; i++)
        if (!strncmp(s->item[i].key, "task.", 5) && strcmp(s->item[i].key, "task.kind") != 0 &&
            pb_option_set(e->task->options, e->task_conf, s->item[i].key + 5, s->item[i].value))
            return -1;
    return 0;
}

static int restore_all(pb_experiment *e, const pb_settings *s, uint64_t seed)
{
    if (restore_identity(e, s) || restore_task(e, s) || find_primary(e))
        return -1;
    e->row = pb_arena_alloc(e->arena, PB_META, sizeof *e->row);
    return pb_experiment_add_row(e, e->methods) || check_groups(&e->row[0], s) || restore_cell(e, s, seed) ? -1 : 0;
}

pb_experiment *pb_experiment_restore(const char *name, const pb_settings *s, uint64_t seed)
{
    pb_experiment *e = pb_experiment_new(name);
    if (!restore_all(e, s, seed))
        return e;
    pb_experiment_free(e);
    return NULL;
}
