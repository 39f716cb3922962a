/* kept: the files of trained parameters, in the folder `artifacts` beside the database.
 *
 * The SHA-256 of each file is stored with its run, and a file is only used if it is still the one that was written. */
#ifndef PB_ARTIFACT_FILE_H
#define PB_ARTIFACT_FILE_H

#include "results/store.h"

typedef struct pb_artifact {
    long long run;
    char *path;       /* of the file                                            */
    pb_digest digest; /* stored with the run; "" by older programs: any file is believed */
    int threads;      /* that the run was trained with                          */
} pb_artifact;

/* The folder of a database's files; the caller frees the text. */
char *pb_artifact_folder(const char *db);

/* The file of the run with this hash; the caller frees the text.  NULL with an error if a stored hash is none: it could
 * lead anywhere. */
char *pb_artifact_path(const char *db, const char *hash);

/* What is known of the run's file.  -1 with an error.  pb_artifact_free frees it in either case. */
int pb_artifact_find(pb_store *s, const char *db, long long run, pb_artifact *out);
void pb_artifact_free(pb_artifact *k);

/* Is the file there, and what the run wrote?  false says why in `*why` (the caller frees it; may be NULL). */
bool pb_artifact_is_intact(const pb_artifact *k, char **why);

/* -1 with an error that names the file and what would be right, unless the file is good. */
int pb_artifact_check(const pb_artifact *k);

/* Removes the half-written files of processes that are dead. */
void pb_artifact_remove_partial(const char *db);

#endif
