/* model_fields: what the fields of config.json and generation_config.json mean to this program.  Not for other
 * rooms.
 *
 * Two tables hold the fields that transformers 5.23 has, and those that older versions and other tools leave in
 * published checkpoints (field.h says what a row is).  tests/parity/check_config_fields.py compares the tables with an
 * installed transformers. */
#ifndef PB_MODEL_FIELDS_H
#define PB_MODEL_FIELDS_H

#include "model/field.h"

/* Checks all members of a config.json (`path` is for messages) of this model_type: every one is of the right kind, and
 * at its default if it is one of those that are refused.  A field that is not in the table is refused as well, unless
 * it is null, false, 0, empty, a text, or begins with '_': transformers ignores it, but where it is a number or a list
 * that somebody has set, the network may be another one than model_type says.  Returns -1 with an error that names the
 * field. */
int pb_network_config_check(const char *path, const pb_json *root, const char *model_type);

/* The same for a generation_config.json.  There, every unknown field is refused unless it is null or false. */
int pb_generation_config_check(const char *path, const pb_json *root);

#endif
