/* task_reader: makes the task of an experiment from its file, from sections of the experiment's file, or from the
 * settings of a stored run. */
#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_internal.h"
#include "experiment/named_tasks.h"

/* Returns what the user may have meant by a kind of task that there is not.  The caller frees the text. */
static char *suggest_kind(const char *name)
{
    size_t n = 0;
    while (pb_tasks[n])
        n++;
    const char **names = pb_alloc((n + 1) * sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = pb_tasks[i]->name;
    char *near = pb_did_you_mean(name, names);
    free(names);
    return near;
}

/* Refuses a name of a task that no file has, at the entry that names it. */
static int refuse_task(const char *name, const char *path, const pb_entry *entry)
{
    char **names = pb_named_tasks(), *near = pb_did_you_mean(name, (const char *const *)names);
    pb_error("task: no named task '%s': there is no file %s, and no section [task %s] with a `kind`%s", name, path,
             name, near);
    free(near);
    pb_named_tasks_free(names);
    return pb_ini_blame(entry);
}

/* Makes the task's kind and its settings, which are the defaults; `kind` is the entry that names it. */
static int make_task(pb_experiment *e, const pb_entry *kind)
{
    e->task = pb_task_find(kind->value);
    if (!e->task) {
        char *near = suggest_kind(kind->value);
        pb_error("kind: no kind of task '%s'%s; `peftbench list` shows them", kind->value, near);
        free(near);
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

bool pb_task_is_path(const char *task)
{
    return strchr(task, '/') || pb_ends_in(task, ".ini");
}

/* Returns the file of a task that is given by its name or its path.  The caller frees it. */
static char *path_of_task(const char *task)
{
    char *path = pb_task_is_path(task) ? pb_strdup(task) : pb_format("tasks/%s.ini", task);
    char *found = pb_find_installed(path);
    free(path);
    return found;
}

/* Replaces the path of a task by its name, that of the file without .ini. */
static int name_task(pb_experiment *e, const char *path)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    char *name = pb_format("%.*s", (int)(strlen(file) - (pb_ends_in(file, ".ini") ? 4 : 0)), file);
    char *usual = path_of_task(name);
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
    char *path = path_of_task(e->task_name);
    int rc = 0;
    e->folder[1] = pb_experiment_folder(e, path);
    if (!pb_file_exists(path)) {
        rc = refuse_task(e->task_name, path, entry);
    } else if (pb_task_is_path(e->task_name) && name_task(e, path)) {
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
    char *path = path_of_task(e->task_name);
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

int pb_task_read(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *named = pb_ini_find(ini, "experiment", "task");
    char *section = pb_format("task %s", e->task_name);
    const pb_entry *kind = pb_task_is_path(e->task_name) ? NULL : pb_ini_find(ini, section, "kind");
    kind = kind || pb_task_is_path(e->task_name) ? kind : pb_ini_find(ini, "task", "kind");
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

static bool has_file(const char *task)
{
    char *path = path_of_task(task);
    bool exists = pb_file_exists(path);
    free(path);
    return exists;
}

int pb_task_restore(pb_experiment *e, const pb_settings *s, const char *kind, const pb_settings *files)
{
    const pb_entry at = {.location = (char *)(uintptr_t)e->path};
    const char *own = pb_settings_get(s, "task.kind");
    e->has_own_task = own != NULL;
    kind = own ? own : has_file(e->task_name) ? NULL : kind;
    if (kind ? make_task(e, &(pb_entry){.value = (char *)(uintptr_t)kind, .location = at.location})
             : read_task_named(e, &at))
        return -1;
    for (size_t i = 0; i < s->count; i++)
        if (!strncmp(s->item[i].key, "task.", 5) && strcmp(s->item[i].key, "task.kind") != 0 &&
            pb_option_set(e->task->options, e->task_conf, s->item[i].key + 5, s->item[i].value))
            return -1;
    pb_experiment_restore_files(e, files);
    return find_primary(e);
}
