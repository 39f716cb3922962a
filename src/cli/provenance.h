/* foreign: what a database is allowed to ask for.
 *
 * A database may be somebody else's.  It says which methods, model and data a run was made with, but it decides
 * nothing: code is loaded only from files that the user names, and a file is taken for the one that the run was made
 * with only if its SHA-256 is the stored one. */
#ifndef PB_PROVENANCE_H
#define PB_PROVENANCE_H

#include "cli/cmd.h"

/* What is stored of the files that a run was made with (table provenance). */
typedef struct pb_provenance {
    char *(*fact)[2]; /* [count] key and value */
    size_t count, capacity;
} pb_provenance;

/* Reads them.  The caller frees them with pb_provenance_free, after an error too; -1 with an error. */
int pb_provenance_read(pb_store *s, long long run, pb_provenance *out);
void pb_provenance_free(pb_provenance *f);

/* The value of a fact, "" if it is not stored. */
const char *pb_provenance_get(const pb_provenance *f, const char *key);

/* Loads the files of --plugin, each of which must have the SHA-256 of a plugin that the run was made with, and asks
 * that no such plugin is missing.  -1 with an error; no file whose digest is another one was loaded. */
int pb_provenance_load_plugins(const pb_provenance *f, long long run, const pb_args *a);

/* Is this model the one that the run was trained on?  -1 with an error if its SHA-256 is another one. */
int pb_provenance_check_model(const pb_provenance *f, long long run, const pb_model *m);

#endif
