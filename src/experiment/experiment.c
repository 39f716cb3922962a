/* experiment: from entries of an INI file to the cells of an experiment. */
#include "experiment/experiment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/plugin.h"
#include "experiment/experiment_internal.h"
#include "version.h"

static const pb_option table[] = {
    PB_OPTION(pb_experiment, title, TEXT, "", "heading of the figures; the file's name if not given"),
    PB_OPTION_NAMED("task", pb_experiment, task_name, TEXT, "", "a named task, tasks/NAME.ini"),
    PB_OPTION_NAMED("model", pb_experiment, model_path, TEXT, "", "a Hugging Face folder"),
    PB_OPTION(pb_experiment, methods, TEXT, "", "rows of the table: methods, variants NAME:VARIANT, compositions a+b"),
    PB_OPTION_NAMED("seeds", pb_experiment, seed_list, TEXT, "0", "one run for each"),
    PB_OPTION(pb_experiment, plugins, TEXT, "", "FILE.so of methods that are not built in (docs/write-a-method.md)"),
    PB_OPTION(pb_experiment, baseline, TEXT, "", "row that others are compared with; the first if not given"),
    PB_OPTION(pb_experiment, jobs, INT, "1", 1, 256, "cells side by side"),
    PB_OPTION(pb_experiment, cell_seconds, INT, "0", 0, 1 << 30,
              "a cell whose training, scoring or timing takes longer is stopped and has failed; 0: no limit"),
    PB_OPTION(pb_experiment, timing_rounds, INT, "20", 0, 10000, "rounds of the timing pass; 0: none"),
    PB_OPTION(pb_experiment, timing_processes, INT, "5", 1, 100,
              "fresh processes that the rounds are shared among: each has its own luck, with where its memory lies"),
    PB_OPTION(pb_experiment, axis, TEXT, "",
              "METHOD.SETTING that the figure `axis` is drawn against, such as prefix.length"),
    PB_OPTION(pb_experiment, serving, TEXT, "",
              "numbers of adapters to serve at once in the timing pass (1, 8, 64), of LoRA rows"),
    {0},
};

const pb_option pb_tune_table[] = {
    PB_OPTION(
        pb_tune_options, trials, INT, "0", 0, 10000,
        "settings drawn for each row whose settings hold lists (1e-3, 3e-3) or ranges (1e-4..1e-2, 4..16); 0: every "
        "combination of the lists"),
    PB_OPTION(pb_tune_options, seed, INT, "0", 0, 1 << 30,
              "of the draws; trial by trial the same share of each range for all rows"),
    {0},
};

struct pb_owned {
    const pb_option *table;
    void *conf;
    struct pb_owned *next;
};

void *pb_experiment_conf(pb_experiment *e, const pb_option *options, size_t size)
{
    struct pb_owned *o = pb_arena_alloc(e->arena, PB_META, sizeof *o);
    o->table = options;
    o->conf = pb_arena_alloc(e->arena, PB_META, size + 1);
    o->next = e->owned;
    e->owned = o;
    pb_option_defaults(options, o->conf);
    return o->conf;
}

/* ---- lists -------------------------------------------------------------------------------------------- */

const char *pb_experiment_item(pb_experiment *e, const char **list)
{
    if (!*list)
        return NULL;
    const char *at = *list + strspn(*list, " \t");
    size_t n = strcspn(at, ",");
    *list = at[n] ? at + n + 1 : NULL;
    while (n && strchr(" \t", at[n - 1]))
        n--;
    return pb_arena_format(e->arena, "%.*s", (int)n, at);
}

static int count_items(const char *list)
{
    int n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

/* ---- [experiment] ------------------------------------------------------------------------------------- */

/* The experiment's name, which its figures' folder has too, is its file's. */
static int name_experiment(pb_experiment *e)
{
    const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
    size_t n = strlen(name);
    e->name = pb_arena_format(e->arena, "%.*s", (int)(n > 4 && !strcmp(name + n - 4, ".ini") ? n - 4 : n), name);
    return e->name[strspn(e->name, ".")] ? 0 : pb_error("%s: want an experiment's file with a name", e->path);
}

static int read_seeds(pb_experiment *e, const pb_entry *entry)
{
    const char *list = e->seed_list, *item;
    e->seed = pb_arena_alloc(e->arena, PB_META, (size_t)count_items(list) * sizeof *e->seed);
    while ((item = pb_experiment_item(e, &list))) {
        char *end;
        errno = 0;
        uint64_t seed = strtoull(item, &end, 10);
        if (end == item || *end || *item == '-' || errno || seed > INT64_MAX) { /* as the database keeps them */
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
    if (pb_ini_fill(ini, "experiment", table, e))
        return -1;
    for (size_t i = 0; i < PB_COUNT(needed); i++) {
        const pb_entry *entry = pb_ini_find(ini, "experiment", needed[i]);
        if (!entry || !*entry->value)
            return pb_error("%s: [experiment] has no '%s'; want %s", e->path, needed[i],
                            pb_option_find(table, needed[i])->help);
    }
    if (e->timing_rounds && e->timing_processes > e->timing_rounds)
        e->timing_processes = e->timing_rounds; /* at least one each */
    const pb_entry *seeds = pb_ini_find(ini, "experiment", "seeds");
    return seeds ? read_seeds(e, seeds) : read_seeds(e, &(pb_entry){.place = ini->path});
}

/* ---- the task ----------------------------------------------------------------------------------------- */

static int find_kind(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *entry = pb_ini_find(ini, "task", "kind");
    if (!entry)
        return pb_error("%s: [task] has no 'kind'; want the name of a kind of task, such as classify", ini->path);
    e->task = pb_task_find(entry->value);
    if (e->task)
        return 0;
    pb_error("kind: no kind of task '%s'; `peftbench list` shows them", entry->value);
    return pb_ini_blame(entry);
}

static int read_task_file(pb_experiment *e, pb_ini *file)
{
    if (find_kind(e, file))
        return -1;
    e->task_conf = pb_experiment_conf(e, e->task->options, e->task->conf_size);
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

static int read_task(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "task");
    char *path = pb_format("tasks/%s.ini", entry->value);
    if (!pb_file_exists(path)) {
        pb_error("task: no named task '%s': there is no file %s", entry->value, path);
        free(path);
        return pb_ini_blame(entry);
    }
    pb_ini *file = pb_ini_read(path);
    int rc = file ? read_task_file(e, file) : -1;
    pb_ini_free(file);
    free(path);
    char *section = pb_format("task %s", entry->value);
    rc = rc || pb_ini_fill(ini, section, e->task->options, e->task_conf) ? -1 : 0;
    free(section);
    return rc;
}

pb_data *pb_experiment_data(const pb_experiment *e)
{
    pb_data *d = pb_data_new(e->task_name);
    if (!e->task->load(d, e->task_conf) && !pb_data_check(d))
        return d;
    pb_data_free(d);
    return NULL;
}

/* ---- rows --------------------------------------------------------------------------------------------- */

static int unknown_method(const char *name)
{
    const char *names[256] = {0};
    size_t n = 0;
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)) && n + 1 < PB_COUNT(names); i++)
        names[n++] = m->name;
    const char *near = pb_nearest(name, names);
    return pb_error("methods: no method '%s'%s%s%s; `peftbench list` shows them", name, near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

static bool has_section(const pb_ini *ini, const char *name)
{
    for (size_t i = 0; i < ini->entries; i++)
        if (!strcmp(ini->entry[i].section, name))
            return true;
    return false;
}

static int read_part(pb_experiment *e, const pb_ini *ini, pb_row *row, char *text)
{
    char *variant = strchr(text, ':');
    if (variant)
        *variant++ = 0;
    const pb_method *method = pb_method_find(text);
    if (!method)
        return unknown_method(text);
    if (row->parts == MAX_PARTS)
        return pb_error("methods: %s: more than %d methods in one composition", row->label, MAX_PARTS);
    for (int i = 0; i < row->parts; i++)
        if (row->method[i] == method)
            return pb_error("methods: %s: %s is given twice in one composition", row->label, text);
        else if (row->method[i]->prompt && method->prompt)
            return pb_error("methods: %s: both %s and %s put the text into words; want one of them", row->label,
                            row->method[i]->name, text);
    if (method->classes && e->task->texts)
        return pb_error("methods: %s needs a head of classes; the answers of task %s are texts", text, e->task_name);
    char *section = pb_format("method %s:%s", text, variant ? variant : "");
    bool missing = variant && !has_section(ini, section);
    free(section);
    if (missing)
        return pb_error("methods: %s: there is no section [method %s:%s]", row->label, text, variant);
    row->method[row->parts] = method;
    row->variant[row->parts++] = variant ? pb_arena_strdup(e->arena, variant) : NULL;
    return 0;
}

static int read_row(pb_experiment *e, const pb_ini *ini, const char *label)
{
    pb_row *row = &e->row[e->rows++];
    row->label = label;
    for (int i = 0; i + 1 < e->rows; i++)
        if (!strcmp(e->row[i].label, label))
            return pb_error("methods: %s is given twice", label);
    char *copy = pb_strdup(label), *rest = copy, *part;
    int rc = 0;
    while (!rc && (part = strsep(&rest, "+")))
        rc = read_part(e, ini, row, part);
    free(copy);
    return rc;
}

const pb_row *pb_experiment_row(const pb_experiment *e, const char *label)
{
    for (int i = 0; i < e->rows; i++)
        if (!strcmp(e->row[i].label, label))
            return &e->row[i];
    return NULL;
}

static int read_baseline(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "baseline");
    if (!*e->baseline) {
        free((char *)(uintptr_t)e->baseline);
        e->baseline = pb_strdup(e->row[0].label);
    }
    if (pb_experiment_row(e, e->baseline))
        return 0;
    pb_error("baseline: '%s' is not in methods: %s", e->baseline, e->methods);
    return pb_ini_blame(entry);
}

static int read_plugins(pb_experiment *e, pb_ini *ini)
{
    const char *list = *e->plugins ? e->plugins : NULL, *path;
    while ((path = pb_experiment_item(e, &list)))
        if (!pb_plugin_load(path))
            return pb_ini_blame(pb_ini_find(ini, "experiment", "plugins"));
    return 0;
}

static int read_rows(pb_experiment *e, pb_ini *ini)
{
    const pb_entry *entry = pb_ini_find(ini, "experiment", "methods");
    const char *list = e->methods, *label;
    e->row = pb_arena_alloc(e->arena, PB_META, (size_t)count_items(list) * sizeof *e->row);
    while ((label = pb_experiment_item(e, &list)))
        if (read_row(e, ini, label))
            return pb_ini_blame(entry);
    return read_baseline(e, ini);
}

/* ---- what nobody has read ----------------------------------------------------------------------------- */

static int unread(const pb_experiment *e, const pb_entry *entry)
{
    static const char *const first[] = {"experiment", "train", "tune", "model", "decode", "method", "task", NULL};
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(entry->section, " "), entry->section);
    const char *near = pb_nearest(word, first), *name = entry->section + strcspn(entry->section, " ");
    name += *name == ' ';
    if (near && strcmp(near, word) != 0)
        pb_error("unknown section [%s]; did you mean [%s%s%s]?", entry->section, near, *name ? " " : "", name);
    else if (!strcmp(word, "method") || !strcmp(word, "train") || !strcmp(word, "model"))
        pb_error("section [%s] belongs to no row; methods are %s", entry->section, e->methods);
    else if (!strcmp(word, "decode"))
        pb_error("section [%s]: %s", entry->section,
                 e->task->texts ? "belongs to no row" : "the answers of this task are classes, nothing is generated");
    else if (!strcmp(word, "task"))
        pb_error("section [%s]: want [task %s], as the experiment's task is", entry->section, e->task_name);
    else
        pb_error(
            "unknown section [%s]; want [experiment], [train], [train ROW], [tune], [model], [model ROW], [decode], "
            "[decode ROW], [method NAME], [method NAME:VARIANT] or [task NAME]",
            entry->section);
    return pb_ini_blame(entry);
}

/* Who takes rows away by --set leaves their sections behind on purpose. */
static bool is_left_behind(const pb_entry *methods, const pb_entry *entry)
{
    bool of_row = !strncmp(entry->section, "train ", 6) || !strncmp(entry->section, "method ", 7) ||
                  !strncmp(entry->section, "model ", 6) || !strncmp(entry->section, "decode ", 7);
    return of_row && !strncmp(methods->place, "--set", 5) && strncmp(entry->place, "--set", 5) != 0;
}

static int check_unread(const pb_experiment *e, pb_ini *ini)
{
    const pb_entry *methods = pb_ini_find(ini, "experiment", "methods");
    for (size_t i = 0; i < ini->entries; i++)
        if (!ini->entry[i].used && !is_left_behind(methods, &ini->entry[i]))
            return unread(e, &ini->entry[i]);
    return 0;
}

/* ---- reading an experiment ---------------------------------------------------------------------------- */

static int read_all(pb_experiment *e, pb_ini *ini, const char *const *sets)
{
    for (; sets && *sets; sets++)
        if (pb_ini_set(ini, *sets))
            return -1;
    pb_option_defaults(pb_tune_table, &e->tune);
    if (read_experiment(e, ini) || pb_ini_fill(ini, "tune", pb_tune_table, &e->tune) || read_task(e, ini) ||
        read_plugins(e, ini) || read_rows(e, ini))
        return -1;
    return pb_sweep_expand(e, ini) || check_unread(e, ini);
}

pb_experiment *pb_experiment_make(pb_ini *ini, const char *const *sets)
{
    pb_experiment *e = pb_alloc(sizeof *e);
    e->arena = pb_arena_new("experiment");
    e->path = pb_arena_strdup(e->arena, ini->path);
    pb_option_defaults(table, e);
    if (!name_experiment(e) && !read_all(e, ini, sets))
        return e;
    pb_experiment_free(e);
    return NULL;
}

pb_experiment *pb_experiment_read(const char *path, const char *const *sets)
{
    pb_ini *ini = pb_ini_read(path);
    pb_experiment *e = ini ? pb_experiment_make(ini, sets) : NULL;
    pb_ini_free(ini);
    return e;
}

void pb_experiment_free(pb_experiment *e)
{
    if (!e)
        return;
    for (struct pb_owned *o = e->owned; o; o = o->next)
        pb_option_release(o->table, o->conf);
    pb_option_release(table, e);
    free(e->cell);
    pb_arena_free(e->arena);
    free(e);
}

static const char *list_classes(pb_experiment *e, const pb_data *d)
{
    pb_text list = {0};
    pb_text_add(&list, "[");
    for (int i = 0; i < d->classes; i++) {
        pb_text_add(&list, i ? ", " : "");
        pb_json_quote(&list, d->class_name[i]);
    }
    pb_text_add(&list, "]");
    const char *kept = pb_arena_strdup(e->arena, list.data);
    pb_text_free(&list);
    return kept;
}

const pb_prompting *pb_cell_prompting(const pb_cell *c)
{
    for (int p = 0; p < c->row->parts; p++)
        if (c->part[p].method->prompt)
            return c->part[p].method->prompt(c->part[p].conf);
    return NULL;
}

/* What puts the cell's texts to a decoder. */
static pb_digest template_of(const pb_experiment *e, const pb_cell *c, const pb_data *d)
{
    const pb_prompting *p = pb_cell_prompting(c);
    if (!p && !e->task->texts)
        return (pb_digest){""};
    char *own = p && *p->template ? pb_read_file(p->template, NULL) : NULL;
    const char *text = own ? own : d->template ? d->template : "";
    pb_digest digest = pb_sha256(text, strlen(text));
    free(own);
    return digest;
}

void pb_experiment_seal(pb_experiment *e, const pb_data *data, const pb_digest *model)
{
    e->class_names = list_classes(e, data);
    e->data = data->digest;
    e->model = *model;
    for (int i = 0; i < e->cells; i++) {
        pb_cell *c = &e->cell[i];
        c->template = template_of(e, c, data);
        pb_text all = {0};
        pb_text_add(&all, "%sseed=%llu\ndata=%s\nmodel=%s\ntemplate=%s\ncode=%s\n", c->settings,
                    (unsigned long long)c->seed, e->data.hex, e->model.hex, c->template.hex, PB_CODE_VERSION);
        for (int p = 0; p < c->row->parts; p++)
            if (pb_plugin_digest(c->row->method[p]))
                pb_text_add(&all, "plugin=%s\n", pb_plugin_digest(c->row->method[p])->hex);
        c->hash = pb_sha256(all.data, all.length);
        pb_text_free(&all);
    }
}
