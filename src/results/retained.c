/* retained: see retained.h. */
#include "results/retained.h"

#include <stdlib.h>
#include <string.h>

#define DONE "retention.done"

static int has_entry(pb_store *s, long long run, const char *key, bool *has)
{
    char *value = NULL;
    int rc = pb_store_provenance_get(s, run, key, &value);
    *has = value != NULL;
    free(value);
    return rc;
}

static int check_text(pb_store *s, long long run, const pb_experiment *e)
{
    char *stored = NULL;
    int rc = pb_store_provenance_get(s, run, PB_RETENTION_TEXT, &stored);
    if (!rc && stored && strcmp(stored, e->retention_text->identity) != 0)
        rc = pb_error(
            "%s: [retention]: the retention of run %lld was measured on other text, %s; want that text and its "
            "settings, or another database, and not %s",
            e->path, run, stored, e->retention_text->identity);
    free(stored);
    return rc;
}

static int has_strength(pb_store *s, long long run, double strength, bool *has)
{
    char *key = pb_format(DONE ".s%g", strength);
    int rc = has_entry(s, run, key, has);
    free(key);
    return rc;
}

int pb_retained_read(pb_store *s, long long run, const pb_experiment *e, pb_retained *out)
{
    *out = (pb_retained){.strength = pb_alloc((size_t)(e->strengths + 1) * sizeof *out->strength)};
    int rc = check_text(s, run, e) || has_entry(s, run, DONE, &out->whole);
    for (int i = 0; i < e->strengths && !rc; i++)
        rc = has_strength(s, run, e->strength[i], &out->strength[i]);
    return rc ? -1 : 0;
}

int pb_retained_is_done(pb_store *s, long long run, const pb_experiment *e, bool *done)
{
    pb_retained has;
    int rc = pb_retained_read(s, run, e, &has);
    *done = has.whole;
    for (int i = 0; i < e->strengths; i++)
        *done = *done && has.strength[i];
    free(has.strength);
    return rc;
}

int pb_retained_begin(pb_store *s, long long run, const pb_experiment *e)
{
    return check_text(s, run, e) || pb_store_provenance_add(s, run, PB_RETENTION_TEXT, e->retention_text->identity) ? -1
                                                                                                                    : 0;
}

int pb_retained_end(pb_store *s, long long run, const pb_experiment *e)
{
    int rc = pb_store_provenance_add(s, run, DONE, "yes");
    for (int i = 0; i < e->strengths && !rc; i++) {
        char *key = pb_format(DONE ".s%g", e->strength[i]);
        rc = pb_store_provenance_add(s, run, key, "yes");
        free(key);
    }
    return rc;
}
