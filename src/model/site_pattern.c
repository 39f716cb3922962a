/* site_pattern: lists of patterns that name sites, such as "attn.* 3.mlp.up". */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "model/method.h"

/* Returns true if a pattern of n bytes matches the site's role ("attn.*") or its layer and role ("3.attn.q"). */
static bool pattern_matches(const char *pattern, size_t n, const pb_site *s)
{
    char full[64], copy[64];
    snprintf(full, sizeof full, "%d.%s", s->layer, s->role);
    snprintf(copy, sizeof copy, "%.*s", (int)n, pattern);
    return n && (!fnmatch(copy, s->role, 0) || !fnmatch(copy, full, 0));
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
bool pb_param_in(const char *targets, const pb_param *p)
{
    char role[32];
    const char *from = p->layer >= 0 ? strchr(p->name + strlen("layer."), '.') : NULL;
    const char *to = from ? strrchr(from, '.') : NULL;
    if ((p->kind != PB_MATRIX && p->kind != PB_BIAS) || !from)
        return false;
    snprintf(role, sizeof role, "%.*s", (int)(to - from - 1), from + 1);
    return pb_site_in(targets, &(pb_site){.layer = p->layer, .role = role});
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
