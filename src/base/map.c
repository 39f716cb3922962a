/* map: see map.h. */
#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISCHR(mode)  ? "a character device"
           : S_ISBLK(mode)  ? "a block device"
                            : "something else";
}

static int check_regular(const char *path, const struct stat *s)
{
    return S_ISREG(s->st_mode) ? 0
                               : pb_error("%s: cannot read: want a regular file, got %s", path, kind_of(s->st_mode));
}

int pb_check_regular(const char *path)
{
    struct stat s;
    return stat(path, &s) ? 0 : check_regular(path, &s);
}

/* O_NONBLOCK and the second check guard against a file that was replaced by a FIFO between the two calls. */
static int open_file(const char *path)
{
    struct stat s;
    if (stat(path, &s))
        return pb_error("%s: cannot read: %s", path, strerror(errno));
    if (check_regular(path, &s))
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return pb_error("%s: cannot read: %s", path, strerror(errno));
    if (fstat(fd, &s) || check_regular(path, &s)) {
        pb_error("%s: cannot read: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

FILE *pb_open_stream(const char *path)
{
    int fd = open_file(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
    if (fd >= 0 && !f) {
        pb_error("%s: cannot read: %s", path, strerror(errno));
        close(fd);
    }
    return f;
}

int pb_map_open(pb_map *m, const char *path)
{
    struct stat s;
    int fd = open_file(path), rc = fd < 0 ? -1 : 0;
    *m = (pb_map){NULL, 0};
    if (!rc && fstat(fd, &s))
        rc = pb_error("%s: cannot read: %s", path, strerror(errno));
    if (!rc && s.st_size > 0) { /* an empty file cannot be mapped */
        void *data = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            rc = pb_error("%s: cannot map: %s", path, strerror(errno));
        else
            *m = (pb_map){data, (size_t)s.st_size};
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

void pb_map_close(pb_map *m)
{
    if (m->data)
        munmap((void *)(uintptr_t)m->data, m->size);
    *m = (pb_map){NULL, 0};
}
