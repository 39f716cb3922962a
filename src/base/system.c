/* system: hashes, clocks and files (base.h). */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sha1.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"

/* ---- hash ------------------------------------------------------------------------------ */

static pb_digest finish(SHA2_CTX *state)
{
    uint8_t raw[SHA256_DIGEST_LENGTH];
    SHA256Final(raw, state);
    pb_digest d;
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
        snprintf(d.hex + 2 * i, 3, "%02x", raw[i]);
    return d;
}

uint64_t pb_hash(const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211u;
    return h ^ h >> 32; /* the low bits alone are not well mixed */
}

pb_digest pb_sha256(const void *bytes, size_t n)
{
    SHA2_CTX state;
    SHA256Init(&state);
    if (n)
        SHA256Update(&state, bytes, n);
    return finish(&state);
}

int pb_sha256_file(const char *path, pb_digest *out)
{
    FILE *f = pb_open_stream(path);
    if (!f)
        return -1;
    SHA2_CTX state;
    SHA256Init(&state);
    unsigned char block[1 << 16];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        SHA256Update(&state, block, n);
    bool bad = ferror(f);
    fclose(f);
    if (bad)
        return pb_error("%s: cannot read", path);
    *out = finish(&state);
    return 0;
}

int pb_git_blob_file(const char *path, char hex[41])
{
    FILE *f = pb_open_stream(path);
    struct stat st;
    if (!f || fstat(fileno(f), &st)) {
        if (f)
            fclose(f);
        return f ? pb_error("%s: cannot read", path) : -1;
    }
    SHA1_CTX state;
    unsigned char block[1 << 16];
    int n = snprintf((char *)block, sizeof block, "blob %lld", (long long)st.st_size) + 1; /* and its NUL */
    SHA1Init(&state);
    SHA1Update(&state, block, (size_t)n);
    for (size_t k; (k = fread(block, 1, sizeof block, f)) > 0;)
        SHA1Update(&state, block, k);
    bool bad = ferror(f);
    fclose(f);
    SHA1End(&state, hex);
    return bad ? pb_error("%s: cannot read", path) : 0;
}

/* ---- clock and process ------------------------------------------------------------------ */

double pb_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void pb_timestamp(char out[32])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

size_t pb_peak_rss(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024; /* Linux counts in KiB */
}

/* ---- files ------------------------------------------------------------------------------ */

char *pb_read_file(const char *path, size_t *size)
{
    FILE *f = pb_open_stream(path);
    pb_text content = {0};
    char block[1 << 16];
    size_t n;
    while (f && (n = fread(block, 1, sizeof block, f)) > 0)
        pb_text_bytes(&content, block, n);
    if (!f || ferror(f)) {
        pb_error("%s: cannot read: %s", path, strerror(errno)); /* dropped if opening has reported an error */
        pb_text_free(&content);
    } else {
        pb_text_bytes(&content, "", 0);
    }
    if (f)
        fclose(f);
    if (size)
        *size = content.length;
    return content.data;
}

static int write_all(int file, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(file, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes += done;
        n -= (size_t)done;
    }
    return fsync(file);
}

int pb_write_file(const char *path, const void *bytes, size_t n)
{
    char *temporary = pb_format("%s.%ld.tmp", path, (long)getpid());
    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file >= 0)
        flock(file, LOCK_EX | LOCK_NB); /* a process that finds the file later can tell whether its writer is alive */
    int bad = file < 0 || write_all(file, bytes, n) != 0;
    if (file >= 0)
        bad |= close(file) != 0;
    bad = bad || rename(temporary, path) != 0;
    if (bad) {
        pb_error("%s: cannot write: %s", path, strerror(errno));
        unlink(temporary);
    }
    free(temporary);
    return bad ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

void pb_remove_tree(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int pb_make_dirs(const char *path)
{
    char *part = pb_strdup(path);
    int bad = 0;
    for (char *at = part + (part[0] == '/'); !bad; at++) {
        char was = *at;
        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        struct stat info;
        bad = mkdir(part, 0777) != 0 && !(errno == EEXIST && stat(part, &info) == 0 && S_ISDIR(info.st_mode));
        *at = was;
        if (was == '\0')
            break;
    }
    if (bad)
        pb_error("%s: cannot make the folder: %s", path, strerror(errno));
    free(part);
    return bad ? -1 : 0;
}

bool pb_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
