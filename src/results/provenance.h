/* provenance: what a stored run was made with, as table provenance has it: digests, code, files and view (store.h). */
#ifndef PB_RESULTS_PROVENANCE_H
#define PB_RESULTS_PROVENANCE_H

#include "results/store.h"

typedef struct pb_provenance_entry {
    char *key, *value;
} pb_provenance_entry;

/* The entries of a run, each key once. */
typedef struct pb_provenance {
    pb_provenance_entry *entry; /* [count] */
    size_t count, capacity;
} pb_provenance;

/* Reads the provenance of a run.  The caller frees it with pb_provenance_free, also after an error.  Returns -1 with an
 * error. */
int pb_provenance_read(pb_store *s, long long run, pb_provenance *out);
/* Frees the entries and leaves the list empty. */
void pb_provenance_free(pb_provenance *p);

/* Returns the value of an entry, "" if it is not stored. */
const char *pb_provenance_get(const pb_provenance *p, const char *key);

#endif
