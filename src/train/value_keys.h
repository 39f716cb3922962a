/* value_keys: the keys under which the values of runs are stored (docs/metrics.md), so that a key that a person gives
 * can be checked before any run is there.  The list cannot lag behind what is measured, because pb_result_put takes no
 * key that is not in it. */
#ifndef PB_VALUE_KEYS_H
#define PB_VALUE_KEYS_H

#include "train/task.h"

/* Returns whether a whole run of this kind of task, or of any kind if it is NULL, can have a value under the key. */
bool pb_value_key_exists(const pb_task *task, const char *key);

/* Returns whether a run of any kind of task may store a value under the key: of the whole run or, with `of_curve`, of
 * a point of a curve. */
bool pb_value_key_may_be_stored(const char *key, bool of_curve);

/* Returns "; did you mean 'KEY'?" with the nearest key, or "" if there is none.  The caller frees the text. */
char *pb_value_key_near(const pb_task *task, const char *key);

#endif
