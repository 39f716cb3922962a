/* preset: names of their own for settings of a method, such as rslora for lora:rslora=yes. */
#ifndef PB_PRESET_H
#define PB_PRESET_H

#include "model/method.h"

/* The i-th preset of all methods, from 0, in the order of pb_method_at.  Sets *method to its method.  Returns NULL past
 * the last preset. */
const pb_preset *pb_preset_at(int i, const pb_method **method);

/* Returns the preset of this name and sets *method to its method; NULL if there is none. */
const pb_preset *pb_preset_find(const char *name, const pb_method **method);

/* Returns the name of the method or preset that is nearest to `word`, for "did you mean"; NULL if none is near.  `also`
 * are further names, ended by NULL; NULL: none. */
const char *pb_nearest_method(const char *word, const char *const *also);

/* Returns whether a name may be that of a method or a preset: fewer than 32 of a-z, 0-9 and '-', which are safe in the
 * lists of an experiment's file and in the name of a tensor. */
bool pb_is_method_name(const char *name);

/* A setting as it is written, unchecked. */
typedef struct pb_written {
    const char *key, *value;
} pb_written;

/* Splits `copy`, a copy of the preset's spec "KEY=VALUE,KEY=VALUE", in place: out[most] points into it.  Returns the
 * number of settings, or -1 with an error for a spec of another form, such as that of a composition. */
int pb_preset_split(const pb_preset *p, char *copy, pb_written *out, int most);

/* Checks the presets of a method that is in the list of methods or about to be added.  Returns -1 with an error if a
 * name is not allowed, is that of a method or of another preset, or if a spec is not a list of settings that the method
 * has, with values that are allowed. */
int pb_presets_check(const pb_method *m);

/* Checks those of all methods of pb_methods. */
int pb_presets_check_all(void);

#endif
