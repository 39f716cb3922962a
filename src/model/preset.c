/* preset: see preset.h. */
#include "model/preset.h"

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

int pb_preset_split(const pb_preset *p, char *copy, pb_written *out, int most)
{
    int n = 0;
    char *item;
    if (strchr(copy, '+'))
        return pb_error("preset '%s': a composition, '%s'; want settings of its method: KEY=VALUE,KEY=VALUE", p->name,
                        copy);
    while ((item = strsep(&copy, ","))) {
        char *value = item + strcspn(item, "=:");
        if (*value != '=' || value == item)
            return pb_error("preset '%s': want settings KEY=VALUE,KEY=VALUE, got '%s'", p->name, item);
        if (n == most)
            return pb_error("preset '%s': more than %d settings", p->name, most);
        *value++ = 0;
        out[n++] = (pb_written){item, value};
    }
    return n;
}

/* ---- checking ------------------------------------------------------------------------------------------------ */

/* Refuses a name that something else has. */
static int check_name(const pb_method *m, const pb_preset *p)
{
    const pb_method *other = NULL;
    const pb_preset *taken = pb_preset_find(p->name, &other);
    if (!pb_is_method_name(p->name) || !p->title || !p->paper || !p->spec)
        return pb_error("preset '%s': want a name of a-z, 0-9 and '-', a title, a paper and settings", p->name);
    if (pb_method_find(p->name) || !strcmp(p->name, m->name))
        return pb_error("preset '%s': there is a method of this name; want another name", p->name);
    if (taken && taken != p)
        return pb_error("preset '%s': %s has a preset of this name; want another name", p->name, other->name);
    for (const pb_preset *q = m->presets; q != p; q++)
        if (!strcmp(q->name, p->name))
            return pb_error("preset '%s': the name is given twice; want another name", p->name);
    return 0;
}

/* Refuses settings that the method does not have. */
static int check_spec(const pb_method *m, const pb_preset *p)
{
    pb_written setting[32] = {{NULL, NULL}};
    char *copy = pb_strdup(p->spec);
    void *conf = pb_alloc(m->conf_size + 1);
    int n = pb_preset_split(p, copy, setting, (int)PB_COUNT(setting)), rc = n < 0 ? -1 : 0;
    pb_option_defaults(m->options, conf);
    for (int i = 0; i < n && !rc; i++)
        if (pb_option_set(m->options, conf, setting[i].key, setting[i].value))
            rc = pb_error_prefix("preset '%s'", p->name);
    pb_option_release(m->options, conf);
    free(conf);
    free(copy);
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
    return 0;
}
