/* settings: the names of settings, and lists of settings with their values.
 *
 * The canonical key of a setting is GROUP.NAME, or method.METHOD.NAME for a method's:
 *
 *     train.lr    model.precision    decode.max_new    task.max_train    method.lora.rank
 *
 * Databases and hashes contain canonical keys.  A user may omit "method.", and the group of a setting of training, of
 * the model or of decoding: lora.rank, lr, precision.  In an INI file the group is a section, with blanks instead of
 * dots, [method lora] rank.  A section can restrict a setting to a variant, [method lora:all], to a row, [train
 * lora:all], and to one of the experiment's tasks, [train@mrpc], [train@mrpc lora:all], [method@mrpc lora]; on the
 * command line this is train@mrpc.lr.  A section of a task overrides the same section without it, and one of a row or a
 * variant overrides both of all rows.  Values are texts, as pb_option_print writes them. */
#ifndef PB_SETTINGS_H
#define PB_SETTINGS_H

#include "base/option.h"

typedef struct pb_setting {
    char *key; /* canonical */
    char *value;
} pb_setting;

/* All settings of one run, each key once. */
typedef struct pb_settings {
    pb_setting *item; /* [count] */
    size_t count, capacity;
} pb_settings;

/* Frees the settings and leaves the list empty. */
void pb_settings_free(pb_settings *s);

/* ---- keys ------------------------------------------------------------------------------------------------ */

/* Splits a key as a user writes it into the section of an INI file and the name of the setting in it: "lr" ->
 * "train", "lr"; "lora:all.rank" and "method.lora:all.rank" -> "method lora:all", "rank".  Where the method is a preset
 * that is a composition, the name begins with a part of it: "supra.lora.rank" -> "method supra", "lora.rank".  The
 * caller frees both texts. */
void pb_settings_split(const char *written, char **section, char **name);

/* Returns the '=' that separates the key of an assignment KEY=VALUE, as a user writes it, from the value; NULL if
 * there is none.  It is not always the first one, since the key may contain the label of a row:
 * "train.lora:rank=4.lr=1e-3". */
const char *pb_settings_equals(const char *assignment);

/* Returns the short form of a canonical key, a pointer into it.  A sweep's choice and the table of results
 * use it.  "method.lora.rank" -> "lora.rank"; of any other group the name alone, "lr". */
const char *pb_settings_short(const char *key);

/* ---- making ---------------------------------------------------------------------------------------------- */

/* Adds a setting, or replaces the one of this key.  Returns -1 with an error if the value has more than one line. */
int pb_settings_put(pb_settings *s, const char *key, const char *value);

/* Adds GROUP.NAME for each option of a table, with its value in `conf`. */
void pb_settings_add(pb_settings *s, const char *group, const pb_option *table, const void *conf);

/* Sorts the settings by their lines "key=value". */
void pb_settings_sort(pb_settings *s);

/* Replaces settings by assignments KEY=VALUE, a NULL-ended list that may be NULL; KEY is written as a user writes it.
 * Returns -1 with an error if an assignment has no KEY or no '=', if there is no setting of this key (with the nearest
 * one), or if the key is "row". */
int pb_settings_override(pb_settings *s, const char *const *assignments);

/* ---- reading --------------------------------------------------------------------------------------------- */

/* Returns the value of a setting, given by its canonical key or as a user writes it; NULL if there is none. */
const char *pb_settings_get(const pb_settings *s, const char *written);

/* Sets the error "no setting 'x'; did you mean 'y'?" with the nearest key of `s`.  Returns -1. */
int pb_settings_unknown(const pb_settings *s, const char *written);

/* The inverse of pb_settings_add: sets the fields of `conf` from the settings GROUP.NAME.  Returns -1 with an error if
 * one of them is not in the table, or its value is not allowed. */
int pb_settings_fill(const pb_settings *s, const char *group, const pb_option *table, void *conf);

/* Appends a line "key=value\n" for each setting that has a value: the text that is hashed.  A setting without one, and
 * a later one with the value that stands for what was done before it, are the same as none, so that a run of a version
 * that did not know the setting is found.  `row` is the value of the
 * setting "row": the label with methods in the place of presets (pb_method_spec.resolved). */
void pb_settings_print(const pb_settings *s, const char *row, pb_text *out);

/* ---- values ---------------------------------------------------------------------------------------------- */

/* Returns whether two texts are the same value of an option, as 1e-3 and 0.001 are.  A text that is not allowed is the
 * same as no other. */
bool pb_settings_same_value(const pb_option *o, const char *a, const char *b);

#endif
