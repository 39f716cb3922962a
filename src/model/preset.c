/* preset: see preset.h. */
#include "model/preset.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const pb_preset *pb_preset_at(int i, const pb_method **method)
{
    const pb_method *m;
    for (int k = 0; (m = pb_method_at(k)); k++)
        for (const pb_preset *p = m->presets; p && p->name; p++)
            if (i-- == 0) {
                *method = m;
                return p;
            }
    *method = NULL;
    for (const pb_preset *const *p = pb_presets; *p; p++)
        if (i-- == 0)
            return *p;
    return NULL;
}

const pb_preset *pb_preset_find(const char *name, const pb_method **method)
{
    const pb_preset *p;
    for (int i = 0; (p = pb_preset_at(i, method)); i++)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

const char *pb_nearest_method(const char *word, const char *const *also)
{
    const char **names = NULL;
    size_t n = 0, capacity = 0;
    const pb_method *m;
    const pb_preset *p;
    for (; also && *also; also++) {
        pb_grow(&names, n, &capacity, sizeof *names);
        names[n++] = *also;
    }
    for (int i = 0; (m = pb_method_at(i)); i++) {
        pb_grow(&names, n, &capacity, sizeof *names);
        names[n++] = m->name;
    }
    for (int i = 0; (p = pb_preset_at(i, &m)); i++) {
        pb_grow(&names, n, &capacity, sizeof *names);
        names[n++] = p->name;
    }
    pb_grow(&names, n, &capacity, sizeof *names);
    names[n] = NULL;
    const char *near = pb_nearest(word, names);
    free(names);
    return near;
}

/* ---- specs --------------------------------------------------------------------------------------------------- */

bool pb_is_method_name(const char *name)
{
    size_t n = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;
    return n && n < 32 && !name[n];
}

/* Adds a setting, or replaces the one of this key. */
static int set(const pb_preset *p, pb_preset_part *part, pb_written setting)
{
    for (int i = 0; i < part->settings; i++)
        if (!strcmp(part->setting[i].key, setting.key)) {
            part->setting[i] = setting;
            return 0;
        }
    if (part->settings == PB_MAX_PART_SETTINGS)
        return pb_error("preset '%s': more than %d settings", p->name, PB_MAX_PART_SETTINGS);
    part->setting[part->settings++] = setting;
    return 0;
}

/* Returns whether the '+' at `at` is the sign of an exponent: KEY=1e+06. */
static bool is_exponent_sign(const char *spec, size_t at)
{
    size_t from = at - 1;
    if (!at || !strchr("eE", spec[from]) || !isdigit((unsigned char)spec[at + 1]))
        return false;
    while (from && strchr("0123456789.-", spec[from - 1]))
        from--;
    bool digits = from + 1 < at;
    while (from && strchr(" \t", spec[from - 1]))
        from--;
    return digits && from && spec[from - 1] == '=';
}

size_t pb_part_length(const char *spec)
{
    size_t n = strcspn(spec, "+");
    while (spec[n] && is_exponent_sign(spec, n))
        n += 1 + strcspn(spec + n + 1, "+");
    return n;
}

/* Splits "KEY=VALUE,KEY=VALUE" in place.  A later setting replaces an earlier one. */
static int split_settings(const pb_preset *p, char *text, pb_preset_part *part)
{
    char *item;
    while ((item = strsep(&text, ","))) {
        char *value = item + strcspn(item, "=:");
        if (*value != '=' || value == item)
            return pb_error("preset '%s': want settings KEY=VALUE,KEY=VALUE, got '%s'", p->name, item);
        *value++ = 0;
        if (set(p, part, (pb_written){item, value}))
            return -1;
    }
    return 0;
}

static int expand_settings(const pb_preset *p, const pb_method *m, pb_preset_part *out)
{
    if (p->spec[pb_part_length(p->spec)])
        return pb_error("preset '%s': a composition, '%s'; want settings of its method: KEY=VALUE,KEY=VALUE", p->name,
                        p->spec);
    *out = (pb_preset_part){.method = m, .text = pb_strdup(p->spec)};
    return split_settings(p, out->text, out);
}

/* Expands a part of a composition: NAME or NAME:SETTINGS [n], of a method or of a method's preset. */
static int expand_part(const pb_preset *p, const char *spec, size_t n, pb_preset_part *out)
{
    size_t name = strcspn(spec, ":+");
    const pb_preset *inner = NULL;
    char *copy = pb_format("%.*s", (int)name, spec);
    const pb_method *m = pb_method_find(copy);
    if (!m)
        inner = pb_preset_find(copy, &m);
    free(copy);
    *out = (pb_preset_part){.method = m};
    if (!m)
        return pb_error("preset '%s': no method '%.*s', nor a method's preset of this name", p->name, (int)name, spec);
    out->text = pb_format("%.*s%s%s%s%.*s", (int)name, spec, inner ? "," : "", inner ? inner->spec : "",
                          name < n ? "," : "", name < n ? (int)(n - name - 1) : 0, name < n ? spec + name + 1 : "");
    char *settings = out->text;
    out->name = strsep(&settings, ",");
    return split_settings(p, settings, out);
}

/* Refuses a method that is given twice. */
static int check_part(const pb_preset *p, const pb_preset_part *part, int n)
{
    for (int i = 0; i < n; i++)
        if (part[i].method == part[n].method)
            return pb_error("preset '%s': %s is given twice", p->name, part[n].method->name);
    return 0;
}

static int expand_composition(const pb_preset *p, pb_preset_part *out)
{
    const char *rest = p->spec;
    int parts = 0;
    do {
        size_t n = pb_part_length(rest);
        int rc = parts == PB_MAX_PARTS ? pb_error("preset '%s': more than %d methods", p->name, PB_MAX_PARTS)
                                       : expand_part(p, rest, n, &out[parts++]) || check_part(p, out, parts - 1);
        if (rc) {
            pb_preset_parts_free(out, parts);
            return -1;
        }
        rest += n;
    } while (*rest++);
    return parts;
}

int pb_preset_expand(const pb_preset *p, const pb_method *method, pb_preset_part *out)
{
    if (!method)
        return expand_composition(p, out);
    *out = (pb_preset_part){.text = NULL};
    if (!expand_settings(p, method, out))
        return 1;
    pb_preset_parts_free(out, 1);
    return -1;
}

void pb_preset_parts_free(pb_preset_part *part, int parts)
{
    for (int i = 0; i < parts; i++)
        free(part[i].text);
}

/* ---- checking ------------------------------------------------------------------------------------------------ */

/* Refuses a name that something else has. */
static int check_name(const pb_method *m, const pb_preset *p)
{
    const pb_method *other = NULL;
    const pb_preset *taken = pb_preset_find(p->name, &other);
    if (!pb_is_method_name(p->name) || !p->title || !p->paper || !p->spec)
        return pb_error("preset '%s': want a name of a-z, 0-9 and '-', a title, a paper and settings", p->name);
    if (pb_method_find(p->name) || (m && !strcmp(p->name, m->name)))
        return pb_error("preset '%s': there is a method of this name; want another name", p->name);
    if (taken && taken != p)
        return pb_error("preset '%s': %s has a preset of this name; want another name", p->name,
                        other ? other->name : "methods/");
    for (const pb_preset *q = m ? m->presets : p; q != p; q++)
        if (!strcmp(q->name, p->name))
            return pb_error("preset '%s': the name is given twice; want another name", p->name);
    return 0;
}

/* Refuses settings that a method does not have. */
static int check_settings(const pb_preset *p, const pb_preset_part *part)
{
    const pb_method *m = part->method;
    PB_CHECK(m);
    void *conf = pb_alloc(m->settings.conf_size + 1);
    int rc = 0;
    pb_option_defaults(m->settings.options, conf);
    for (int i = 0; i < part->settings && !rc; i++)
        if (pb_option_set(m->settings.options, conf, part->setting[i].key, part->setting[i].value))
            rc = pb_error_prefix("preset '%s'", p->name);
    pb_option_release(m->settings.options, conf);
    free(conf);
    return rc;
}

static int check_spec(const pb_method *m, const pb_preset *p)
{
    pb_preset_part part[PB_MAX_PARTS];
    int n = pb_preset_expand(p, m, part), rc = n < 0 ? -1 : 0;
    for (int i = 0; i < n && !rc; i++)
        rc = check_settings(p, &part[i]);
    pb_preset_parts_free(part, n);
    return rc;
}

int pb_presets_check(const pb_method *m)
{
    for (const pb_preset *p = m->presets; p && p->name; p++)
        if (check_name(m, p) || check_spec(m, p))
            return pb_error_prefix("%s", m->name);
    return 0;
}

int pb_presets_check_all(void)
{
    for (int i = 0; pb_methods[i]; i++)
        if (pb_presets_check(pb_methods[i]))
            return -1;
    for (const pb_preset *const *p = pb_presets; *p; p++)
        if (check_name(NULL, *p) || check_spec(NULL, *p))
            return -1;
    return 0;
}
