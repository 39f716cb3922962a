/* sweep: the settings of every row, and the cells that their lists make. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "experiment/experiment_internal.h"

#define MAX_CELLS 100000

/* ---- sweeps ------------------------------------------------------------------------------------------- */

enum { TRAINING = -1, BASE = -2, DECODING = -3 }; /* parts of a row that are not methods */

/* A setting of a row: of method `part`, of training or of the base.  More than one value, or a range: it is tuned. */
typedef struct setting {
    const pb_entry *entry;
    int part;
    const char *value[64];
    int values;
    bool range, even; /* from low to high; drawn evenly, else on a log scale */
    bool whole;
    double low, high;
} setting;

typedef struct sweep {
    setting item[256];
    int items;
} sweep;

static const pb_option *options_of(const pb_row *row, int part)
{
    return part == TRAINING   ? pb_train_table
           : part == BASE     ? pb_base_table
           : part == DECODING ? pb_decode_table
                              : row->method[part]->options;
}

/* A later section replaces what an earlier one said about the same key. */
static setting *place_setting(sweep *s, const pb_entry *entry, int part)
{
    for (int i = 0; i < s->items; i++)
        if (s->item[i].part == part && !strcmp(s->item[i].entry->key, entry->key))
            return &s->item[i];
    return s->items < (int)PB_COUNT(s->item) ? &s->item[s->items++] : NULL;
}

/* "1e-4..1e-2", "4..16", "0..0.2 linear" */
static int read_range(const pb_option *o, const char *text, const char *dots, setting *k)
{
    char *low = pb_format("%.*s", (int)(dots - text), text), *low_end, *high_end; /* "4..16": 4, not 4. */
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

/* Texts (targets = attn.q, attn.v) hold commas themselves; all other lists are sweeps. */
static int read_values(pb_experiment *e, const pb_option *option, setting *k)
{
    const char *list = k->entry->value, *item, *dots = strstr(list, "..");
    if (!option || option->type == PB_TEXT) {
        k->value[k->values++] = list;
        return 0;
    }
    if (dots && (option->type == PB_REAL || option->type == PB_INT))
        return e->tune.trials ? read_range(option, list, dots, k)
                              : pb_error("%s: a range is drawn from; want [tune] trials, or a list", option->name);
    while ((item = pb_experiment_item(e, &list))) {
        if (k->values == (int)PB_COUNT(k->value))
            return pb_error("%s: a list of more than %zu values", option->name, PB_COUNT(k->value));
        k->value[k->values++] = item;
    }
    return 0;
}

static int add_setting(pb_experiment *e, const pb_row *row, sweep *s, pb_entry *entry, int part)
{
    setting *k = place_setting(s, entry, part);
    if (!k)
        return pb_error("%s: more than %zu settings", row->label, PB_COUNT(s->item));
    *k = (setting){.entry = entry, .part = part};
    return read_values(e, pb_option_find(options_of(row, part), entry->key), k);
}

static int add_section(pb_experiment *e, pb_ini *ini, const pb_row *row, sweep *s, int part, const char *section)
{
    for (size_t i = 0; i < ini->entries; i++) {
        pb_entry *entry = &ini->entry[i];
        if (strcmp(entry->section, section) != 0)
            continue;
        entry->used = true;
        if (entry->key && add_setting(e, row, s, entry, part))
            return pb_ini_blame(entry);
    }
    return 0;
}

static int gather(pb_experiment *e, pb_ini *ini, const pb_row *row, sweep *s)
{
    if (add_section(e, ini, row, s, TRAINING, "train") ||
        add_section(e, ini, row, s, TRAINING, pb_arena_format(e->arena, "train %s", row->label)) ||
        add_section(e, ini, row, s, BASE, "model") ||
        add_section(e, ini, row, s, BASE, pb_arena_format(e->arena, "model %s", row->label)))
        return -1;
    if (e->task->texts && (add_section(e, ini, row, s, DECODING, "decode") ||
                           add_section(e, ini, row, s, DECODING, pb_arena_format(e->arena, "decode %s", row->label))))
        return -1;
    for (int p = 0; p < row->parts; p++) {
        const char *name = row->method[p]->name;
        if (add_section(e, ini, row, s, p, pb_arena_format(e->arena, "method %s", name)) ||
            (row->variant[p] &&
             add_section(e, ini, row, s, p, pb_arena_format(e->arena, "method %s:%s", name, row->variant[p]))))
            return -1;
    }
    return 0;
}

/* ---- cells -------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_options(pb_experiment *e, const char *prefix, const pb_option *options, const void *conf,
                         const char **line, size_t *lines, size_t room)
{
    for (const pb_option *o = options; o && o->name; o++) {
        pb_text value = {0};
        pb_option_print(o, conf, &value);
        PB_CHECK(*lines < room);
        line[(*lines)++] = pb_arena_format(e->arena, "%s.%s=%s\n", prefix, o->name, value.data ? value.data : "");
        pb_text_free(&value);
    }
}

static const char *list_settings(pb_experiment *e, const pb_cell *c)
{
    const char *line[512];
    size_t lines = 0;
    line[lines++] = pb_arena_format(e->arena, "row=%s\n", c->row->label);
    line[lines++] = pb_arena_format(e->arena, "task=%s\n", e->task_name);
    line[lines++] = pb_arena_format(e->arena, "model=%s\n", e->model_path);
    list_options(e, "task", e->task->options, e->task_conf, line, &lines, PB_COUNT(line));
    list_options(e, "train", pb_train_table, &c->train, line, &lines, PB_COUNT(line));
    list_options(e, "model", pb_base_table, &c->base, line, &lines, PB_COUNT(line));
    if (e->task->texts)
        list_options(e, "decode", pb_decode_table, &c->decoding, line, &lines, PB_COUNT(line));
    for (int p = 0; p < c->row->parts; p++)
        list_options(e, pb_arena_format(e->arena, "method.%s", c->row->method[p]->name), c->row->method[p]->options,
                     c->part[p].conf, line, &lines, PB_COUNT(line));
    qsort(line, lines, sizeof *line, by_text);
    pb_text all = {0};
    for (size_t i = 0; i < lines; i++)
        pb_text_add(&all, "%s", line[i]);
    const char *kept = pb_arena_strdup(e->arena, all.data);
    pb_text_free(&all);
    return kept;
}

/* ---- trials ------------------------------------------------------------------------------------------- */

static bool is_tuned(const setting *k)
{
    return k->range || k->values > 1;
}

/* The `number`th combination of the lists; value [items]. */
static void combine(const sweep *s, int number, const char **value)
{
    for (int i = 0; i < s->items; i++) {
        value[i] = s->item[i].value[number % s->item[i].values];
        number /= s->item[i].values;
    }
}

/* Draws belong to the trial and the key, not to the row: trial 3 takes all rows to the same share of lr's range, so
 * that luck is the same for all. */
static const char *draw_value(pb_experiment *e, const setting *k, int trial)
{
    char *name = pb_format("tune %d %s", trial, k->entry->key);
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

/* Applies value [items] to a new cell of the row. */
static int fill_cell(pb_experiment *e, const pb_row *row, const sweep *s, const char *const *value, pb_cell *c)
{
    pb_text choice = {0};
    c->row = row;
    pb_option_defaults(pb_train_table, &c->train);
    pb_option_defaults(pb_base_table, &c->base);
    pb_decoding *decoding = pb_experiment_conf(e, pb_decode_table, sizeof *decoding); /* has a text */
    void *conf[MAX_PARTS];
    for (int p = 0; p < row->parts; p++) {
        conf[p] = pb_experiment_conf(e, row->method[p]->options, row->method[p]->conf_size);
        c->part[p] = (pb_attached){row->method[p], conf[p]};
    }
    for (int i = 0; i < s->items; i++) {
        const setting *k = &s->item[i];
        pb_entry one = *k->entry;
        one.value = (char *)(uintptr_t)value[i];
        void *target = k->part == TRAINING   ? (void *)&c->train
                       : k->part == BASE     ? (void *)&c->base
                       : k->part == DECODING ? (void *)decoding
                                             : conf[k->part];
        if (pb_ini_apply(options_of(row, k->part), target, &one)) {
            pb_text_free(&choice);
            return -1;
        }
        if (is_tuned(k))
            pb_text_add(&choice, "%s%s%s%s=%s", choice.length ? " " : "", k->part < 0 ? "" : row->method[k->part]->name,
                        k->part < 0 ? "" : ".", k->entry->key, value[i]);
    }
    c->decoding = *decoding;
    c->choice = pb_arena_strdup(e->arena, choice.data ? choice.data : "");
    pb_text_free(&choice);
    c->settings = list_settings(e, c);
    return 0;
}

static int add_choice(pb_experiment *e, pb_row *row, const sweep *s, const char *const *value, size_t *capacity)
{
    pb_cell c = {0};
    if (fill_cell(e, row, s, value, &c))
        return -1;
    row->choices++;
    for (int i = 0; i < e->seeds; i++) {
        c.seed = e->seed[i];
        pb_grow(&e->cell, (size_t)e->cells, capacity, sizeof *e->cell);
        e->cell[e->cells++] = c;
    }
    return 0;
}

/* Is the nth of these settings none of those before it; value [n+1,items]. */
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

/* The row's trials: value [`choices`,items]; as many as asked for, if there are so many that differ. */
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

/* How many combinations the lists have; MAX_CELLS + 1 for more than may be, and for ranges. */
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
        return pb_error("%s: %s: more than %d runs", e->path, row->label, MAX_CELLS);
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
        s->items = 0;
        rc = gather(e, ini, &e->row[i], s) || add_cells(e, &e->row[i], s, &capacity);
        if (!rc && i && e->row[i].choices != e->row[0].choices)
            pb_warn("%s: %s tries %d settings and %s %d: the tuning budgets differ", e->path, e->row[i].label,
                    e->row[i].choices, e->row[0].label, e->row[0].choices);
    }
    free(s);
    return rc ? -1 : 0;
}
