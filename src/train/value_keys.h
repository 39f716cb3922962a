/* value_keys: the keys under which the values of runs are stored (docs/metrics.md), so that a key that a person gives
 * can be checked before any run is there. */
#ifndef PB_VALUE_KEYS_H
#define PB_VALUE_KEYS_H

#include "train/task.h"

/* Returns whether a whole run of this kind of task can have a value under the key. */
bool pb_value_key_exists(const pb_task *task, const char *key);

/* Returns "; did you mean 'KEY'?" with the nearest key, or "" if there is none.  The caller frees the text. */
char *pb_value_key_near(const pb_task *task, const char *key);

#endif
