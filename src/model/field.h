/* field: what the fields of somebody else's JSON file mean to this program.
 *
 * A table holds every field that the format has, with its default there.  A field is either read, or harmless (no value
 * of it can change what is computed), or refused by name unless it has the default.  What a field's value may be is
 * checked for all of them. */
#ifndef PB_FIELD_H
#define PB_FIELD_H

#include "base/json.h"

typedef enum pb_field_use { PB_FIELD_READ, PB_FIELD_HARMLESS, PB_FIELD_REFUSED } pb_field_use;

typedef struct pb_field {
    const char *types;  /* the types of files that have the field, separated by spaces; "*": all of them    */
    const char *key;    /* its name                                                                         */
    const char *kinds;  /* what its value may be: "int", "number", "bool", "text", "list", "object", "null", or
                           several of these, separated by '|'                                               */
    const char *preset; /* the default, as JSON; NULL: the format's own program has no such field any more   */
    pb_field_use use;
} pb_field;

/* The row of a field of files of this type among the n rows of a table; NULL when the type has no such field. */
const pb_field *pb_field_in(const pb_field *table, size_t n, const char *type, const char *key);

/* Checks the value of a field: it is of the right kind, and null or at the default if the field is one of those that
 * are refused.  `path` and `whose` ("PEFT's") are for messages.  Returns -1 with an error that names the field. */
int pb_field_check(const pb_field *f, const char *path, const char *whose, const pb_json *value);

#endif
