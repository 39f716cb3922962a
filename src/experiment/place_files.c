/* place_files: where the files of a task lie. */
#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_internal.h"

const char *pb_experiment_folder(pb_experiment *e, const char *path)
{
    const char *slash = strrchr(path, '/');
    return pb_arena_format(e->arena, "%.*s", slash ? (int)(slash - path) + 1 : 0, path);
}

/* Returns the value of a setting of the task.  The caller frees it. */
static char *value_of(const pb_option *o, const void *conf)
{
    pb_text value = {0};
    pb_option_print(o, conf, &value);
    return value.data ? value.data : pb_strdup("");
}

/* Makes e->task_found a copy of e->task_conf. */
static void copy_settings(pb_experiment *e)
{
    e->task_found = pb_experiment_conf(e, e->task->options, e->task->conf_size);
    for (const pb_option *o = e->task->options; o->name; o++) {
        char *value = value_of(o, e->task_conf);
        PB_CHECK(!pb_option_set(e->task->options, e->task_found, o->name, value));
        free(value);
    }
}

static void put_path(pb_experiment *e, const pb_option *o, const char *path)
{
    PB_CHECK(!pb_option_set(e->task->options, e->task_found, o->name, path));
}

/* Puts the path of a file in the first of the folders that has it. */
static void place(pb_experiment *e, const pb_option *o, const char *const folder[3])
{
    char *name = value_of(o, e->task_conf);
    bool found = !*name || *name == '/';
    for (int i = 0; i < 3 && !found; i++) {
        char *path = folder[i] ? pb_format("%s%s", folder[i], name) : NULL;
        found = path && pb_file_exists(path);
        if (found)
            put_path(e, o, path);
        free(path);
    }
    free(name);
}

void pb_experiment_place_files(pb_experiment *e, pb_ini *ini, const char *section)
{
    const char *own = e->folder[0], *task = e->folder[1];
    copy_settings(e);
    for (const pb_option *o = e->task->options; o->name; o++) {
        if (!o->file)
            continue;
        const pb_entry *entry = pb_ini_find(ini, section, o->name), *general = pb_ini_find(ini, "task", o->name);
        entry = general && (!entry || (pb_ini_is_override(general) && !pb_ini_is_override(entry))) ? general : entry;
        bool set = entry && pb_ini_is_override(entry);
        place(e, o,
              set     ? (const char *const[]){"", task, own}
              : entry ? (const char *const[]){own, task, NULL}
                      : (const char *const[]){task, own, NULL});
    }
}

void pb_experiment_restore_files(pb_experiment *e, const pb_settings *found)
{
    copy_settings(e);
    for (const pb_option *o = e->task->options; o->name; o++) {
        char *key = pb_format("task.%s", o->name), *name = value_of(o, e->task_conf);
        const char *path = o->file && *name ? pb_settings_get(found, key) : NULL;
        if (path && pb_ends_in(path, name) && pb_file_exists(path))
            put_path(e, o, path);
        free(key);
        free(name);
    }
}

char *pb_experiment_file(const pb_experiment *e, const char *key)
{
    const pb_option *o = strncmp(key, "task.", 5) ? NULL : pb_option_find(e->task->options, key + 5);
    if (!o || !o->file)
        return NULL;
    char *name = value_of(o, e->task_conf), *path = value_of(o, e->task_found);
    bool other = strcmp(name, path) != 0;
    free(name);
    if (!other)
        free(path);
    return other ? path : NULL;
}

bool pb_cell_has_setting(const pb_experiment *e, const pb_cell *c, const char *key, const char *value)
{
    const char *now = pb_settings_get(c->settings, key);
    char *path = pb_experiment_file(e, key);
    bool same = now && (!strcmp(now, value) || (path && !strcmp(path, value)));
    free(path);
    return same;
}
