/* experiment: see experiment.h. */
#include "experiment/experiment.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/chat.h"
#include "model/plugin.h"
#include "experiment/experiment_internal.h"
#include "version.h"

const pb_option pb_experiment_table[] = {
    PB_OPTION(pb_experiment, title, TEXT, "", "title of the figures; empty: the file's name"),
    PB_OPTION_NAMED(
        "task", pb_experiment, task_name, TEXT, "",
        "a named task, NAME of tasks/NAME.ini, or the path of such a file; several are separated by commas"),
    PB_OPTION_NAMED("model", pb_experiment, model_path, TEXT, "",
                    "a Hugging Face folder, a GGUF file or a llama2.c file"),
    PB_OPTION(pb_experiment, methods, TEXT, "",
              "rows of the table: METHOD, METHOD:VARIANT, METHOD:SETTING=VALUE, and compositions such as a+b"),
    PB_OPTION_NAMED("seeds", pb_experiment, seed_list, TEXT, "0",
                    "random seeds (0, 3..5); each combination of settings is trained once with each seed"),
    PB_OPTION(pb_experiment, plugins, TEXT, "",
              "shared objects with methods that are not built in (docs/write-a-method.md)"),
    PB_OPTION(pb_experiment, baseline, TEXT, "", "row that the others are compared with; empty: the first"),
    PB_OPTION(pb_experiment, jobs, INT, "1", 1, 256, "number of cells that run in parallel and share the threads"),
    PB_OPTION(pb_experiment, cell_seconds, INT, "0", 0, 1 << 30,
              "time limit of a cell's training, scoring or timing; a cell that exceeds it fails; 0: no limit"),
    PB_OPTION(pb_experiment, timing_rounds, INT, "20", 0, 10000, "rounds of the timing pass; 0: no timing"),
    PB_OPTION(
        pb_experiment, timing_processes, INT, "5", 1, 100,
        "processes over which the rounds are distributed, because the placement of memory differs between processes"),
    PB_OPTION(pb_experiment, budget, TEXT, "",
              "elements that each row trains, such as 100k or 1.5M: sets ranks, lengths and the like; the head is not "
              "counted; empty: as the settings say"),
    PB_OPTION(pb_experiment, axis, TEXT, "",
              "the setting on the x axis of an additional figure, such as prefix.length or train.examples"),
    PB_OPTION(pb_experiment, serving, TEXT, "",
              "numbers of adapters (1, 8, 64, or 1..4) that are served together in the timing pass, for rows with "
              "low-rank updates"),
    PB_OPTION_NAMED(
        "strength", pb_experiment, strength_list, TEXT, "",
        "factors of the trained change (0, 0.25, 0.5, 0.75, 1) at which the test score and the retention are "
        "measured, for rows that can be merged; empty: none; needs [retention]"),
    {0},
};

const pb_option pb_tune_table[] = {
    PB_OPTION(
        pb_tune_options, trials, INT, "0", 0, 10000,
        "number of random settings for each row that has lists (1e-3, 3e-3) or ranges (1e-4..1e-2, 4..16); 0: every "
        "combination of the lists"),
    PB_OPTION(pb_tune_options, seed, INT, "0", 0, 1 << 30,
              "random seed of these settings; in each trial all rows are at the same fraction of a range"),
    PB_OPTION(
        pb_tune_options, seeds, INT, "0", 0, 10000,
        "number of the experiment's seeds with which every setting is tried; the other seeds are trained with the "
        "chosen setting alone; 0: every setting is tried with every seed"),
    {0},
};

/* Settings that the experiment owns: a struct, or a list. */
struct pb_owned {
    const pb_option *table;
    void *conf;
    pb_settings *settings; /* the list; NULL if this is a struct */
    struct pb_owned *next;
};

static struct pb_owned *add_owned(pb_experiment *e)
{
    struct pb_owned *o = pb_arena_alloc(e->arena, PB_META, sizeof *o);
    *o = (struct pb_owned){.next = e->owned};
    e->owned = o;
    return o;
}

void *pb_experiment_conf(pb_experiment *e, const pb_option *options, size_t size)
{
    struct pb_owned *o = add_owned(e);
    o->table = options;
    o->conf = pb_arena_alloc(e->arena, PB_META, size + 1);
    pb_option_defaults(options, o->conf);
    return o->conf;
}

pb_experiment *pb_experiment_new(const char *path)
{
    pb_experiment *e = pb_alloc(sizeof *e);
    e->arena = pb_arena_new("experiment");
    e->path = pb_arena_strdup(e->arena, path);
    pb_option_defaults(pb_experiment_table, e);
    pb_option_defaults(pb_tune_table, &e->tune);
    pb_option_defaults(pb_retention_table, &e->retention);
    return e;
}

void pb_experiment_free(pb_experiment *e)
{
    if (!e)
        return;
    for (struct pb_owned *o = e->owned; o; o = o->next) {
        pb_option_release(o->table, o->conf);
        if (o->settings)
            pb_settings_free(o->settings);
    }
    for (int i = 0; i < e->rows; i++)
        pb_method_spec_free(&e->row[i].spec);
    pb_option_release(pb_experiment_table, e);
    pb_option_release(pb_retention_table, &e->retention);
    pb_retention_text_free(e->retention_text);
    free(e->cell);
    pb_arena_free(e->arena);
    free(e);
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

pb_data *pb_experiment_new_data(const pb_experiment *e)
{
    pb_data *d = pb_data_new(e->task_name);
    d->answer_kind = e->task->answer_kind;
    d->may_drop = pb_option_find(e->task->options, "overlap") != NULL;
    d->primary = (int)(e->primary - e->task->metrics);
    d->place = e->task_place;
    memcpy(d->folder, e->folder, sizeof d->folder);
    return d;
}

pb_data *pb_experiment_data(const pb_experiment *e)
{
    pb_data *d = pb_experiment_new_data(e);
    if (!e->task->load(d, e->task_found) && !pb_data_check(d))
        return d;
    pb_data_free(d);
    return NULL;
}

/* ---- rows --------------------------------------------------------------------------------------------- */

const pb_row *pb_experiment_row(const pb_experiment *e, const char *label)
{
    for (int i = 0; i < e->rows; i++)
        if (pb_method_spec_same(e->row[i].label, label))
            return &e->row[i];
    return NULL;
}

int pb_experiment_refuse_row(const pb_experiment *e, const char *where, const char *label)
{
    const char **names = pb_alloc((size_t)(e->rows + 1) * sizeof *names);
    for (int i = 0; i < e->rows; i++)
        names[i] = e->row[i].label;
    char *near = pb_did_you_mean(label, names);
    pb_error("%s: '%s' is not in methods: %s%s", where, label, e->methods, near);
    free(near);
    free(names);
    return -1;
}

int pb_experiment_trial_seeds(const pb_experiment *e, const pb_row *row)
{
    return row->choices > 1 && e->tune.seeds && e->tune.seeds < e->seeds ? e->tune.seeds : e->seeds;
}

int pb_experiment_label_width(const pb_experiment *e, int least)
{
    int width = least;
    for (int i = 0; i < e->rows; i++)
        width = (int)strlen(e->row[i].label) > width ? (int)strlen(e->row[i].label) : width;
    return width;
}

/* Refuses a row that is in the list already, by this name or by another one. */
static int check_new(const pb_experiment *e, const pb_method_spec *s)
{
    for (int i = 0; i < e->rows; i++)
        if (!strcmp(e->row[i].spec.label, s->label))
            return pb_error("%s is given twice", s->label);
        else if (!strcmp(e->row[i].spec.resolved, s->resolved))
            return pb_error("%s and %s are one row, %s; want it once", e->row[i].label, s->label, s->resolved);
    return 0;
}

/* Refuses methods that cannot be composed, and methods that the task does not support. */
static int check_methods(const pb_experiment *e, const pb_method_spec *s)
{
    const pb_method *prompts = NULL;
    for (int i = 0; i < s->parts; i++) {
        const pb_method *m = s->part[i].method;
        if (m->hooks.prompt && prompts)
            return pb_error("%s: both %s and %s present the text by a template; want one of them", s->label,
                            prompts->name, m->name);
        prompts = m->hooks.prompt ? m : prompts;
        if (m->hooks.prompt && e->task->answer_kind == PB_ANSWER_NUMBER)
            return pb_error("%s answers with a word; the answers of task %s are numbers, which only a head gives",
                            m->name, e->task_name);
        if (m->hooks.prompt && e->task->answer_kind == PB_ANSWER_TAGS)
            return pb_error("%s answers with a word; the answers of task %s are a tag for each word, which only a head "
                            "gives",
                            m->name, e->task_name);
        if (m->hooks.prompt && e->task->answer_kind == PB_ANSWER_LABELS)
            return pb_error(
                "%s answers with one word; the answers of task %s are sets of labels, which only a head gives", m->name,
                e->task_name);
        if (m->traits.classes && e->task->answer_kind == PB_ANSWER_TEXT)
            return pb_error("%s needs a head of classes; the answers of task %s are texts", m->name, e->task_name);
    }
    return 0;
}

int pb_experiment_add_row(pb_experiment *e, const char *spec)
{
    pb_method_spec s;
    if (pb_method_spec_parse(&s, spec))
        return -1;
    int rc = check_new(e, &s) || check_methods(e, &s) ? -1 : 0;
    if (rc) {
        pb_method_spec_free(&s);
        return -1;
    }
    pb_row *row = &e->row[e->rows++];
    *row = (pb_row){.spec = s, .label = s.label};
    row->group[PB_GROUP_TRAIN] = "train";
    row->group[PB_GROUP_MODEL] = "model";
    row->group[PB_GROUP_DECODE] = e->task->answer_kind == PB_ANSWER_TEXT ? "decode" : NULL;
    for (int p = 0; p < s.parts; p++)
        row->group[PB_GROUP_METHODS + p] = pb_arena_format(e->arena, "method.%s", s.part[p].method->name);
    return 0;
}

/* ---- cells -------------------------------------------------------------------------------------------- */

const pb_option *pb_row_options(const pb_row *row, int group)
{
    return group == PB_GROUP_TRAIN    ? pb_train_table
           : group == PB_GROUP_MODEL  ? pb_base_table
           : group == PB_GROUP_DECODE ? pb_decode_table
                                      : row->spec.part[group - PB_GROUP_METHODS].method->settings.options;
}

void *pb_cell_conf(pb_cell *c, int group)
{
    return group == PB_GROUP_TRAIN    ? (void *)&c->train
           : group == PB_GROUP_MODEL  ? (void *)&c->base
           : group == PB_GROUP_DECODE ? (void *)(uintptr_t)c->decoding
                                      : (void *)(uintptr_t)c->part[group - PB_GROUP_METHODS].conf;
}

void pb_cell_begin(pb_experiment *e, const pb_row *row, pb_cell *c)
{
    *c = (pb_cell){.row = row};
    pb_option_defaults(pb_train_table, &c->train);
    pb_option_defaults(pb_base_table, &c->base);
    c->decoding = pb_experiment_conf(e, pb_decode_table, sizeof *c->decoding);
    for (int p = 0; p < row->spec.parts; p++) {
        const pb_method *m = row->spec.part[p].method;
        c->part[p] = (pb_attached){m, pb_experiment_conf(e, m->settings.options, m->settings.conf_size)};
    }
}

void pb_cell_finish(pb_experiment *e, pb_cell *c, const char *choice)
{
    pb_settings *s = pb_arena_alloc(e->arena, PB_META, sizeof *s);
    const char *const pair[][2] = {{"row", c->row->label}, {"task", e->task_name}, {"model", e->model_path}};
    *s = (pb_settings){.item = NULL};
    add_owned(e)->settings = s;
    for (size_t i = 0; i < PB_COUNT(pair); i++)
        PB_CHECK(!pb_settings_put(s, pair[i][0], pair[i][1]));
    if (e->has_own_task)
        PB_CHECK(!pb_settings_put(s, "task.kind", e->task->name));
    pb_settings_add(s, "task", e->task->options, e->task_conf);
    for (int g = 0; g < PB_GROUP_METHODS + c->row->spec.parts; g++)
        if (c->row->group[g])
            pb_settings_add(s, c->row->group[g], pb_row_options(c->row, g), pb_cell_conf(c, g));
    pb_settings_sort(s);
    c->settings = s;
    c->choice = pb_arena_strdup(e->arena, choice);
}

const pb_prompting *pb_cell_prompting(const pb_cell *c)
{
    for (int p = 0; p < c->row->spec.parts; p++)
        if (c->part[p].method->hooks.prompt)
            return c->part[p].method->hooks.prompt(c->part[p].conf);
    return NULL;
}

/* Returns the next "key=value" of a choice and moves *at past it; NULL at the end.  The caller frees it. */
static char *next_assignment(const char **at)
{
    *at += strspn(*at, " ");
    size_t n = strcspn(*at, " ");
    char *assignment = n ? pb_format("%.*s", (int)n, *at) : NULL;
    *at += n;
    return assignment;
}

/* Returns whether two assignments "key=value" give the same value to the same setting. */
static bool is_same_setting(const pb_cell *c, const char *a, const char *b)
{
    const char *x = strchr(a, '='), *y = strchr(b, '=');
    if (!x || !y || x - a != y - b || strncmp(a, b, (size_t)(x - a)) != 0)
        return false;
    if (!strcmp(x, y))
        return true;
    for (int g = 0; g < PB_GROUP_METHODS + c->row->spec.parts; g++) {
        const pb_option *o = c->row->group[g] ? pb_row_options(c->row, g) : NULL;
        for (; o && o->name; o++) {
            char *key = pb_format("%s.%s", c->row->group[g], o->name);
            const char *name = pb_settings_short(key);
            bool found = !strncmp(name, a, (size_t)(x - a)) && !name[x - a];
            free(key);
            if (found)
                return pb_settings_same_value(o, x + 1, y + 1);
        }
    }
    return false;
}

bool pb_cell_is_choice(const pb_cell *c, const char *choice)
{
    const char *other = c->choice;
    bool same = true;
    char *a = NULL, *b = NULL;
    do {
        free(a);
        free(b);
        a = next_assignment(&other);
        b = next_assignment(&choice);
        same = !a || !b ? a == b : is_same_setting(c, a, b);
    } while (same && a);
    free(a);
    free(b);
    return same;
}

/* ---- sealing ------------------------------------------------------------------------------------------ */

/* Returns the class names as a JSON array. */
static const char *list_classes(pb_experiment *e, const pb_data *d)
{
    pb_text list = {0};
    pb_text_add(&list, "[");
    for (int i = 0; i < d->classes; i++) {
        pb_text_add(&list, i ? ", " : "");
        pb_json_quote(&list, d->class_name[i]);
    }
    pb_text_add(&list, "]");
    const char *names = pb_arena_strdup(e->arena, list.data);
    pb_text_free(&list);
    return names;
}

/* Returns what a chat template that stands in a file, such as that of the model, adds to the template's identity, or
 * NULL (pb_chat_identity).  The text of the task's file is known by d->template. */
static char *chat_of(const pb_model *m, const pb_prompting *p, const pb_data *d)
{
    const char *name = d->chat ? d->chat : p ? p->chat : NULL;
    return d->chat && d->template ? NULL : pb_chat_identity(m, name);
}

/* The digest of the template that the cell's texts are prompted with. */
static pb_digest template_of(const pb_experiment *e, const pb_cell *c, const pb_data *d, const pb_model *m)
{
    const pb_prompting *p = pb_cell_prompting(c);
    if (!p && e->task->answer_kind != PB_ANSWER_TEXT)
        return (pb_digest){""};
    char *file = p && *p->template ? pb_read_file(p->template, NULL) : NULL;
    char *chat = chat_of(m, p, d);
    char *text = pb_format("%s%s", file ? file : d->template ? d->template : "", chat ? chat : "");
    pb_digest digest = pb_sha256(text, strlen(text));
    free(file);
    free(chat);
    free(text);
    return digest;
}

void pb_cell_inputs(const pb_experiment *e, const pb_cell *c, pb_cell_input *out)
{
    const pb_cell_input all[PB_CELL_INPUTS] = {{"data", "the data", &e->data},
                                               {"model", "the model", &e->model},
                                               {"config", "the model's config", &e->config},
                                               {"tokenizer", "the tokenizer", &e->tokenizer},
                                               {"template", "the template", &c->template}};
    memcpy(out, all, sizeof all);
}

/* What the cell's hash is made of. */
static void put_identity(const pb_experiment *e, const pb_cell *c, pb_text *out)
{
    pb_cell_input input[PB_CELL_INPUTS];
    pb_cell_inputs(e, c, input);
    pb_settings_print(c->settings, c->row->spec.resolved, out);
    pb_text_add(out, "seed=%llu\n", (unsigned long long)c->seed);
    for (int i = 0; i < PB_CELL_INPUTS; i++)
        pb_text_add(out, "%s=%s\n", input[i].key, input[i].is->hex);
    pb_text_add(out, "code=%s\ntask=%s\n", PB_CODE_VERSION, pb_task_digest(e->task));
    for (int p = 0; p < c->row->spec.parts; p++)
        pb_text_add(out, "method=%s\n", pb_method_digest(c->part[p].method));
}

void pb_experiment_seal(pb_experiment *e, const pb_data *data, const pb_model *model)
{
    e->class_names = list_classes(e, data);
    e->data = data->digest;
    e->model = pb_model_digest(model);
    e->config = pb_model_config_digest(model);
    e->tokenizer = pb_model_tokenizer_digest(model);
    for (int i = 0; i < e->cells; i++) {
        pb_cell *c = &e->cell[i];
        c->template = template_of(e, c, data, model);
        pb_text all = {0};
        put_identity(e, c, &all);
        c->hash = pb_sha256(all.data, all.length);
        pb_text_free(&all);
    }
}
