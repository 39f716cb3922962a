/* zip: the entries of a zip archive that are stored without compression, as torch.save writes them. */
#ifndef PB_ZIP_H
#define PB_ZIP_H

#include "base/map.h"

typedef struct pb_zip_entry {
    char *name;                /* with its folders: "archive/data/0" */
    const unsigned char *data; /* inside the map                     */
    size_t size;
} pb_zip_entry;

typedef struct pb_zip {
    pb_map file;
    pb_zip_entry *entry; /* sorted by name */
    size_t count;
} pb_zip;

/* Maps the archive and checks its directory: every entry must lie within the file, be stored as it is and have a name
 * of its own.  Zip64 is understood.  Checksums are not compared.  Returns -1 with "PATH: what is wrong"; then nothing
 * has to be closed. */
int pb_zip_open(pb_zip *z, const char *path);
void pb_zip_close(pb_zip *z);

/* The entry of this name; NULL if there is none. */
const pb_zip_entry *pb_zip_find(const pb_zip *z, const char *name);

#endif
