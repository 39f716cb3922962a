/* artifact_file: the files of trained parameters, in the folder `artifacts` beside the database.
 *
 * The SHA-256 of each file is stored with its run.  A file is used only if its digest is still the stored one. */
#ifndef PB_ARTIFACT_FILE_H
#define PB_ARTIFACT_FILE_H

#include "results/store.h"

typedef struct pb_artifact {
    long long run;
    char *path;
    pb_digest digest; /* as stored with the run; "" for a run of an older program, whose file is not checked */
    int threads;      /* number of threads with which the run was trained */
} pb_artifact;

/* Returns the folder of a database's artifact files.  The caller frees the text. */
char *pb_artifact_folder(const char *db);

/* Returns the path of the artifact file of the run with this hash.  The caller frees the text.  Returns NULL with an
 * error if `hash` is not a hash: a path made of it could lead anywhere. */
char *pb_artifact_path(const char *db, const char *hash);

/* Reads from the database what is known of the run's artifact file.  The caller frees it with pb_artifact_free, also
 * after an error.  Returns -1 with an error. */
int pb_artifact_find(pb_store *s, const char *db, long long run, pb_artifact *out);
void pb_artifact_free(pb_artifact *a);

/* Returns whether the file exists and has the stored digest.  If not, `*why` receives the reason, else NULL.  The
 * caller frees it. */
bool pb_artifact_is_intact(const pb_artifact *a, char **why);

/* Returns 0 if the file is intact, else -1 with an error that names the file and the reason. */
int pb_artifact_check(const pb_artifact *a);

/* Removes the incomplete files of processes that have ended. */
void pb_artifact_remove_partial(const char *db);

#endif
