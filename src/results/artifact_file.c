/* artifact_file: see artifact_file.h. */
#include "results/artifact_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- paths ------------------------------------------------------------------------------------------------ */

char *pb_artifact_folder(const char *db)
{
    const char *slash = strrchr(db, '/');
    return pb_format("%.*sartifacts", slash ? (int)(slash - db) + 1 : 0, db);
}

char *pb_artifact_path(const char *db, const char *hash)
{
    if (strlen(hash) != 64 || strspn(hash, "0123456789abcdef") != 64) {
        pb_error("%s: the hash of a run is '%s'; want 64 hexadecimal digits", db, hash);
        return NULL;
    }
    char *folder = pb_artifact_folder(db), *path = pb_format("%s/%s.safetensors", folder, hash);
    free(folder);
    return path;
}

int pb_artifact_find(pb_store *s, const char *db, long long run, pb_artifact *out)
{
    pb_run_record r;
    char *digest = NULL;
    *out = (pb_artifact){.run = run};
    int rc = pb_store_record(s, run, &r) || pb_store_provenance_get(s, run, "artifact", &digest) ? -1 : 0;
    if (!rc) {
        out->path = pb_artifact_path(db, r.hash);
        out->threads = r.threads;
        snprintf(out->digest.hex, sizeof out->digest.hex, "%s", digest ? digest : "");
    }
    pb_run_record_free(&r);
    free(digest);
    return out->path ? 0 : -1;
}

void pb_artifact_free(pb_artifact *a)
{
    free(a->path);
    a->path = NULL;
}

/* ---- check of the digest -------------------------------------------------------------------------------- */

bool pb_artifact_is_intact(const pb_artifact *a, char **why)
{
    pb_digest is;
    *why = NULL;
    if (!pb_file_exists(a->path))
        *why = pb_format("the file is missing");
    else if (!*a->digest.hex)
        return true;
    else if (pb_sha256_file(a->path, &is)) {
        *why = pb_format("the file cannot be read");
        pb_error_clear();
    } else if (strcmp(is.hex, a->digest.hex) != 0)
        *why = pb_format("it was truncated or changed (SHA-256 %.12s.., want %.12s..)", is.hex, a->digest.hex);
    return !*why;
}

int pb_artifact_check(const pb_artifact *a)
{
    char *why;
    if (pb_artifact_is_intact(a, &why))
        return 0;
    pb_error("%s: the file does not hold the parameters of run %lld: %s; restore it, or run the experiment again with "
             "another --db",
             a->path, a->run, why);
    free(why);
    return -1;
}

/* ---- incomplete files --------------------------------------------------------------------------------------- */

/* Removes PATH.PID.tmp if its process has ended.  pb_write_file() locks the file it writes, so a process of another
 * container, which is not visible here, holds the lock. */
static void remove_if_dead(const char *path)
{
    const char *dot = strrchr(path, '.'); /* PATH.PID.tmp */
    while (dot && dot > path && *--dot != '.')
        continue;
    long pid = dot ? strtol(dot + 1, NULL, 10) : 0;
    if (pid <= 0 || !kill((pid_t)pid, 0) || errno != ESRCH)
        return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && !flock(file, LOCK_EX | LOCK_NB))
        unlink(path);
    if (file >= 0)
        close(file);
}

void pb_artifact_remove_partial(const char *db)
{
    char *folder = pb_artifact_folder(db);
    glob_t found = {0};
    pb_text pattern = {0};
    for (const char *c = folder; *c; c++)
        pb_text_add(&pattern, strchr("*?[\\", *c) ? "\\%c" : "%c", *c);
    pb_text_add(&pattern, "/*.tmp");
    if (!glob(pattern.data, 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++)
            remove_if_dead(found.gl_pathv[i]);
    globfree(&found);
    pb_text_free(&pattern);
    free(folder);
}
