/* ini_file: an INI file as a list of entries with their places.  ini_file.c is the only
 * includer of ini.h. */
#ifndef PB_INI_FILE_H
#define PB_INI_FILE_H

#include "base/interner.h"
#include "base/option.h"

typedef struct pb_entry {
    char *section; /* "method lora:all", blanks inside as single ones              */
    char *key;     /* NULL: the line that opens a section                           */
    char *value;
    char *place; /* "experiments/a.ini:12" or "--set train.lr=1": for messages    */
    bool used;   /* somebody asked for it                                         */
} pb_entry;

typedef struct pb_ini {
    char *path;
    pb_entry *entry; /* in the file's order */
    size_t entries, capacity;
    pb_index name; /* of an entry that has a key: section, NUL, key -> its index in `entry` */
} pb_ini;

/* Reads a file.  NULL with "PATH:LINE: what is wrong, what would be right": a line that is too
 * long or indented, no `key = value`, a key outside of a section or given twice. */
pb_ini *pb_ini_read(const char *path);
void pb_ini_free(pb_ini *ini);

/* An empty list of entries that are not of a file; `path` is its name in messages. */
pb_ini *pb_ini_new(const char *path);

/* Adds an entry whose value is all of `value`, whatever stands in it; `key` NULL: the section alone.  -1 with an error
 * if the entry is there already, or the value is of more than one line. */
int pb_ini_add(pb_ini *ini, const char *section, const char *key, const char *value, const char *place);

/* Adds or replaces an entry by "section.key=value"; dots stand for the blanks of a section's name
 * ("method.lora.rank=8"), and "key=value" is of [train].  -1 with an error. */
int pb_ini_set(pb_ini *ini, const char *assignment);

/* The entry, marked as used; NULL if there is none. */
pb_entry *pb_ini_find(pb_ini *ini, const char *section, const char *key);

/* Sets the field that the entry names; -1 with PLACE: message. */
int pb_ini_apply(const pb_option *options, void *conf, const pb_entry *e);

/* Sets every entry of a section, which may be absent, and marks it as used. */
int pb_ini_fill(pb_ini *ini, const char *section, const pb_option *options, void *conf);

/* Puts the entry's place before the pending error and returns -1. */
int pb_ini_blame(const pb_entry *e);

#endif
