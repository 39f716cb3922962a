/* ini_file: an INI file as a list of entries with their locations.  ini_file.c is the only file that includes
 * ini.h. */
#ifndef PB_INI_FILE_H
#define PB_INI_FILE_H

#include "base/interner.h"
#include "base/option.h"

/* Where a part of a value is written that does not stand in the first line. */
typedef struct pb_continued {
    size_t at; /* offset in the value */
    char *location;
} pb_continued;

typedef struct pb_entry {
    char *section; /* "method lora:all", with single blanks, and without blanks around : , = + */
    char *key;     /* NULL for the line that opens a section */
    char *value;
    char *location;          /* "experiments/a.ini:12" or "--set train.lr=1", for messages */
    pb_continued *continued; /* [continuations] the lines that continue the value */
    size_t continuations, continued_capacity;
    bool used;     /* whether the entry was read; an entry that was not is an error of the file */
    bool in_force; /* whether a row takes this value: no entry that is more specific replaces it in every row */
} pb_entry;

typedef struct pb_ini {
    char *path;
    pb_entry *entry; /* [entries] in the file's order */
    size_t entries, capacity;
    pb_index name; /* of an entry that has a key: section, NUL, key -> its index in `entry` */
} pb_ini;

/* Reads a file.  An indented line continues a list whose line above ends with a comma.  Returns NULL with "PATH:LINE:
 * what is wrong, what would be right" for any other indented line, a line that is too long, a line without
 * `key = value`, and a key outside of a section or given twice.  The caller frees it with pb_ini_free. */
pb_ini *pb_ini_read(const char *path);

/* Returns a file without entries; `path` stands for its name in messages.  The caller frees it with pb_ini_free. */
pb_ini *pb_ini_new(const char *path);

/* Adds or replaces an entry.  `location` stands for its place in messages. */
void pb_ini_put(pb_ini *ini, const char *section, const char *key, const char *value, const char *location);

/* Returns whether the file has a section of this name, which may be empty. */
bool pb_ini_has(const pb_ini *ini, const char *section);

/* Frees the entries of a file; NULL is allowed. */
void pb_ini_free(pb_ini *ini);

/* Adds or replaces an entry by an assignment KEY=VALUE of --set, whose key is written as settings.h describes.  Returns
 * -1 with an error if it is not an assignment, or if the value has more than one line. */
int pb_ini_set(pb_ini *ini, const char *assignment);

/* Returns whether the entry is an assignment of --set. */
bool pb_ini_is_override(const pb_entry *e);

/* Returns the entry, marked as used, or NULL if there is none. */
pb_entry *pb_ini_find(pb_ini *ini, const char *section, const char *key);

/* Sets the field of `conf` that the entry names.  Returns -1 with "LOCATION: message" if it cannot. */
int pb_ini_apply(const pb_option *options, void *conf, const pb_entry *e);

/* Applies every entry of a section, which may be absent, and marks it as used.  Returns -1 with an error at the first
 * entry that cannot be applied. */
int pb_ini_fill(pb_ini *ini, const char *section, const pb_option *options, void *conf);

/* Returns the location of the line on which the part of the value begins that is at this offset. */
const char *pb_ini_location(const pb_entry *e, size_t at);

/* Puts the location of the entry in front of the pending error.  Returns -1. */
int pb_ini_blame(const pb_entry *e);

#endif
