/* zip: see zip.h.
 *
 * A zip file ends in a record with the offset of the directory.  The directory has a record for every entry with the
 * offset of the entry.  Sizes that do not fit into 32 bits are in a field after the name (Zip64). */
#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_SIZE = 22,
    LOCATOR_SIZE = 20,
    END64_SIZE = 56,
    RECORD_SIZE = 46,
    HEADER_SIZE = 30,
    LONGEST_COMMENT = 65535,
    ZIP64_FIELD = 1
};

typedef struct reader {
    pb_zip *z;
    const char *path;
} reader;

static uint64_t number(const unsigned char *p, int bytes)
{
    uint64_t n = 0;
    while (bytes-- > 0)
        n = n << 8 | p[bytes];
    return n;
}

static bool is_record(const unsigned char *p, char a, char b)
{
    return p[0] == 'P' && p[1] == 'K' && p[2] == (unsigned char)a && p[3] == (unsigned char)b;
}

/* Returns the part [at, at + size) of the file, or NULL if it is not inside the file. */
static const unsigned char *part(const reader *r, uint64_t at, uint64_t size)
{
    const pb_map *f = &r->z->file;
    return at <= f->size && size <= f->size - at ? f->data + at : NULL;
}

static int damaged(const reader *r, const char *what)
{
    return pb_error("%s: zip archive: %s: the file is cut off or damaged", r->path, what);
}

/* ---- one entry ------------------------------------------------------------------------------------------ */

typedef struct location {
    uint64_t size, packed, at;
} location;

/* Replaces the sizes that did not fit by those of the Zip64 field. */
static int read_zip64(const reader *r, const unsigned char *extra, size_t n, location *p)
{
    uint64_t *want[] = {&p->size, &p->packed, &p->at};
    while (n >= 4) {
        size_t size = (size_t)number(extra + 2, 2), used = 0;
        if (size > n - 4)
            return damaged(r, "a field after a name is longer than its record");
        for (size_t i = 0; number(extra, 2) == ZIP64_FIELD && i < PB_COUNT(want); i++)
            if (*want[i] == UINT32_MAX && used + 8 <= size) {
                *want[i] = number(extra + 4 + used, 8);
                used += 8;
            }
        extra += 4 + size;
        n -= 4 + size;
    }
    return 0;
}

/* Finds the bytes of an entry, which follow its local header. */
static int find_data(const reader *r, const location *p, pb_zip_entry *e)
{
    const unsigned char *header = part(r, p->at, HEADER_SIZE);
    if (!header || !is_record(header, 3, 4))
        return damaged(r, "an entry is not where the directory says");
    uint64_t start = p->at + HEADER_SIZE + number(header + 26, 2) + number(header + 28, 2);
    e->data = part(r, start, p->size);
    e->size = (size_t)p->size;
    return e->data ? 0 : damaged(r, "an entry lies outside of the file");
}

/* Reads the record at *at of the directory and advances *at to the next. */
static int read_record(const reader *r, uint64_t *at)
{
    const unsigned char *p = part(r, *at, RECORD_SIZE);
    if (!p || !is_record(p, 1, 2))
        return damaged(r, "the directory is incomplete");
    size_t name = (size_t)number(p + 28, 2), extra = (size_t)number(p + 30, 2), comment = (size_t)number(p + 32, 2);
    if (!part(r, *at, RECORD_SIZE + name + extra + comment))
        return damaged(r, "the directory is incomplete");
    *at += RECORD_SIZE + name + extra + comment;
    pb_zip_entry *e = &r->z->entry[r->z->count++];
    e->name = pb_format("%.*s", (int)name, (const char *)p + RECORD_SIZE);
    if (strlen(e->name) != name)
        return damaged(r, "a name contains a NUL");
    if (number(p + 8, 2) & 1 || number(p + 10, 2))
        return pb_error("%s: zip archive: '%s': want an entry that is stored without compression or encryption",
                        r->path, e->name);
    location where = {number(p + 24, 4), number(p + 20, 4), number(p + 42, 4)};
    if (read_zip64(r, p + RECORD_SIZE + name, extra, &where))
        return -1;
    return where.size == where.packed ? find_data(r, &where, e) : damaged(r, "an entry has two different sizes");
}

/* ---- the directory ---------------------------------------------------------------------------------------- */

/* Finds the last record of the file, which may be followed by a comment only. */
static int find_end(const reader *r, uint64_t *out)
{
    size_t size = r->z->file.size;
    for (size_t back = END_SIZE; back <= size && back <= END_SIZE + LONGEST_COMMENT; back++)
        if (is_record(r->z->file.data + size - back, 5, 6)) {
            *out = size - back;
            return 0;
        }
    return damaged(r, "no directory at the end");
}

static int find_directory(const reader *r, uint64_t *entries, uint64_t *at)
{
    uint64_t end = 0;
    if (find_end(r, &end))
        return -1;
    const unsigned char *p = part(r, end, END_SIZE);
    *entries = number(p + 10, 2);
    *at = number(p + 16, 4);
    const unsigned char *locator = end >= LOCATOR_SIZE ? part(r, end - LOCATOR_SIZE, LOCATOR_SIZE) : NULL;
    if (!locator || !is_record(locator, 6, 7))
        return 0;
    p = part(r, number(locator + 8, 8), END64_SIZE);
    if (!p || !is_record(p, 6, 6))
        return damaged(r, "no zip64 directory where its locator says");
    *entries = number(p + 32, 8);
    *at = number(p + 48, 8);
    return 0;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const pb_zip_entry *)x)->name, ((const pb_zip_entry *)y)->name);
}

static int read_directory(const reader *r)
{
    uint64_t entries, at;
    if (find_directory(r, &entries, &at))
        return -1;
    if (entries > r->z->file.size / RECORD_SIZE)
        return damaged(r, "more entries than the file can hold");
    r->z->entry = pb_alloc(((size_t)entries + 1) * sizeof *r->z->entry);
    while (r->z->count < entries)
        if (read_record(r, &at))
            return -1;
    qsort(r->z->entry, r->z->count, sizeof *r->z->entry, by_name);
    for (size_t i = 1; i < r->z->count; i++)
        if (!by_name(&r->z->entry[i - 1], &r->z->entry[i]))
            return pb_error("%s: zip archive: '%s': two entries have this name", r->path, r->z->entry[i].name);
    return 0;
}

int pb_zip_open(pb_zip *z, const char *path)
{
    *z = (pb_zip){.entry = NULL};
    if (!pb_map_open(&z->file, path) && !read_directory(&(reader){z, path}))
        return 0;
    pb_zip_close(z);
    return -1;
}

void pb_zip_close(pb_zip *z)
{
    for (size_t i = 0; i < z->count; i++)
        free(z->entry[i].name);
    free(z->entry);
    pb_map_close(&z->file);
    *z = (pb_zip){.entry = NULL};
}

const pb_zip_entry *pb_zip_find(const pb_zip *z, const char *name)
{
    const pb_zip_entry key = {.name = (char *)(uintptr_t)name};
    return z->count ? bsearch(&key, z->entry, z->count, sizeof key, by_name) : NULL;
}
