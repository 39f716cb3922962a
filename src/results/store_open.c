/* store_open: opening a database for writing or read-only, and closing it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "results/store_internal.h"

/* Refuses names for which SQLite creates a private database for each connection, in which nothing would be stored, and
 * files that are not regular, because opening a FIFO would block. */
static int check_name(const char *path)
{
    if (!*path || !strcmp(path, ":memory:") || !strncmp(path, "file:", 5))
        return pb_error("--db '%s': want the path of a file", path);
    return pb_check_regular(path);
}

char *pb_store_address(const char *path, const char *parameters)
{
    pb_text t = {0};
    pb_text_add(&t, "file:");
    for (; *path; path++)
        pb_text_add(&t, strchr("%?#", *path) ? "%%%02X" : "%c", (unsigned char)*path);
    pb_text_add(&t, "%s", parameters);
    return t.data;
}

static int connect(pb_store *s, int flags, const char *parameters)
{
    char *address = pb_store_address(s->path, parameters);
    int rc = sqlite3_open_v2(address, &s->db, flags | SQLITE_OPEN_URI, NULL) == SQLITE_OK ? 0 : pb_store_fail(s);
    free(address);
    if (rc)
        return rc;
    sqlite3_busy_timeout(s->db, 60000);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return pb_store_execute(s, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;");
}

static pb_store *new_store(const char *path)
{
    pb_store *s = pb_alloc(sizeof *s);
    s->path = pb_strdup(path);
    return s;
}

pb_store *pb_store_open(const char *path)
{
    if (check_name(path))
        return NULL;
    char *folder = pb_strdup(path), *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    int rc = slash && *folder ? pb_make_dirs(folder) : 0;
    free(folder);
    if (rc)
        return NULL;
    pb_store *s = new_store(path);
    if (!connect(s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "") && !pb_store_schema(s, true) &&
        !pb_store_execute(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"))
        return s;
    pb_store_close(s);
    return NULL;
}

/* ---- read-only ------------------------------------------------------------------------------------------- */

/* SQLite uses three files: the database, the write-ahead log (-wal) and an index of the log (-shm).  A reader uses all
 * three if it may create files in the folder.  Otherwise it opens the database as immutable, which is correct if
 * nothing writes it: there is no log, and the file is unchanged when it is closed. */
struct pb_file_snapshot {
    struct stat file;
};

static bool has_beside(const char *path, const char *suffix)
{
    struct stat st;
    char *name = pb_format("%s%s", path, suffix);
    bool has = !stat(name, &st) && st.st_size > 0;
    free(name);
    return has;
}

static bool is_quiet(const char *path)
{
    return !has_beside(path, "-wal") && !has_beside(path, "-journal");
}

static bool may_write(const char *path)
{
    char *folder = pb_strdup(path), *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    bool may = !access(path, W_OK) && !access(slash ? folder : ".", W_OK);
    free(folder);
    return may;
}

bool pb_store_in_use(const char *path)
{
    return may_write(path) || !is_quiet(path);
}

static int connect_to_read(pb_store *s)
{
    if (pb_store_in_use(s->path)) {
        s->tidy = is_quiet(s->path);
        return connect(s, SQLITE_OPEN_READONLY, "");
    }
    s->snapshot = pb_alloc(sizeof *s->snapshot);
    if (stat(s->path, &s->snapshot->file))
        return pb_error("%s: the file cannot be read", s->path);
    return connect(s, SQLITE_OPEN_READONLY, "?immutable=1");
}

/* Reports an error if the database was written while it was open as immutable: what was read may be inconsistent. */
static int check_unchanged(pb_store *s)
{
    struct stat now;
    const struct stat *was = &s->snapshot->file;
    if (!stat(s->path, &now) && is_quiet(s->path) && now.st_ino == was->st_ino && now.st_size == was->st_size &&
        now.st_mtim.tv_sec == was->st_mtim.tv_sec && now.st_mtim.tv_nsec == was->st_mtim.tv_nsec)
        return 0;
    return pb_error("%s: the file was written while it was read; run the command again", s->path);
}

/* Removes the files that reading created beside the database.  SQLite does this when its last connection ends, so that
 * other connections are not disturbed. */
static void remove_log_files(const char *path)
{
    sqlite3 *db = NULL;
    char *address = pb_store_address(path, "");
    if (sqlite3_open_v2(address, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL) == SQLITE_OK)
        sqlite3_exec(db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    sqlite3_close(db);
    free(address);
}

pb_store *pb_store_read(const char *path)
{
    if (check_name(path))
        return NULL;
    if (!pb_file_exists(path)) {
        pb_error("%s: no such database; `peftbench run EXPERIMENT.ini` creates it", path);
        return NULL;
    }
    pb_store *s = new_store(path);
    if (!connect_to_read(s) && !pb_store_schema(s, false))
        return s;
    pb_store_close(s);
    return NULL;
}

int pb_store_close(pb_store *s)
{
    if (!s)
        return 0;
    for (size_t i = 0; i < s->statements; i++)
        sqlite3_finalize(s->statement[i].q);
    sqlite3_close(s->db);
    int rc = s->snapshot && !s->error ? check_unchanged(s) : 0;
    if (s->tidy && !has_beside(s->path, "-wal"))
        remove_log_files(s->path);
    if (s->error)
        rc = pb_error("%s", s->error);
    free(s->statement);
    free(s->snapshot);
    free(s->error);
    free(s->path);
    free(s);
    return rc;
}
