/* zip: the uncompressed entries of a zip archive, as torch.save writes them. */
#ifndef PB_ZIP_H
#define PB_ZIP_H

#include "base/map.h"

typedef struct pb_zip_entry {
    char *name;                /* with its folders, for example "archive/data/0" */
    const unsigned char *data; /* inside the mapped file                         */
    size_t size;
} pb_zip_entry;

typedef struct pb_zip {
    pb_map file;
    pb_zip_entry *entry; /* [count] in the order of their names */
    size_t count;
} pb_zip;

/* Maps an archive, Zip64 included, and checks its directory: each entry must lie within the file, be stored without
 * compression and have a unique name.  Checksums are not verified.  Returns -1 with "PATH: what is wrong"; then there
 * is nothing to close. */
int pb_zip_open(pb_zip *z, const char *path);
void pb_zip_close(pb_zip *z);

/* Returns the entry of a name, or NULL if there is none. */
const pb_zip_entry *pb_zip_find(const pb_zip *z, const char *name);

#endif
