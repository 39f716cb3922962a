/* provenance: see provenance.h. */
#include "results/provenance.h"

#include <stdlib.h>
#include <string.h>

static int add_entry(void *ctx, const char *key, const char *value)
{
    pb_provenance *p = ctx;
    pb_grow(&p->entry, p->count, &p->capacity, sizeof *p->entry);
    p->entry[p->count++] = (pb_provenance_entry){pb_strdup(key), pb_strdup(value)};
    return 0;
}

int pb_provenance_read(pb_store *s, long long run, pb_provenance *out)
{
    *out = (pb_provenance){.count = 0};
    return pb_store_provenance(s, run, add_entry, out);
}

void pb_provenance_free(pb_provenance *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->entry[i].key);
        free(p->entry[i].value);
    }
    free(p->entry);
    *p = (pb_provenance){.count = 0};
}

const char *pb_provenance_get(const pb_provenance *p, const char *key)
{
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->entry[i].key, key))
            return p->entry[i].value;
    return "";
}
