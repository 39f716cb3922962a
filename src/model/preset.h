/* preset: names of their own for settings of a method, such as rslora for lora:rslora=yes, and for compositions, such
 * as supra for supertuning+lora:targets=*. */
#ifndef PB_PRESET_H
#define PB_PRESET_H

#include "model/method.h"

/* The i-th preset, from 0: those of all methods in the order of pb_method_at, then the compositions of pb_presets.
 * Sets *method to its method, NULL for a composition.  Returns NULL past the last preset. */
const pb_preset *pb_preset_at(int i, const pb_method **method);

/* Returns the preset of this name and sets *method to its method, NULL for a composition; NULL if there is none. */
const pb_preset *pb_preset_find(const char *name, const pb_method **method);

/* Returns the name of the method or preset that is nearest to `word`, for "did you mean"; NULL if none is near.  `also`
 * are further names, ended by NULL; NULL: none. */
const char *pb_nearest_method(const char *word, const char *const *also);

/* Returns whether a name may be that of a method or a preset: fewer than 32 of a-z, 0-9 and '-', which are safe in the
 * lists of an experiment's file and in the name of a tensor. */
bool pb_is_method_name(const char *name);

/* Returns the length of the first part of a spec, up to the '+' behind it; that of a number such as 1e+06, as messages
 * print it, is inside the part. */
size_t pb_part_length(const char *spec);

enum { PB_MAX_PARTS = 8, PB_MAX_PART_SETTINGS = 32 };

/* A setting as it is written, unchecked. */
typedef struct pb_written {
    const char *key, *value;
} pb_written;

/* A method of those that a preset stands for, with its settings, each key once. */
typedef struct pb_preset_part {
    const pb_method *method;
    const char
        *name; /* of a composition's part, as the spec has it: that of a method or of a method's preset; else NULL */
    pb_written setting[PB_MAX_PART_SETTINGS];
    int settings;
    char *text; /* holds the texts */
} pb_preset_part;

/* Writes what a preset of the method (NULL: a composition) stands for to out[PB_MAX_PARTS].  Returns the number of its
 * parts, or -1 with an error for a spec of another form or of an unknown method; there is nothing to free then. */
int pb_preset_expand(const pb_preset *p, const pb_method *method, pb_preset_part *out);

/* Frees the texts of out[parts]. */
void pb_preset_parts_free(pb_preset_part *part, int parts);

/* Checks the presets of a method that is in the list of methods or about to be added.  Returns -1 with an error if a
 * name is not allowed, is that of a method or of another preset, or if a spec is not a list of settings that the method
 * has, with values that are allowed. */
int pb_presets_check(const pb_method *m);

/* Checks those of all methods of pb_methods, and the compositions of pb_presets. */
int pb_presets_check_all(void);

#endif
