/* kept: the files of trained parameters, in the folder `artifacts` beside the database.
 *
 * The SHA-256 of each file is stored with its run, and a file is only used if it is still the one that was written. */
#ifndef PB_KEPT_H
#define PB_KEPT_H

#include "results/store.h"

typedef struct pb_kept {
    long long run;
    char *path;       /* of the file                                            */
    pb_digest digest; /* stored with the run; "" by older programs: any file is believed */
    int threads;      /* that the run was trained with                          */
} pb_kept;

/* The folder of a database's files; the caller frees the text. */
char *pb_kept_folder(const char *db);

/* The file of the run with this hash; the caller frees the text.  NULL with an error if a stored hash is none: it could
 * lead anywhere. */
char *pb_kept_path(const char *db, const char *hash);

/* What is known of the run's file.  -1 with an error.  pb_kept_free frees it in either case. */
int pb_kept_find(pb_store *s, const char *db, long long run, pb_kept *out);
void pb_kept_free(pb_kept *k);

/* Is the file there, and what the run wrote?  false says why in `*why` (the caller frees it; may be NULL). */
bool pb_kept_good(const pb_kept *k, char **why);

/* -1 with an error that names the file and what would be right, unless the file is good. */
int pb_kept_check(const pb_kept *k);

/* Removes the half-written files of processes that are dead. */
void pb_kept_sweep(const char *db);

#endif
