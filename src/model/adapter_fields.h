/* adapter_fields: what the fields of PEFT's adapter_config.json mean to this program.  Not for other rooms.
 *
 * One table holds every field that PEFT 0.21 writes for the types of adapters that are read here, with PEFT's
 * default.  A field is either read, or harmless (no value of it can change what is computed from a saved adapter),
 * or refused by name unless it has PEFT's default.  A field that is not in the table is refused by name as well.
 * tests/parity/check_fields.py compares the table with the dataclasses of an installed PEFT. */
#ifndef PB_ADAPTER_FIELDS_H
#define PB_ADAPTER_FIELDS_H

#include "model/field.h"
#include "model/method.h"

/* The i-th row of the table, counted from 0; NULL when there are not that many. */
const pb_field *pb_field_at(int i);

/* The row of a field of adapters of this type; NULL when the type has no such field. */
const pb_field *pb_field_find(const char *type, const char *key);

/* Checks all members of adapter_config.json (`path` is for messages): every one is known, of the right kind, and at
 * PEFT's default if it is one of those that are refused.  `peft` is the method's own description, whose keys are
 * known too; it is what there is for a type that a plugin brings.  Returns -1 with an error that names the field. */
int pb_fields_check(const char *path, const pb_json *root, const pb_peft *peft);

#endif
