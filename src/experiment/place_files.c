/* place_files: where the files of a task lie. */
#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_internal.h"

const char *pb_experiment_folder(pb_experiment *e, const char *path)
{
    const char *slash = strrchr(path, '/');
    return pb_arena_format(e->arena, "%.*s", slash ? (int)(slash - path) + 1 : 0, path);
}

/* Replaces the name of a file by its path in the first of the folders that has it. */
static void place(pb_experiment *e, const pb_option *o, const char *const folder[3])
{
    pb_text name = {0};
    pb_option_print(o, e->task_conf, &name);
    bool found = !name.length || *name.data == '/';
    for (int i = 0; i < 3 && !found; i++) {
        char *path = folder[i] ? pb_format("%s%s", folder[i], name.data) : NULL;
        found = path && pb_file_exists(path);
        if (found)
            PB_CHECK(!pb_option_set(e->task->options, e->task_conf, o->name, path));
        free(path);
    }
    pb_text_free(&name);
}

void pb_experiment_place_files(pb_experiment *e, pb_ini *ini, const char *section)
{
    const char *own = e->folder[0], *task = e->folder[1];
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
