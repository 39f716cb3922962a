/* map: files that are read, and files that are mapped into memory. */
#ifndef PB_MAP_H
#define PB_MAP_H

#include "base/base.h"

/* Opens a regular file for reading as a stream, which the caller closes.  Anything else (a folder, a FIFO, a socket, a
 * device) is refused before it is opened, because opening or reading it could wait for ever.  Returns NULL with
 * "PATH: cannot read: reason" or "PATH: cannot read: want a regular file, got a FIFO". */
FILE *pb_open_stream(const char *path);

/* Is it a regular file, or not there at all: for files that somebody else's code opens.  -1 with the same error. */
int pb_check_regular(const char *path);

/* A whole file, mapped read-only.  An empty file has no data and size 0. */
typedef struct pb_map {
    const unsigned char *data;
    size_t size;
} pb_map;

/* Maps the regular file at `path`.  Returns -1 with an error that names the path; then nothing is mapped. */
int pb_map_open(pb_map *m, const char *path);

/* Ends the mapping; every pointer into it is invalid from then on.  A map that was never opened is fine. */
void pb_map_close(pb_map *m);

#endif
