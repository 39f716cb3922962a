/* method_spec: see method_spec.h. */
#include "model/method_spec.h"

#include <stdlib.h>
#include <string.h>

/* ---- parsing --------------------------------------------------------------------------------------------- */

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n && strchr(" \t", text[n - 1]))
        n--;
    text[n] = 0;
    return text;
}

static int unknown_method(const char *name)
{
    const char *names[256] = {0};
    size_t n = 0;
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)) && n + 1 < PB_COUNT(names); i++)
        names[n++] = m->name;
    const char *near = pb_nearest(name, names);
    return pb_error("no method '%s'%s%s%s; `peftbench list` shows them", name, near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

static int parse_item(pb_method_part *p, char *item, bool first)
{
    char *equals = strchr(item, '=');
    if (first && !equals && *item) {
        p->variant = item;
        return 0;
    }
    if (!equals || equals == item)
        return pb_error("%s: want SETTING=VALUE, got '%s'", p->method->name, item);
    if (p->settings == PB_MAX_PART_SETTINGS)
        return pb_error("%s: more than %d settings", p->method->name, PB_MAX_PART_SETTINGS);
    *equals = 0;
    char *key = trim(item), *value = trim(equals + 1);
    for (int i = 0; i < p->settings; i++)
        if (!strcmp(p->setting[i].key, key))
            return pb_error("%s: %s is given twice", p->method->name, key);
    p->setting[p->settings].key = key;
    p->setting[p->settings++].value = value;
    return 0;
}

static int parse_part(pb_method_spec *s, char *text)
{
    char *items = strchr(text, ':'), *item;
    if (items)
        *items++ = 0;
    text = trim(text);
    const pb_method *method = pb_method_find(text);
    if (!method)
        return unknown_method(text);
    if (s->parts == PB_MAX_PARTS)
        return pb_error("more than %d methods in one composition", PB_MAX_PARTS);
    for (int i = 0; i < s->parts; i++)
        if (s->part[i].method == method)
            return pb_error("%s is given twice in one composition", text);
    pb_method_part *p = &s->part[s->parts++];
    p->method = method;
    for (bool first = true; (item = strsep(&items, ",")); first = false)
        if (parse_item(p, trim(item), first))
            return -1;
    return 0;
}

char *pb_method_spec_normalize(const char *text)
{
    char *out = pb_alloc(strlen(text) + 1);
    size_t length = 0;
    bool items = false, value = false; /* whether the part's ':' and the item's '=' were seen */
    for (; *text; text++) {
        bool separator = *text == '+' || (*text == ':' && !items) || (*text == ',' && items) ||
                         (*text == '=' && items && !value);
        while (separator && length && strchr(" \t", out[length - 1]))
            length--;
        out[length++] = *text;
        if (!separator)
            continue;
        text += strspn(text + 1, " \t");
        items = out[length - 1] != '+' && (items || out[length - 1] == ':');
        value = out[length - 1] == '=';
    }
    char *trimmed = pb_strdup(trim(out));
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

int pb_method_spec_parse(pb_method_spec *out, const char *text)
{
    *out = (pb_method_spec){.texts = pb_strdup(text)};
    char *rest = out->texts, *part;
    while ((part = strsep(&rest, "+")))
        if (parse_part(out, part)) {
            pb_method_spec_free(out);
            return -1;
        }
    out->label = pb_method_spec_normalize(text);
    return 0;
}

void pb_method_spec_free(pb_method_spec *s)
{
    free(s->label);
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
    char *copy = pb_format("%.*s", (int)(end - *list), *list), *spec = pb_strdup(trim(copy));
    free(copy);
    *list = *end ? end + 1 : NULL;
    return spec;
}

/* ---- settings of the parts --------------------------------------------------------------------------------- */

static int apply_settings(const pb_method_part *p, void *conf)
{
    for (int i = 0; i < p->settings; i++)
        if (pb_option_set(p->method->options, conf, p->setting[i].key, p->setting[i].value))
            return -1;
    return 0;
}

int pb_method_spec_attach(const pb_method_spec *s, pb_attached *part)
{
    for (int i = 0; i < s->parts; i++) {
        const pb_method *m = s->part[i].method;
        void *conf = pb_alloc(m->conf_size + 1);
        pb_option_defaults(m->options, conf);
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
                          s.part[i].method->name, s.part[i].variant);
    rc = rc || pb_method_spec_attach(&s, part) ? -1 : 0;
    *parts = rc ? 0 : s.parts;
    pb_method_spec_free(&s);
    return rc;
}

void pb_attached_free(pb_attached *part, int parts)
{
    for (int i = 0; i < parts; i++) {
        void *conf = (void *)(uintptr_t)part[i].conf;
        pb_option_release(part[i].method->options, conf);
        free(conf);
        part[i] = (pb_attached){NULL, NULL};
    }
}
