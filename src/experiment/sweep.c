/* sweep: collects the settings of every row, and makes a cell for each combination of the tuned ones, or for each trial
 * that is drawn, and for each seed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "experiment/experiment_internal.h"

#define MAX_CELLS 100000

/* ---- tuned settings ----------------------------------------------------------------------------------- */

/* A setting of a row.  It is tuned if it has more than one value, or a range. */
typedef struct setting {
    pb_entry *entry;
    const char *key; /* its name in the options of its group; the entry's key may begin with the part of a preset */
    int group;       /* of row->group */
    const char *value[64];
    int values;
    bool preset;      /* a preset sets it, and the file does not */
    bool range, even; /* even: drawn uniformly from low..high, else log-uniformly */
    bool whole;
    double low, high;
} setting;

typedef struct sweep {
    setting item[256];
    int items;
} sweep;

/* Returns the setting of this key, which a later section replaces, or a new one; NULL if there are too many. */
static setting *find_setting(sweep *s, const char *key, int group)
{
    for (int i = 0; i < s->items; i++)
        if (s->item[i].group == group && !strcmp(s->item[i].key, key))
            return &s->item[i];
    return s->items < (int)PB_COUNT(s->item) ? &s->item[s->items++] : NULL;
}

/* Reads a range such as "1e-4..1e-2", "4..16" or "0..0.2 linear". */
static int read_range(const pb_option *o, const char *text, const char *dots, setting *k)
{
    char *low = pb_format("%.*s", (int)(dots - text), text), *low_end,
         *high_end; /* without the dots: strtod would read "4." */
    k->low = strtod(low, &low_end);
    k->high = strtod(dots + 2, &high_end);
    bool whole_text = low_end > low && !*low_end && high_end > dots + 2;
    free(low);
    const char *rest = high_end + strspn(high_end, " ");
    k->whole = o->type == PB_INT;
    k->even = k->whole || k->low <= 0 || !strcmp(rest, "linear");
    k->range = true;
    if (!whole_text || (*rest && strcmp(rest, "linear") != 0) || !(k->low < k->high))
        return pb_error("%s: want LOW..HIGH, or LOW..HIGH linear, got '%s'", o->name, text);
    if (k->low < o->min || k->high > o->max)
        return pb_error("%s: want a range inside %g..%g, got '%s'", o->name, o->min, o->max, text);
    return 0;
}

/* Adds a value of a list.  A repeated value would count twice in the tuning budget, so it is an error. */
static int add_value(setting *k, const pb_option *option, const char *value)
{
    if (k->values == (int)PB_COUNT(k->value))
        return pb_error("%s: want a list of at most %zu values", option->name, PB_COUNT(k->value));
    for (int i = 0; i < k->values; i++)
        if (pb_settings_same_value(option, k->value[i], value))
            return pb_error("%s: %s is given twice%s%s", option->name, value,
                            strcmp(k->value[i], value) ? ", first as " : "",
                            strcmp(k->value[i], value) ? k->value[i] : "");
    k->value[k->values++] = value;
    return 0;
}

/* Reads the value, list or range of a setting.  The value of a text (targets = attn.q, attn.v) may contain commas, so
 * it is no list. */
static int read_values(pb_experiment *e, const pb_option *option, setting *k)
{
    const char *list = k->entry->value, *item, *dots = strstr(list, "..");
    if (!option || option->type == PB_TEXT) {
        k->value[k->values++] = list;
        return 0;
    }
    if (dots && (option->type == PB_REAL || option->type == PB_INT))
        return e->tune.trials
                   ? read_range(option, list, dots, k)
                   : pb_error("%s: a range needs the number of draws; want [tune] trials, or a list", option->name);
    while ((item = pb_experiment_item(e, &list)))
        if (add_value(k, option, item))
            return -1;
    return 0;
}

/* With [experiment] budget, the file does not set the sizes of methods. */
static int check_budget(const pb_experiment *e, const pb_row *row, const setting *k)
{
    const pb_method *m = k->group < PB_GROUP_METHODS ? NULL : row->spec.part[k->group - PB_GROUP_METHODS].method;
    return m && m->settings.size && !k->preset && *e->budget && !strcmp(m->settings.size, k->key)
               ? pb_error("%s: [experiment] budget decides it in %s; want one of the two", m->settings.size, row->label)
               : 0;
}

/* Adds the setting `key` of a group, which an entry gives a value. */
static int add_setting(pb_experiment *e, const pb_row *row, sweep *s, pb_entry *entry, const char *key, int group,
                       bool preset)
{
    setting *k = find_setting(s, key, group);
    if (!k)
        return pb_error("%s: want at most %zu settings", row->label, PB_COUNT(s->item));
    *k = (setting){.entry = entry, .key = key, .group = group, .preset = preset};
    return check_budget(e, row, k) || read_values(e, pb_option_find(pb_row_options(row, group), key), k) ? -1 : 0;
}

/* Sets *name to the name that a key of a section has in the options of a group, NULL if it means another part of the
 * row's preset.  Returns -1 with an error if it means none of them. */
static int name_in_group(const pb_row *row, int group, const char *key, const char **name)
{
    *name = key;
    if (group < PB_GROUP_METHODS)
        return 0;
    const pb_method_part *all = row->spec.part, *p = &all[group - PB_GROUP_METHODS];
    *name = pb_method_part_setting(p, key);
    for (int i = 0; i < row->spec.parts; i++)
        if (!strcmp(all[i].name, p->name) && pb_method_part_setting(&all[i], key))
            return 0;
    return pb_method_part_unknown(p, (int)(all + row->spec.parts - p), key);
}

static int add_section(pb_experiment *e, pb_ini *ini, const pb_row *row, sweep *s, int group, const char *section)
{
    for (size_t i = 0; i < ini->entries; i++) {
        pb_entry *entry = &ini->entry[i];
        if (strcmp(entry->section, section) != 0)
            continue;
        entry->used = true;
        const char *key = NULL;
        if ((entry->key && name_in_group(row, group, entry->key, &key)) ||
            (key && add_setting(e, row, s, entry, key, group, false)))
            return pb_ini_blame(entry);
    }
    return 0;
}

/* Adds the settings from..to-1 of the row's spec. */
static int add_inline(pb_experiment *e, const pb_row *row, sweep *s, int part, int from, int to)
{
    const pb_method_part *p = &row->spec.part[part];
    for (int i = from; i < to; i++) {
        pb_entry *entry = pb_arena_alloc(e->arena, PB_META, sizeof *entry);
        *entry = (pb_entry){.key = pb_arena_strdup(e->arena, p->setting[i].key),
                            .value = pb_arena_strdup(e->arena, p->setting[i].value),
                            .location = pb_arena_format(e->arena, "%s: methods: %s", row->location, row->label)};
        if (add_setting(e, row, s, entry, entry->key, PB_GROUP_METHODS + part, i < p->presets))
            return pb_ini_blame(entry);
    }
    return 0;
}

/* Adds the settings of [KIND NAME], then those of [KIND@TASK NAME]; NAME may be empty. */
static int add_sections(pb_experiment *e, pb_ini *ini, const pb_row *row, sweep *s, int group, const char *kind,
                        const char *name)
{
    const char *blank = *name ? " " : "";
    return add_section(e, ini, row, s, group, pb_arena_format(e->arena, "%s%s%s", kind, blank, name)) ||
                   add_section(e, ini, row, s, group,
                               pb_arena_format(e->arena, "%s@%s%s%s", kind, e->task_name, blank, name))
               ? -1
               : 0;
}

/* Adds the settings of [GROUP], then those of [GROUP ROW]. */
static int collect_group(pb_experiment *e, pb_ini *ini, const pb_row *row, sweep *s, int group)
{
    const char *kind = row->group[group];
    return !kind                                                                                                    ? 0
           : add_sections(e, ini, row, s, group, kind, "") || add_sections(e, ini, row, s, group, kind, row->label) ? -1
                                                                                                                    : 0;
}

/* Adds the settings of a preset, then those of [method NAME], of [method NAME:VARIANT] and of the spec.  NAME is the
 * one that the spec has: [method lora] does not concern rows of the preset dora.  Of the section of a composition's
 * preset, a part gets the keys that begin with its name. */
static int collect_method(pb_experiment *e, pb_ini *ini, const pb_row *row, sweep *s, int part)
{
    const pb_method_part *p = &row->spec.part[part];
    int group = PB_GROUP_METHODS + part;
    if (add_inline(e, row, s, part, 0, p->presets) || add_sections(e, ini, row, s, group, "method", p->name))
        return -1;
    if (p->variant &&
        add_sections(e, ini, row, s, group, "method", pb_arena_format(e->arena, "%s:%s", p->name, p->variant)))
        return -1;
    return add_inline(e, row, s, part, p->presets, p->settings);
}

/* Collects the settings of a row; specific sections come after general ones and replace them. */
static int collect_settings(pb_experiment *e, pb_ini *ini, const pb_row *row, sweep *s)
{
    s->items = 0;
    for (int g = 0; g < PB_GROUP_METHODS; g++)
        if (collect_group(e, ini, row, s, g))
            return -1;
    for (int p = 0; p < row->spec.parts; p++)
        if (collect_method(e, ini, row, s, p))
            return -1;
    for (int i = 0; i < s->items; i++)
        s->item[i].entry->in_force = true;
    return 0;
}

/* Records which settings the file sets for a row, and where. */
static void list_given(pb_experiment *e, pb_row *row, const sweep *s)
{
    row->given = pb_arena_alloc(e->arena, PB_META, (size_t)(s->items + 1) * sizeof *row->given);
    row->given_at = pb_arena_alloc(e->arena, PB_META, (size_t)(s->items + 1) * sizeof *row->given_at);
    row->givens = s->items;
    for (int i = 0; i < s->items; i++) {
        row->given[i] = pb_arena_format(e->arena, "%s.%s", row->group[s->item[i].group], s->item[i].key);
        row->given_at[i] = pb_arena_strdup(e->arena, s->item[i].entry->location);
    }
}

/* ---- trials ------------------------------------------------------------------------------------------- */

static bool is_tuned(const setting *k)
{
    return k->range || k->values > 1;
}

/* Fills value [items] with combination number `number` of the lists. */
static void combine(const sweep *s, int number, const char **value)
{
    for (int i = 0; i < s->items; i++) {
        value[i] = s->item[i].value[number % s->item[i].values];
        number /= s->item[i].values;
    }
}

/* Draws the value of a setting.  A draw depends on the trial and the key but not on the row: in trial 3 all rows get
 * the same quantile of their ranges of lr, so that no row is favoured by its draws. */
static const char *draw_value(pb_experiment *e, const setting *k, int trial)
{
    char *name = pb_format("tune %d %s", trial, k->key);
    pb_rng r = pb_rng_named((uint64_t)e->tune.seed, name);
    double u = pb_rng_uniform(&r);
    free(name);
    if (!k->range)
        return k->value[(int)(u * k->values)];
    if (k->whole)
        return pb_arena_format(e->arena, "%.0f", k->low + floor(u * (k->high - k->low + 1)));
    double x = k->even ? k->low + u * (k->high - k->low) : k->low * pow(k->high / k->low, u);
    return pb_arena_format(e->arena, "%.4g", fmin(fmax(x, k->low), k->high));
}

/* Adds "key=value" to a row's choice. */
static void add_to_choice(pb_text *choice, const pb_row *row, const setting *k, const char *value)
{
    char *key = pb_format("%s.%s", row->group[k->group], k->key);
    pb_text_add(choice, "%s%s=%s", choice->length ? " " : "", pb_settings_short(key), value);
    free(key);
}

static bool tunes_methods(const sweep *s)
{
    for (int i = 0; i < s->items; i++)
        if (s->item[i].group >= PB_GROUP_METHODS && is_tuned(&s->item[i]))
            return true;
    return false;
}

/* Applies [experiment] budget.  The sizes of a row's first choice are those of all, unless the methods' other
 * settings are tuned. */
static int apply_budget(const pb_experiment *e, const sweep *s, pb_cell *c)
{
    if (!*e->budget)
        return 0;
    if (!c->row->choices || tunes_methods(s))
        return pb_budget_apply(e, c);
    pb_budget_copy(&e->cell[e->cells - 1], c);
    return 0;
}

/* Returns whether the method's hook `consistency` adds to the loss: its weight, the setting of that name, is not 0. */
static bool is_consistent(const pb_attached *a)
{
    const pb_option *o = a->method->settings.options ? pb_option_find(a->method->settings.options, "consistency")
                                                     : NULL;
    if (!a->method->hooks.consistency || !o || o->type != PB_REAL)
        return a->method->hooks.consistency != NULL;
    return *(const double *)(const void *)((const char *)a->conf + o->offset) != 0;
}

/* Refuses the hook `consistency` where the outputs are no distribution over classes: the divergence of two
 * distributions over the one output of a number, or of a choice, is always 0, and labels have a probability each. */
static int check_consistency(const pb_experiment *e, const pb_cell *c)
{
    bool is_scored = e->task->answer_kind == PB_ANSWER_CHOICE && !pb_cell_prompting(c);
    const char *answers = e->task->answer_kind == PB_ANSWER_NUMBER   ? "numbers"
                          : e->task->answer_kind == PB_ANSWER_LABELS ? "sets of labels"
                          : is_scored                                ? "choices, each with a score of its own"
                                                                     : NULL;
    for (int p = 0; p < c->row->spec.parts && answers; p++)
        if (is_consistent(&c->part[p]))
            return pb_error("%s: %s: consistency compares probabilities of classes; the answers of task %s are "
                            "%s; want consistency=0",
                            e->path, c->part[p].method->name, e->task_name, answers);
    return 0;
}

/* Refuses a primary metric that the row does not have. */
static int check_primary(const pb_experiment *e, const pb_cell *c)
{
    if (!e->primary->of_likelihoods || pb_cell_prompting(c))
        return 0;
    return pb_error("%s: row %s has no %s: the scores of its head are no likelihoods; want rows with zero-shot or "
                    "few-shot, or metric = %s",
                    e->path, c->row->label, e->primary->name, e->task->metrics[0].name);
}

/* Makes a cell of the row with the values value [items]; its seed is set later. */
static int make_cell(pb_experiment *e, const pb_row *row, const sweep *s, const char *const *value, pb_cell *c)
{
    pb_text choice = {0};
    pb_cell_begin(e, row, c);
    for (int i = 0; i < s->items; i++) {
        const setting *k = &s->item[i];
        pb_entry one = *k->entry;
        one.key = (char *)(uintptr_t)k->key;
        one.value = (char *)(uintptr_t)value[i];
        if (pb_ini_apply(pb_row_options(row, k->group), pb_cell_conf(c, k->group), &one)) {
            pb_text_free(&choice);
            return -1;
        }
        if (is_tuned(k))
            add_to_choice(&choice, row, k, value[i]);
    }
    int rc = apply_budget(e, s, c) || check_consistency(e, c) || check_primary(e, c) ? -1 : 0;
    pb_cell_finish(e, c, choice.data ? choice.data : "");
    pb_text_free(&choice);
    return rc;
}

static int add_choice(pb_experiment *e, pb_row *row, const sweep *s, const char *const *value, size_t *capacity)
{
    pb_cell c;
    if (make_cell(e, row, s, value, &c))
        return -1;
    row->choices++;
    for (int i = 0; i < e->seeds; i++) {
        c.seed = e->seed[i];
        pb_grow(&e->cell, (size_t)e->cells, capacity, sizeof *e->cell);
        e->cell[e->cells++] = c;
    }
    return 0;
}

/* Returns whether trial n differs from all trials before it; value [n+1,items]. */
static bool is_new(const sweep *s, const char *const *value, int n)
{
    const char *const *last = value + (size_t)n * (size_t)s->items;
    for (int t = 0; t < n; t++) {
        int same = 0;
        while (same < s->items && !strcmp(value[t * s->items + same], last[same]))
            same++;
        if (same == s->items)
            return false;
    }
    return true;
}

/* Fills value [choices,items] with the trials of a row.  Returns their number, which is less than `choices` if the
 * draws give too few different ones. */
static int draw_trials(pb_experiment *e, const sweep *s, int choices, const char **value)
{
    int n = 0;
    for (int trial = 0; n < choices && trial < 20 * choices; trial++) {
        for (int i = 0; i < s->items; i++)
            value[n * s->items + i] = is_tuned(&s->item[i]) ? draw_value(e, &s->item[i], trial) : s->item[i].value[0];
        n += is_new(s, value, n);
    }
    return n;
}

/* Returns the number of combinations of the lists; MAX_CELLS + 1 for more than are allowed, and for ranges. */
static int combinations(const sweep *s)
{
    long long n = 1;
    for (int i = 0; i < s->items; i++)
        n = s->item[i].range || n > MAX_CELLS ? MAX_CELLS + 1 : n * s->item[i].values;
    return n > MAX_CELLS ? MAX_CELLS + 1 : (int)n;
}

static int add_cells(pb_experiment *e, pb_row *row, const sweep *s, size_t *capacity)
{
    int all = combinations(s), choices = e->tune.trials && e->tune.trials < all ? e->tune.trials : all;
    if ((long long)choices * e->seeds + e->cells > MAX_CELLS)
        return pb_error("%s: %s: the experiment would have more than %d runs", e->path, row->label, MAX_CELLS);
    const char **value = pb_alloc(((size_t)choices * (size_t)s->items + 1) * sizeof *value);
    for (int number = 0; number < choices && choices == all; number++)
        combine(s, number, value + (size_t)number * (size_t)s->items);
    if (choices < all)
        choices = draw_trials(e, s, choices, value);
    int rc = 0;
    for (int n = 0; n < choices && !rc; n++)
        rc = add_choice(e, row, s, value + (size_t)n * (size_t)s->items, capacity);
    free(value);
    return rc;
}

int pb_sweep_expand(pb_experiment *e, pb_ini *ini)
{
    size_t capacity = 0;
    sweep *s = pb_alloc(sizeof *s);
    int rc = 0;
    for (int i = 0; i < e->rows && !rc; i++) {
        rc = collect_settings(e, ini, &e->row[i], s) || add_cells(e, &e->row[i], s, &capacity);
        list_given(e, &e->row[i], s);
        if (!rc && i && e->row[i].choices != e->row[0].choices)
            pb_warn("%s: %s%s%s tries %d settings and %s %d: the tuning budgets differ", e->path,
                    e->of_several ? e->task_name : "", e->of_several ? ": " : "", e->row[i].label, e->row[i].choices,
                    e->row[0].label, e->row[0].choices);
    }
    free(s);
    return rc ? -1 : 0;
}
