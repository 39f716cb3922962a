/* site_pattern: lists of patterns that name sites, such as "attn.* 3.mlp.up". */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "model/method.h"

/* Returns the pattern behind its share of the layers, such as "1/6-3/6."; NULL if the layer is not in this share.  A
 * layer that a boundary cuts is in both shares. */
static const char *behind_share(const char *pattern, const pb_site *s)
{
    int from, from_of, to, to_of, length = 0;
    if (sscanf(pattern, "%d/%d-%d/%d.%n", &from, &from_of, &to, &to_of, &length) < 4 || !length)
        return pattern;
    bool whole = from >= 0 && from_of > 0 && to_of > 0 && from <= from_of && to <= to_of;
    bool inside = whole && (long long)(s->layer + 1) * from_of > (long long)from * s->layers &&
                  (long long)s->layer * to_of < (long long)to * s->layers;
    return inside ? pattern + length : NULL;
}

/* Returns true if a pattern of n bytes matches the site's role ("attn.*"), its layer and role ("3.attn.q"), or its
 * share of the layers and role ("0/6-1/6.attn.q"). */
static bool pattern_matches(const char *pattern, size_t n, const pb_site *s)
{
    char full[64], *copy = pb_format("%.*s", (int)n, pattern);
    snprintf(full, sizeof full, "%d.%s", s->layer, s->role);
    const char *role = behind_share(copy, s);
    bool fit = n && role && (!fnmatch(role, s->role, 0) || (role == copy && !fnmatch(copy, full, 0)));
    free(copy);
    return fit;
}

bool pb_site_in(const char *targets, const pb_site *s)
{
    while (*targets) {
        size_t n = strcspn(targets, " ,");
        if (pattern_matches(targets, n, s))
            return true;
        targets += n + (targets[n] != 0);
    }
    return false;
}

/* The name of such a parameter is "layer.3.attn.q.weight". */
bool pb_param_in(const char *targets, const pb_param *p, int layers)
{
    char role[32];
    const char *from = p->layer >= 0 ? strchr(p->name + strlen("layer."), '.') : NULL;
    const char *to = from ? strrchr(from, '.') : NULL;
    if ((p->kind != PB_MATRIX && p->kind != PB_BIAS) || !from)
        return false;
    snprintf(role, sizeof role, "%.*s", (int)(to - from - 1), from + 1);
    return pb_site_in(targets, &(pb_site){.layer = p->layer, .layers = layers, .role = role});
}

double pb_at_site(const char *list, const pb_site *site, double otherwise)
{
    while (list && *list) {
        size_t n = strcspn(list, " ,"), name = strcspn(list, "= ,");
        if (name < n && pattern_matches(list, name, site))
            return strtod(list + name + 1, NULL);
        list += n + (list[n] != 0);
    }
    return otherwise;
}
