/* adapter_fields: the members of PEFT's adapter_config.json.  Not for other rooms.
 *
 * The table holds every member that PEFT 0.21 writes for the types of adapters that can be read here, with PEFT's
 * default.  A member that is not in the table is refused by name.  tests/parity/check_fields.py compares the table with
 * the dataclasses of an installed PEFT. */
#ifndef PB_ADAPTER_FIELDS_H
#define PB_ADAPTER_FIELDS_H

#include "model/field.h"
#include "model/method.h"

/* Returns row i of the table, from 0, or NULL past the last row. */
const pb_field *pb_field_at(int i);

/* Returns the row of a member of adapters of this type, or NULL if the type has no such member. */
const pb_field *pb_field_find(const char *type, const char *key);

/* True if the type puts rows in front of the text or of its keys and values. */
bool pb_peft_is_prompt(const pb_peft *peft);

/* True if PEFT saves modules whole beside the type's tensors, such as a head. */
bool pb_peft_saves_modules(const pb_peft *peft);

/* True if PEFT applies a type to a Conv1D, in which GPT-2 has its projections, or to no projection at all. */
bool pb_peft_has_conv1d(const pb_peft *peft);

/* Checks that every member of adapter_config.json is known and allowed (pb_field_check).  What the table refuses is
 * read where `peft` has a key for it; and what `peft` has is known, because the table has no rows for a plugin's type. 
 * `path` is for messages. Returns -1 with an error that names the member. */
int pb_fields_check(const char *path, const pb_json *root, const pb_peft *peft);

#endif
