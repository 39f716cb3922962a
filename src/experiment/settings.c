/* settings: see settings.h. */
#include "experiment/settings.h"

#include <stdlib.h>
#include <string.h>

#include "model/decode.h"
#include "model/method_spec.h"
#include "train/train.h"

/* The groups whose names may be omitted, in the order in which they are searched. */
static const struct {
    const char *name;
    const pb_option *table;
} groups[] = {{"train", pb_train_table}, {"model", pb_base_table}, {"decode", pb_decode_table}};

void pb_settings_free(pb_settings *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->item[i].key); /* key and value are one block */
    free(s->item);
    *s = (pb_settings){.item = NULL};
}

/* ---- keys ------------------------------------------------------------------------------------------------ */

/* Returns whether a key begins with the name of a method or a preset, as "lora:all.rank" does.  Sets *composition to
 * the preset if it is a composition, else to NULL. */
static bool names_method(const char *key, const pb_preset **composition)
{
    char *name = pb_format("%.*s", (int)strcspn(key, ".: "), key);
    const pb_method *of = NULL;
    const pb_preset *preset = pb_preset_find(name, &of);
    *composition = of ? NULL : preset;
    bool found = pb_method_find(name) || preset;
    free(name);
    return found;
}

/* Returns the length of PART.SETTING at the end of a key [n], for a part of the composition; 0: it has no such end. */
static size_t member_length(const pb_preset *composition, const char *key, size_t n)
{
    pb_preset_part part[PB_MAX_PARTS];
    int parts = composition ? pb_preset_expand(composition, NULL, part) : 0;
    size_t found = 0, from = n, dots = 0;
    for (; from && !strchr(":,+= ", key[from - 1]); from--)
        if (key[from - 1] == '.' && ++dots == 2)
            break;
    for (int i = 0; i < parts; i++) {
        size_t length = strlen(part[i].name);
        if (from + length < n && !strncmp(key + from, part[i].name, length) && key[from + length] == '.')
            found = n - from;
    }
    pb_preset_parts_free(part, parts);
    return found;
}

/* Returns the group of a setting that is written without one. */
static const char *group_of(const char *name)
{
    for (size_t i = 0; i < PB_COUNT(groups); i++)
        if (pb_option_find(groups[i].table, name))
            return groups[i].name;
    return groups[0].name;
}

void pb_settings_split(const char *written, char **section, char **name)
{
    const char *dot = strrchr(written, '.'), *method = written + (strncmp(written, "method.", 7) ? 0 : 7);
    const pb_preset *composition = NULL;
    bool named = names_method(method, &composition);
    size_t length = strlen(written), member = member_length(composition, written, length);
    if (member && member < length && written[length - member - 1] == '.')
        dot = written + length - member - 1;
    *name = pb_strdup(dot ? dot + 1 : written);
    *section = !dot ? pb_strdup(group_of(written))
                    : pb_format("%s%.*s", named && method == written ? "method " : "", (int)(dot - written), written);
    for (char *c = *section; *c && *c != ':'; c++) /* behind the ':' stands a label, such as lora:dropout=0.1 */
        *c = *c == '.' ? ' ' : *c;
}

/* Returns the preset of the last part of the label at the end of a key [n] if it is a composition, such as that of
 * "train.mam:prefix.length"; NULL if it is none, and where the key ends behind the label. */
static const pb_preset *composition_of_label(const char *key, size_t n)
{
    const pb_preset *composition = NULL;
    size_t colon = n;
    while (colon && !strchr(":+", key[colon - 1]))
        colon--;
    size_t name = colon ? colon - 1 : 0;
    while (name && !strchr(".+: ", key[name - 1]))
        name--;
    const char *dot = memchr(key + colon, '.', n - colon), *equals = memchr(key + colon, '=', n - colon);
    bool behind = !equals && dot && memchr(dot + 1, '.', (size_t)(key + n - dot - 1));
    return colon && !behind && names_method(key + name, &composition) ? composition : NULL;
}

/* True if the last component of the key [n], which is the name of the setting, is no part of a row's label. */
static bool ends_in_name(const char *key, size_t n)
{
    if (member_length(composition_of_label(key, n), key, n))
        return false;
    while (n && key[n - 1] != '.' && !strchr(":,+=", key[n - 1]))
        n--;
    return !n || key[n - 1] == '.';
}

const char *pb_settings_equals(const char *assignment)
{
    const char *first = strchr(assignment, '=');
    for (const char *c = first; c; c = strchr(c + 1, '='))
        if (ends_in_name(assignment, (size_t)(c - assignment)))
            return c;
    return first;
}

const char *pb_settings_short(const char *key)
{
    const char *dot = strchr(key, '.');
    return dot ? dot + 1 : key;
}

/* ---- making ---------------------------------------------------------------------------------------------- */

static pb_setting *find_key(const pb_settings *s, const char *key)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->item[i].key, key))
            return &s->item[i];
    return NULL;
}

/* Copies key and value into one block of memory. */
static pb_setting new_setting(const char *key, const char *value)
{
    size_t n = strlen(key) + 1, m = strlen(value) + 1;
    char *both = pb_alloc(n + m);
    memcpy(both, key, n);
    memcpy(both + n, value, m);
    return (pb_setting){both, both + n};
}

static void append(pb_settings *s, const char *key, const char *value)
{
    pb_grow(&s->item, s->count, &s->capacity, sizeof *s->item);
    s->item[s->count++] = new_setting(key, value);
}

int pb_settings_put(pb_settings *s, const char *key, const char *value)
{
    if (strpbrk(value, "\n\r"))
        return pb_error("%s: want a value of one line, got '%s'", key, value);
    pb_setting *old = find_key(s, key);
    if (!old) {
        append(s, key, value);
        return 0;
    }
    pb_setting one = new_setting(key, value);
    free(old->key);
    *old = one;
    return 0;
}

void pb_settings_add(pb_settings *s, const char *group, const pb_option *table, const void *conf)
{
    for (const pb_option *o = table; o && o->name; o++) {
        pb_text value = {0};
        char *key = pb_format("%s.%s", group, o->name);
        pb_option_print(o, conf, &value);
        append(s, key, value.data ? value.data : "");
        pb_text_free(&value);
        free(key);
    }
}

/* Compares the lines "key=value" of the text that is hashed: the end of a key counts as '='. */
static int by_line(const void *a, const void *b)
{
    const pb_setting *x = a, *y = b;
    size_t i = 0;
    while (x->key[i] && x->key[i] == y->key[i])
        i++;
    unsigned char p = (unsigned char)(x->key[i] ? x->key[i] : '='), q = (unsigned char)(y->key[i] ? y->key[i] : '=');
    return p != q ? (p > q) - (p < q) : strcmp(x->value, y->value);
}

void pb_settings_sort(pb_settings *s)
{
    if (s->count)
        qsort(s->item, s->count, sizeof *s->item, by_line);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* Finds a setting by its canonical key or as a user writes it.  experiment.task and experiment.model are stored as task
 * and model. */
static pb_setting *find_written(const pb_settings *s, const char *written)
{
    pb_setting *found = find_key(s, !strncmp(written, "experiment.", 11) ? written + 11 : written);
    if (found)
        return found;
    char *key = pb_format("%s.%s", strchr(written, '.') ? "method" : group_of(written), written);
    found = find_key(s, key);
    free(key);
    return found;
}

const char *pb_settings_get(const pb_settings *s, const char *written)
{
    const pb_setting *found = find_written(s, written);
    return found ? found->value : NULL;
}

int pb_settings_unknown(const pb_settings *s, const char *written)
{
    const char **names = pb_alloc((2 * s->count + 1) * sizeof *names);
    for (size_t i = 0; i < s->count; i++) {
        const char *key = s->item[i].key, *name = pb_settings_short(key);
        names[2 * i] = key;
        names[2 * i + 1] = find_written(s, name) == &s->item[i] ? name : key;
    }
    char *near = pb_did_you_mean(written, names);
    pb_error("no setting '%s'%s", written, near);
    free(near);
    free(names);
    return -1;
}

int pb_settings_override(pb_settings *s, const char *const *assignments)
{
    for (; assignments && *assignments; assignments++) {
        const char *equals = strchr(*assignments, '=');
        if (!equals || equals == *assignments)
            return pb_error("--set %s: want KEY=VALUE, such as train.lr=1e-3", *assignments);
        char *written = pb_format("%.*s", (int)(equals - *assignments), *assignments);
        const pb_setting *old = find_written(s, written);
        char *key = old ? pb_strdup(old->key) : NULL;
        int rc = !key                  ? pb_settings_unknown(s, written)
                 : !strcmp(key, "row") ? pb_error("--set %s: the row names the run; want one of its settings, such as "
                                                  "train.lr=1e-3",
                                                  *assignments)
                                       : pb_settings_put(s, key, equals + 1);
        free(key);
        free(written);
        if (rc)
            return -1;
    }
    return 0;
}

int pb_settings_fill(const pb_settings *s, const char *group, const pb_option *table, void *conf)
{
    size_t n = strlen(group);
    for (size_t i = 0; i < s->count; i++) {
        const pb_setting *one = &s->item[i];
        if (!strncmp(one->key, group, n) && one->key[n] == '.' &&
            pb_option_set(table, conf, one->key + n + 1, one->value))
            return -1;
    }
    return 0;
}

/* Settings that not all versions had, with the value that stands for what a version without them did. */
static bool is_as_before(const pb_setting *s)
{
    static const char *const later[][2] = {
        {"task.encoding", "utf-8"},  {"task.label_smoothing", "0"}, {"train.accumulate", "1"},
        {"train.lion_beta1", "0.9"}, {"train.lion_beta2", "0.99"},  {"train.max_flops", "0"},
        {"train.max_seconds", "0"},  {"train.momentum", "0.9"},     {"train.optimizer", "adamw"}};
    for (size_t i = 0; i < PB_COUNT(later); i++)
        if (!strcmp(s->key, later[i][0]) && !strcmp(s->value, later[i][1]))
            return true;
    return !*s->value;
}

void pb_settings_print(const pb_settings *s, const char *row, pb_text *out)
{
    for (size_t i = 0; i < s->count; i++)
        if (!is_as_before(&s->item[i]))
            pb_text_add(out, "%s=%s\n", s->item[i].key, strcmp(s->item[i].key, "row") ? s->item[i].value : row);
}

/* ---- values ---------------------------------------------------------------------------------------------- */

/* Returns the value as pb_option_print writes it; NULL if it is not allowed.  The caller frees it. */
static char *print_canonical(const pb_option *o, const char *value)
{
    pb_option one[2] = {*o, {.name = NULL}};
    union {
        int number;
        double real;
        bool flag;
        const char *text;
    } field;
    one[0].offset = 0;
    pb_option_defaults(one, &field);
    pb_text t = {0};
    if (pb_option_set(one, &field, o->name, value))
        pb_error_clear();
    else
        pb_option_print(one, &field, &t);
    pb_option_release(one, &field);
    return t.data;
}

bool pb_settings_same_value(const pb_option *o, const char *a, const char *b)
{
    char *x = print_canonical(o, a), *y = print_canonical(o, b);
    bool same = x && y && !strcmp(x, y);
    free(x);
    free(y);
    return same;
}
