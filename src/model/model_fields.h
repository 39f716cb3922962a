/* model_fields: the supported fields of config.json and generation_config.json.  Not for other rooms.
 *
 * Two tables list the fields of transformers 5.23, and those that older versions and other tools leave in published
 * checkpoints; field.h describes a row.  tests/parity/check_config_fields.py compares the tables with an installed
 * transformers. */
#ifndef PB_MODEL_FIELDS_H
#define PB_MODEL_FIELDS_H

#include "model/field.h"

/* Checks all members of a config.json of this model_type; `path` is for messages.  Every member must have a value of
 * the right kind, and a refused field must have its default.  A field that is not in the table is refused as well
 * unless it is null, false, 0, empty, a string, or its name begins with '_': transformers ignores it, but a number or a
 * list may change the network.  Returns -1 with an error that names the field. */
int pb_network_config_check(const char *path, const pb_json *root, const char *model_type);

/* Appends the members of such a config.json that are read, a line `KEY=VALUE` each, always in the same order.  Members
 * that change no result, such as transformers_version, are left out. */
void pb_network_config_print(const pb_json *root, const char *model_type, pb_text *out);

/* Checks a generation_config.json as pb_network_config_check does, but refuses every unknown field unless it is null or
 * false. */
int pb_generation_config_check(const char *path, const pb_json *root);

#endif
