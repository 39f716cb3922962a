/* faults: preloaded into the program, makes the world fail at a chosen moment.
 *
 *   FAULT_MALLOC=N   the Nth allocation gets nothing
 *   FAULT_WRITE=N    from the Nth on, writing to files finds the disk full
 *   FAULT_CLOCK=S    the time of day is S seconds ahead (or behind)
 *   FAULT_COUNT=FILE appends how many allocations and writes there were, at the end
 *
 * A child goes on counting where its parent was. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long allocations, writes;
static long fail_malloc, fail_write, ahead;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static long setting(const char *name)
{
    const char *value = getenv(name);
    return value ? strtol(value, NULL, 10) : 0;
}

__attribute__((constructor)) static void start(void)
{
    fail_malloc = setting("FAULT_MALLOC");
    fail_write = setting("FAULT_WRITE");
    ahead = setting("FAULT_CLOCK");
    allocations = writes = 0;
}

__attribute__((destructor)) static void stop(void)
{
    const char *path = getenv("FAULT_COUNT");
    char line[64];
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    fail_write = 0;
    if (file >= 0 && write(file, line, (size_t)snprintf(line, sizeof line, "%ld %ld\n", allocations, writes)) < 0)
        _exit(99);
    if (file >= 0)
        close(file);
}

/* ---- memory ------------------------------------------------------------------------------------------------ */

static bool none_left(void)
{
    return __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) == fail_malloc;
}

void *malloc(size_t size)
{
    return none_left() ? (errno = ENOMEM, NULL) : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return none_left() ? (errno = ENOMEM, NULL) : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return none_left() ? (errno = ENOMEM, NULL) : __libc_realloc(old, size);
}

/* ---- files ------------------------------------------------------------------------------------------------- */

/* Pipes and terminals are no disk. */
static bool full(int file)
{
    struct stat st;
    if (fstat(file, &st) || !S_ISREG(st.st_mode))
        return false;
    bool is = __atomic_add_fetch(&writes, 1, __ATOMIC_RELAXED) >= fail_write && fail_write;
    if (is)
        errno = ENOSPC;
    return is;
}

#define REAL(result, name, ...) ((result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t n)
{
    return full(file) ? -1 : REAL(ssize_t, write, int, const void *, size_t)(file, bytes, n);
}

ssize_t pwrite(int file, const void *bytes, size_t n, off_t at)
{
    return full(file) ? -1 : REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(file, bytes, n, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t n, off64_t at)
{
    return full(file) ? -1 : REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(file, bytes, n, at);
}

int ftruncate(int file, off_t size)
{
    return full(file) ? -1 : REAL(int, ftruncate, int, off_t)(file, size);
}

int ftruncate64(int file, off64_t size)
{
    return full(file) ? -1 : REAL(int, ftruncate64, int, off64_t)(file, size);
}

int fsync(int file)
{
    return full(file) ? -1 : REAL(int, fsync, int)(file);
}

int fdatasync(int file)
{
    return full(file) ? -1 : REAL(int, fdatasync, int)(file);
}

/* ---- time -------------------------------------------------------------------------------------------------- */

time_t time(time_t *out)
{
    struct timespec t;
    REAL(int, clock_gettime, clockid_t, struct timespec *)(CLOCK_REALTIME, &t);
    t.tv_sec += ahead;
    if (out)
        *out = t.tv_sec;
    return t.tv_sec;
}
