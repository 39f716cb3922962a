/* provenance: checks that files are those with which a stored run was made.
 *
 * A database may come from another person.  It names the methods, the model and the data of a run, but it is not
 * trusted: code is loaded only from files that the user names, and a file is accepted as the one that the run used only
 * if its SHA-256 is the stored one. */
#ifndef PB_CLI_PROVENANCE_H
#define PB_CLI_PROVENANCE_H

#include "cli/cmd.h"
#include "results/provenance.h"

/* Loads the plugins of --plugin whose SHA-256 is that of a plugin with which the run was made.  All plugins of the run
 * must be among them, and a file that --plugin itself names must be one of them.  Returns -1 with an error; a file with
 * another digest was not loaded. */
int pb_provenance_load_plugins(const pb_provenance *p, long long run, const pb_args *a);

/* Returns 0 if the run was trained on this model, else -1 with an error that names the digests. */
int pb_provenance_check_model(const pb_provenance *p, long long run, const pb_model *m);

#endif
