/* compressed: data files that gzip, xz or zstd has compressed.  compressed.c is the only file that includes zlib.h,
 * lzma.h and zstd.h. */
#ifndef PB_COMPRESSED_H
#define PB_COMPRESSED_H

#include "base/base.h"

/* The most bytes that a compressed file may have when it is decompressed.  A file of a few kilobytes can stand for
 * terabytes. */
#define PB_MOST_DECOMPRESSED ((size_t)1 << 30)

/* Returns the number of bytes of a path without the extension of a compressed file (.gz, .xz, .zst): all of them if it
 * has none. */
size_t pb_compressed_stem(const char *path);

/* Reads a whole file as pb_read_file does and decompresses it if its extension says that it is compressed.  A file may
 * consist of several streams one after the other.  Returns NULL with "PATH: what is wrong; want what would be right" if
 * the file is damaged or ends early, has something else behind its last stream, or has more than `most` bytes
 * decompressed (PB_MOST_DECOMPRESSED, or less in tests). */
char *pb_compressed_read(const char *path, size_t most, size_t *size);

#endif
