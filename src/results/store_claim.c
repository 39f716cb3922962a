/* store_claim: which process works on which cell, so that drivers on one database share the work.  A claim is valid as
 * long as its process lives.  A process of another machine or container is not visible, so its claim is valid until its
 * lease ends. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "results/store_internal.h"

enum { LEASE = 600 }; /* seconds */

typedef struct owner {
    char *host;
    long long process, started;
} owner;

/* Returns the start time of a process in ticks since boot; 0 if there is no such process. */
static long long start_of(long long process)
{
    char *path = pb_format("/proc/%lld/stat", process), line[1024] = "";
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f)
        fclose(f);
    free(path);
    line[n] = 0;
    const char *at = strrchr(line, ')'); /* after the name of the program, which may contain any character */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    char state = strrchr(line, ')') ? strrchr(line, ')')[2] : 'Z';
    return at && state != 'Z' && state != 'X' ? strtoll(at, NULL, 10) : 0;
}

/* Identifies the boot and the process namespace, which process numbers refer to. */
static char *this_host(void)
{
    char space[128] = "", boot[64] = "";
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (f && !fgets(boot, sizeof boot, f))
        boot[0] = 0;
    if (f)
        fclose(f);
    boot[strcspn(boot, "\n")] = 0;
    return pb_format("%s %s", boot, n > 0 ? space : "");
}

static bool is_here(const owner *o)
{
    char *here = this_host();
    bool same = !strcmp(here, o->host);
    free(here);
    return same;
}

static bool is_alive(const owner *o, long long until)
{
    return is_here(o) ? o->started && start_of(o->process) == o->started : until > (long long)time(NULL);
}

/* Returns whether the claim belongs to the calling process. */
static bool is_ours(const owner *o)
{
    return o->process == getpid() && is_here(o);
}

/* Sets *process to the process with a valid claim on the cell, 0 if there is none, and *ours to whether it is the
 * caller. */
static int read_claim(pb_store *s, const char *hash, const char *pass, long long *process, bool *ours)
{
    static const char sql[] = "SELECT place, process, started, until FROM claim WHERE hash = ? AND pass = ?";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *process = 0;
    *ours = false;
    if (!q)
        return -1;
    pb_store_bind(q, 1, hash);
    pb_store_bind(q, 2, pass);
    int rc = pb_store_step(s, q);
    if (rc == 1) {
        owner o = {pb_store_text(q, 0), sqlite3_column_int64(q, 1), sqlite3_column_int64(q, 2)};
        *process = is_alive(&o, sqlite3_column_int64(q, 3)) ? o.process : 0;
        *ours = is_ours(&o);
        free(o.host);
    }
    pb_store_done(q);
    return rc < 0 ? -1 : 0;
}

static int put_claim(pb_store *s, const char *hash, const char *pass)
{
    static const char sql[] = "INSERT OR REPLACE INTO claim (hash, pass, place, process, started, until)"
                              " VALUES (?, ?, ?, ?, ?, ?)";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    char *host = this_host();
    pb_store_bind(q, 1, hash);
    pb_store_bind(q, 2, pass);
    pb_store_bind(q, 3, host);
    sqlite3_bind_int64(q, 4, getpid());
    sqlite3_bind_int64(q, 5, start_of(getpid()));
    sqlite3_bind_int64(q, 6, (sqlite3_int64)time(NULL) + LEASE);
    free(host);
    return pb_store_insert(s, q);
}

int pb_store_claimed(pb_store *s, const char *hash, const char *pass, long long *process)
{
    bool ours;
    return read_claim(s, hash, pass, process, &ours);
}

int pb_store_claim(pb_store *s, const char *hash, const char *pass, long long *process)
{
    if (pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    bool ours;
    int rc = read_claim(s, hash, pass, process, &ours);
    if (ours)
        *process = 0; /* its lease is extended */
    if (!rc && !*process)
        rc = put_claim(s, hash, pass);
    return pb_store_end(s, rc);
}

int pb_store_release(pb_store *s, const char *hash, const char *pass)
{
    sqlite3_stmt *q = pb_store_statement(s, "DELETE FROM claim WHERE hash = ? AND pass = ? AND process = ?"
                                            " AND place = ?");
    if (!q)
        return -1;
    char *host = this_host();
    pb_store_bind(q, 1, hash);
    pb_store_bind(q, 2, pass);
    sqlite3_bind_int64(q, 3, getpid());
    pb_store_bind(q, 4, host);
    free(host);
    return pb_store_insert(s, q);
}
