/* map: opening regular files as streams, and mapping them into memory. */
#ifndef PB_MAP_H
#define PB_MAP_H

#include "base/base.h"

/* Opens a regular file for reading; the caller closes the stream.  Other kinds of files (a folder, a FIFO, a socket, a
 * device) are refused without being opened, because opening or reading them could block.  Returns NULL with
 * "PATH: cannot read: REASON" or "PATH: cannot read: want a regular file, got a FIFO". */
FILE *pb_open_stream(const char *path);

/* Checks that `path` is a regular file or does not exist, before a library opens it.  Returns -1 with the same error as
 * pb_open_stream otherwise. */
int pb_check_regular(const char *path);

/* A whole file, mapped read-only.  An empty file has no data and size 0. */
typedef struct pb_map {
    const unsigned char *data;
    size_t size;
} pb_map;

/* Maps the regular file at `path`.  Returns -1 with an error that names the path; then nothing is mapped. */
int pb_map_open(pb_map *m, const char *path);

/* Removes the mapping, after which pointers into it are invalid.  A map that is {0} is allowed. */
void pb_map_close(pb_map *m);

#endif
