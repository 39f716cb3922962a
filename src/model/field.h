/* field: tables of the members that a JSON file of another program may have (PEFT's adapter_config.json, transformers'
 * config.json and generation_config.json).
 *
 * A table holds every member of the format with its default there.  A member is read, or harmless (no value of it
 * changes the results), or refused unless it has its default.  The kind of value is checked for all of them. */
#ifndef PB_FIELD_H
#define PB_FIELD_H

#include "base/json.h"

typedef enum pb_field_use { PB_FIELD_READ, PB_FIELD_HARMLESS, PB_FIELD_REFUSED } pb_field_use;

typedef struct pb_field {
    const char *types;         /* the types of files that have the member, separated by spaces; "*": all of them */
    const char *key;           /* its name                                                                       */
    const char *kinds;         /* what its value may be: "int", "number", "bool", "text", "list", "object", "null", or
                             several of these, separated by '|'                                             */
    const char *default_value; /* as JSON; NULL: the other program no longer has such a member */
    pb_field_use use;
} pb_field;

/* Returns the row of a member of files of this type among the n rows of a table, or NULL if the type has no such
 * member. */
const pb_field *pb_field_in(const pb_field *table, size_t n, const char *type, const char *key);

/* Checks that a member's value is of the right kind and, if the member is refused, null or the default.  `path` and
 * `whose` ("PEFT's") are for messages.  Returns -1 with an error that names the member. */
int pb_field_check(const pb_field *f, const char *path, const char *whose, const pb_json *value);

#endif
