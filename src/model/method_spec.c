/* method_spec: see method_spec.h. */
#include "model/method_spec.h"

#include <stdlib.h>
#include <string.h>

/* ---- parsing --------------------------------------------------------------------------------------------- */

static int unknown_method(const char *name)
{
    const char *near = pb_nearest_method(name, NULL);
    return pb_error("no method '%s'%s%s%s; `peftbench list` shows them", name, near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

const char *pb_method_part_setting(const pb_method_part *p, const char *key)
{
    size_t n = p->member ? strlen(p->member) : 0;
    return !n ? key : !strncmp(key, p->member, n) && key[n] == '.' ? key + n + 1 : NULL;
}

int pb_method_part_unknown(const pb_method_part *part, int parts, const char *key)
{
    pb_text names = {0};
    for (int i = 0; i < parts; i++)
        if (!strcmp(part[i].name, part->name))
            pb_text_add(&names, "%s%s.SETTING", names.length ? " or " : "", part[i].member);
    pb_error("%s: no setting '%s'; it is a composition: want %s", part->name, key, names.data);
    pb_text_free(&names);
    return -1;
}

/* Adds a setting to a part. */
static int add_setting(pb_method_part *p, const char *written, pb_written setting)
{
    if (p->settings - p->presets == PB_MAX_PART_SETTINGS)
        return pb_error("%s: more than %d settings", p->name, PB_MAX_PART_SETTINGS);
    for (int i = p->presets; i < p->settings; i++)
        if (!strcmp(p->setting[i].key, setting.key))
            return pb_error("%s: %s is given twice", p->name, written);
    p->setting[p->settings++] = setting;
    return 0;
}

/* Parses an item of part[parts], which one name stands for. */
static int parse_item(pb_method_part *part, int parts, char *item, bool first)
{
    char *equals = strchr(item, '=');
    if (first && !equals && *item) {
        for (int i = 0; i < parts; i++)
            part[i].variant = item;
        return 0;
    }
    if (!equals || equals == item)
        return pb_error("%s: want SETTING=VALUE, got '%s'", part->name, item);
    *equals = 0;
    char *key = pb_trim(item, " \t"), *value = pb_trim(equals + 1, " \t");
    for (int i = 0; i < parts; i++) {
        const char *setting = pb_method_part_setting(&part[i], key);
        if (setting)
            return add_setting(&part[i], key, (pb_written){setting, value});
    }
    return pb_method_part_unknown(part, parts, key);
}

/* Finds the method or preset of this name and begins its parts with the settings of the preset.  Returns their number,
 * or -1 with an error. */
static int begin_parts(pb_method_part *part, int most, const char *name)
{
    pb_preset_part expanded[PB_MAX_PARTS] = {{.method = pb_method_find(name)}};
    const pb_method *of = NULL;
    const pb_preset *preset = expanded->method ? NULL : pb_preset_find(name, &of);
    if (!preset && !expanded->method)
        return unknown_method(name);
    int n = preset ? pb_preset_expand(preset, of, expanded) : 1;
    if (n > most) {
        pb_preset_parts_free(expanded, n);
        return pb_error("more than %d methods in one composition", PB_MAX_PARTS);
    }
    for (int i = 0; i < n; i++) {
        const pb_preset_part *p = &expanded[i];
        part[i] = (pb_method_part){.method = p->method, .name = name, .member = p->name, .preset_texts = p->text};
        part[i].presets = part[i].settings = p->settings;
        memcpy(part[i].setting, p->setting, sizeof p->setting);
    }
    return n;
}

/* Refuses a method that an earlier part of the composition has. */
static int check_once(const pb_method_spec *s, const pb_method_part *p)
{
    PB_CHECK(p->name);
    for (const pb_method_part *q = s->part; q < p; q++)
        if (q->method == p->method)
            return !strcmp(p->name, q->name) ? pb_error("%s is given twice in one composition", p->name)
                   : p->member || q->member
                       ? pb_error("%s and %s have the method %s, which is given twice in one composition", q->name,
                                  p->name, p->method->name)
                       : pb_error("%s and %s are one method, which is given twice in one composition", q->name,
                                  p->name);
    return 0;
}

static int parse_part(pb_method_spec *s, char *text)
{
    char *items = strchr(text, ':'), *item;
    if (items)
        *items++ = 0;
    pb_method_part *part = &s->part[s->parts];
    int n = begin_parts(part, PB_MAX_PARTS - s->parts, pb_trim(text, " \t"));
    if (n < 0)
        return -1;
    s->parts += n;
    for (int i = 0; i < n; i++)
        if (check_once(s, &part[i]))
            return -1;
    for (bool first = true; (item = strsep(&items, ",")); first = false)
        if (parse_item(part, n, pb_trim(item, " \t"), first))
            return -1;
    return 0;
}

char *pb_method_spec_normalize(const char *text)
{
    char *out = pb_alloc(strlen(text) + 1);
    size_t length = 0;
    bool items = false, value = false; /* whether the part's ':' and the item's '=' were seen */
    const char *end = text + pb_part_length(text);
    for (; *text; text++) {
        bool separator = text == end || (*text == ':' && !items) || (*text == ',' && items) ||
                         (*text == '=' && items && !value);
        while (separator && length && strchr(" \t", out[length - 1]))
            length--;
        out[length++] = *text;
        if (!separator)
            continue;
        if (text == end)
            end += 1 + pb_part_length(end + 1);
        text += strspn(text + 1, " \t");
        items = out[length - 1] != '+' && (items || out[length - 1] == ':');
        value = out[length - 1] == '=';
    }
    char *trimmed = pb_strdup(pb_trim(out, " \t"));
    free(out);
    return trimmed;
}

bool pb_method_spec_same(const char *a, const char *b)
{
    char *x = pb_method_spec_normalize(a), *y = pb_method_spec_normalize(b);
    bool same = !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

/* ---- resolving ----------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const pb_written *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static bool is_replaced(const pb_method_part *p, int preset)
{
    for (int i = p->presets; i < p->settings; i++)
        if (!strcmp(p->setting[i].key, p->setting[preset].key))
            return true;
    return false;
}

/* Appends METHOD:VARIANT,KEY=VALUE,.. with the keys in alphabetical order. */
static void resolve_part(const pb_method_part *p, pb_text *out)
{
    pb_written sorted[PB_COUNT(p->setting)];
    size_t n = 0;
    for (int i = 0; i < p->settings; i++)
        if (i >= p->presets || !is_replaced(p, i))
            sorted[n++] = p->setting[i];
    qsort(sorted, n, sizeof *sorted, by_key);
    pb_text_add(out, "%s%s%s", p->method->name, p->variant ? ":" : "", p->variant ? p->variant : "");
    for (size_t i = 0; i < n; i++)
        pb_text_add(out, "%c%s=%s", i || p->variant ? ',' : ':', sorted[i].key, sorted[i].value);
}

static char *resolve(const pb_method_spec *s)
{
    pb_text t = {0};
    for (int i = 0; i < s->parts; i++) {
        pb_text_add(&t, i ? "+" : "");
        resolve_part(&s->part[i], &t);
    }
    return t.data;
}

char *pb_method_spec_resolve(const char *text)
{
    pb_method_spec s;
    if (pb_method_spec_parse(&s, text)) {
        pb_error_clear();
        return pb_method_spec_normalize(text);
    }
    char *resolved = pb_strdup(s.resolved);
    pb_method_spec_free(&s);
    return resolved;
}

int pb_method_spec_parse(pb_method_spec *out, const char *text)
{
    *out = (pb_method_spec){.texts = pb_strdup(text)};
    for (char *part = out->texts, *next; part; part = next) {
        char *end = part + pb_part_length(part);
        next = *end ? end + 1 : NULL;
        *end = 0;
        if (parse_part(out, part)) {
            pb_method_spec_free(out);
            return -1;
        }
    }
    out->label = pb_method_spec_normalize(text);
    out->resolved = resolve(out);
    return 0;
}

void pb_method_spec_free(pb_method_spec *s)
{
    for (int i = 0; i < s->parts; i++)
        free(s->part[i].preset_texts);
    free(s->label);
    free(s->resolved);
    free(s->texts);
    *s = (pb_method_spec){.label = NULL};
}

/* ---- lists ------------------------------------------------------------------------------------------------ */

/* True for an item SETTING=VALUE of a list, which continues the spec before it. */
static bool is_setting(const char *item)
{
    return item[strcspn(item, ":=,")] == '=';
}

char *pb_method_list_next(const char **list)
{
    if (!*list)
        return NULL;
    const char *end = *list + strcspn(*list, ",");
    while (*end && is_setting(end + 1))
        end += 1 + strcspn(end + 1, ",");
    char *copy = pb_format("%.*s", (int)(end - *list), *list), *spec = pb_strdup(pb_trim(copy, " \t"));
    free(copy);
    *list = *end ? end + 1 : NULL;
    return spec;
}

/* ---- settings of the parts --------------------------------------------------------------------------------- */

static int apply_settings(const pb_method_part *p, void *conf)
{
    for (int i = 0; i < p->settings; i++)
        if (pb_option_set(p->method->settings.options, conf, p->setting[i].key, p->setting[i].value))
            return -1;
    return 0;
}

int pb_method_spec_attach(const pb_method_spec *s, pb_attached *part)
{
    for (int i = 0; i < s->parts; i++) {
        const pb_method *m = s->part[i].method;
        void *conf = pb_alloc(m->settings.conf_size + 1);
        pb_option_defaults(m->settings.options, conf);
        part[i] = (pb_attached){m, conf};
        if (apply_settings(&s->part[i], conf)) {
            pb_attached_free(part, i + 1);
            return -1;
        }
    }
    return 0;
}

int pb_attached_parse(const char *text, pb_attached *part, int *parts)
{
    pb_method_spec s;
    *parts = 0;
    if (!*text)
        return 0;
    if (pb_method_spec_parse(&s, text))
        return -1;
    int rc = 0;
    for (int i = 0; i < s.parts && !rc; i++)
        if (s.part[i].variant)
            rc = pb_error("%s: want SETTING=VALUE, got '%s'; variants are sections of an experiment's file",
                          s.part[i].name, s.part[i].variant);
    rc = rc || pb_method_spec_attach(&s, part) ? -1 : 0;
    *parts = rc ? 0 : s.parts;
    pb_method_spec_free(&s);
    return rc;
}

void pb_attached_free(pb_attached *part, int parts)
{
    for (int i = 0; i < parts; i++) {
        void *conf = (void *)(uintptr_t)part[i].conf;
        pb_option_release(part[i].method->settings.options, conf);
        free(conf);
        part[i] = (pb_attached){NULL, NULL};
    }
}
