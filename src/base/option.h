/* option: tables that describe a struct of settings.
 *
 * A plugin declares its settings once, as rows {name, type, offset, default, min, max, help};
 * the engine allocates the struct, fills the defaults, parses and range-checks values, prints
 * them and lists the allowed ones.  No plugin parses a string.
 */
#ifndef PB_OPTION_H
#define PB_OPTION_H

#include "base/base.h"

typedef enum pb_option_type {
    PB_INT,    /* int                                                  */
    PB_REAL,   /* double                                               */
    PB_BOOL,   /* bool: yes/no, true/false, on/off, 1/0                */
    PB_TEXT,   /* const char *: copied, owned by the filled struct's owner */
    PB_CHOICE, /* int index into `choices`                             */
} pb_option_type;

typedef struct pb_option {
    const char *name;
    pb_option_type type;
    size_t offset;       /* of the field in the settings struct, by offsetof        */
    const char *preset;  /* the default, as it would be written in the file         */
    double min, max;     /* inclusive, for PB_INT and PB_REAL                        */
    const char *choices; /* PB_CHOICE: "relu|gelu|tanh"                              */
    const char *help;    /* one line                                                */
} pb_option;

/* A table ends with a row whose name is NULL; a NULL table is an empty one. */

/* Fills every field of `conf` from the defaults.  A bad default is a bug. */
void pb_option_defaults(const pb_option *table, void *conf);

/* Parses `value` into the field `name`.  -1 with "name: want WHAT, got VALUE" (or, for an
 * unknown name, "no setting 'x'; did you mean 'y'? allowed: ..."), the struct unchanged. */
int pb_option_set(const pb_option *table, void *conf, const char *name, const char *value);

/* The row called `name`, or NULL. */
const pb_option *pb_option_find(const pb_option *table, const char *name);

/* Appends the field's value as it would be written in the file; exact (round-trips). */
void pb_option_print(const pb_option *row, const void *conf, pb_text *out);

/* Frees the texts of a filled struct (not the struct). */
void pb_option_release(const pb_option *table, void *conf);

/* The member of the NULL-ended list `names` nearest to `word` by edit distance, or NULL when
 * nothing is near: for "did you mean". */
const char *pb_nearest(const char *word, const char *const *names);

#endif
