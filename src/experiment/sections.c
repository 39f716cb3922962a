/* sections: checks that every section of an experiment's file is read by a row of one of its tasks. */
#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_internal.h"

/* The parts of a section's name "GROUP@TASK ROW". */
typedef struct section_name {
    char group[64];
    char task[64];   /* "": the section is for all tasks */
    const char *row; /* or the name of a method or a task; "": none */
} section_name;

static section_name split_section(const char *section)
{
    section_name s = {.row = section + strcspn(section, " ")};
    size_t n = (size_t)(s.row - section), group = strcspn(section, "@ ");
    snprintf(s.group, sizeof s.group, "%.*s", (int)group, section);
    if (group < n)
        snprintf(s.task, sizeof s.task, "%.*s", (int)(n - group - 1), section + group + 1);
    s.row += *s.row == ' ';
    return s;
}

/* True for the groups of settings of rows: the experiment's, the task's and those of [tune] have no more specific
 * section. */
static bool is_of_rows(const section_name *s)
{
    static const char *const kind[] = {"train", "model", "decode", "method"};
    for (size_t i = 0; i < PB_COUNT(kind); i++)
        if (!strcmp(s->group, kind[i]))
            return true;
    return false;
}

bool pb_experiments_have(const pb_experiments *x, const char *name)
{
    for (int i = 0; i < x->tasks; i++)
        if (!strcmp(x->task[i]->task_name, name))
            return true;
    return false;
}

char *pb_experiments_list(const pb_experiments *x)
{
    pb_text list = {0};
    for (int i = 0; i < x->tasks; i++)
        pb_text_add(&list, "%s%s", i ? ", " : "", x->task[i]->task_name);
    return list.data;
}

/* Returns whether the answers of this task, or of any if the name is empty, are texts. */
static bool has_texts(const pb_experiments *x, const char *task)
{
    for (int i = 0; i < x->tasks; i++)
        if (x->task[i]->task->answer_kind == PB_ANSWER_TEXT && (!*task || !strcmp(x->task[i]->task_name, task)))
            return true;
    return false;
}

/* Refuses a section of a task that the experiment does not have. */
static int refuse_task(const pb_experiments *x, const section_name *s, const char *section)
{
    char *tasks = pb_experiments_list(x);
    if (*s->task)
        pb_error("section [%s]: '%s' is no task of the experiment; want %s", section, s->task, tasks);
    else if (x->tasks == 1)
        pb_error("section [%s]: want [task] or [task %s], as the experiment's task is", section, tasks);
    else
        pb_error("section [%s]: want [task], or [task NAME] with one of %s", section, tasks);
    free(tasks);
    return -1;
}

static int refuse_unread(const pb_experiments *x, const pb_entry *entry)
{
    static const char *const first[] = {"experiment", "train",  "tune", "retention", "model",
                                        "decode",     "method", "task", NULL};
    const section_name s = split_section(entry->section);
    const char *near = pb_nearest(s.group, first), *at = *s.task ? "@" : "";
    if (near && strcmp(near, s.group) != 0)
        pb_error("unknown section [%s]; did you mean [%s%s%s%s%s]?", entry->section, near, at, s.task,
                 *s.row ? " " : "", s.row);
    else if ((is_of_rows(&s) && *s.task && !pb_experiments_have(x, s.task)) || (!strcmp(s.group, "task") && !*s.task))
        refuse_task(x, &s, entry->section);
    else if (!strcmp(s.group, "decode"))
        pb_error("section [%s]: %s", entry->section,
                 has_texts(x, s.task) ? "no row has this name"
                                      : "want a task whose answers are texts; this one has classes");
    else if (is_of_rows(&s))
        pb_error("section [%s] belongs to no row; the methods are %s", entry->section, x->task[0]->methods);
    else
        pb_error(
            "unknown section [%s]; want [experiment], [train], [train ROW], [tune], [retention], [model], [model ROW], "
            "[decode], [decode ROW], [method NAME], [method NAME:VARIANT] or [task NAME]; [train@TASK] and the like "
            "for one task",
            entry->section);
    return pb_ini_blame(entry);
}

/* Returns whether a section may remain unused because --set replaced the list of methods or of tasks. */
static bool may_be_unused(pb_ini *ini, const pb_entry *entry)
{
    const section_name s = split_section(entry->section);
    bool of_row = is_of_rows(&s) && *s.row, of_task = *s.task || (!strcmp(s.group, "task") && *s.row);
    return !pb_ini_is_override(entry) && ((of_row && pb_ini_is_override(pb_ini_find(ini, "experiment", "methods"))) ||
                                          (of_task && pb_ini_is_override(pb_ini_find(ini, "experiment", "task"))));
}

/* Refuses a --set that every row replaces: its user would take the results for those of the value. */
static int refuse_replaced(const pb_entry *entry)
{
    pb_error("no row takes this value; each sets %s in a more specific section or in the list of methods", entry->key);
    return pb_ini_blame(entry);
}

int pb_sections_check(const pb_experiments *x, pb_ini *ini)
{
    for (size_t i = 0; i < ini->entries; i++) {
        const pb_entry *entry = &ini->entry[i];
        const section_name s = split_section(entry->section);
        if (!entry->used && !may_be_unused(ini, entry))
            return refuse_unread(x, entry);
        if (entry->key && pb_ini_is_override(entry) && is_of_rows(&s) && !entry->in_force)
            return refuse_replaced(entry);
    }
    return 0;
}
