/* method_spec: how a method, or a composition of methods, is written.
 *
 *     SPEC = PART{+PART}      PART = NAME[:ITEM{,ITEM}]      ITEM = VARIANT | SETTING=VALUE
 *
 * such as "head", "lora:all", "lora:rank=4,alpha=8", "lora:all,rank=4" and "lora:rank=4+prefix".  NAME is that of a
 * method or of a preset, which stands for its method and settings: "dora:rank=4" is "lora:dora=yes,rank=4".  A preset
 * may be a composition, whose settings are written PART.SETTING: "mam:prefix.length=3".  Only the first item of a part
 * may be a variant, which is the name of a section [method NAME:VARIANT] of an experiment's file.
 * The parts are named from the outermost method inwards.  Blanks around the separators do not count. */
#ifndef PB_METHOD_SPEC_H
#define PB_METHOD_SPEC_H

#include "model/model.h"
#include "model/preset.h"

/* One method of a composition.  The texts belong to the spec. */
typedef struct pb_method_part {
    const pb_method *method;
    const char *name;                             /* as it was written: that of the method or of a preset */
    const char *member;                           /* the part's name in a preset that is a composition; else NULL */
    const char *variant;                          /* NULL if there is none */
    pb_written setting[2 * PB_MAX_PART_SETTINGS]; /* those of the preset, then those of the spec, which replace them */
    int presets, settings;                        /* number of the preset's; of all */
    char *preset_texts;                           /* holds the texts of the preset's settings */
} pb_method_part;

typedef struct pb_method_spec {
    char *label;    /* the spec as it was written, without blanks around the separators */
    char *resolved; /* the same with methods in the place of presets and the settings in alphabetical order, which is
                       hashed: that of "dora:rank=4" is "lora:dora=yes,rank=4" */
    pb_method_part part[PB_MAX_PARTS];
    int parts;
    char *texts; /* holds the texts of the parts */
} pb_method_spec;

/* Parses a spec.  Returns -1 with an error for an unknown method (with the nearest name), a method that is given twice,
 * or an item that is neither a variant nor SETTING=VALUE; there is nothing to free then.  The settings are checked when
 * they are applied.  The caller frees the spec with pb_method_spec_free. */
int pb_method_spec_parse(pb_method_spec *out, const char *text);

/* Returns the name of the setting that a key of the spec or of a section means to this part: the key itself, or
 * SETTING of MEMBER.SETTING for the part of a composition's preset.  NULL: the key means another part. */
const char *pb_method_part_setting(const pb_method_part *p, const char *key);

/* Sets the error for a key that no part of the preset means, to which part[parts] belongs.  Returns -1. */
int pb_method_part_unknown(const pb_method_part *part, int parts, const char *key);

/* Returns the spec without blanks around its separators, which is how labels are stored and compared.  The methods need
 * not exist.  The caller frees the text. */
char *pb_method_spec_normalize(const char *text);

/* Returns the text of `resolved` for a spec, or the normalized spec if it cannot be parsed, such as that of a method
 * that does not exist here.  There must be no pending error.  The caller frees the text. */
char *pb_method_spec_resolve(const char *text);

/* Returns whether two specs are the same text apart from blanks around separators. */
bool pb_method_spec_same(const char *a, const char *b);

/* Frees what a spec owns.  A spec of zeros is fine. */
void pb_method_spec_free(pb_method_spec *s);

/* Returns the next spec of a comma-separated list, or NULL at its end.  An item SETTING=VALUE, which has no ':' before
 * its '=', belongs to the spec before it: "head, lora:rank=4, alpha=8" holds two specs.  Moves *list on.  The caller
 * frees the text. */
char *pb_method_list_next(const char **list);

/* Makes the settings of each part: the defaults, then the settings of the spec.  Writes s->parts elements to
 * part[PB_MAX_PARTS].  Returns -1 with an error if a setting is unknown or its value is not allowed; there is
 * nothing to free then.  The caller frees them with pb_attached_free. */
int pb_method_spec_attach(const pb_method_spec *s, pb_attached *part);

/* Parses a spec without variants and makes the settings of its parts; "" has none.  Writes part[PB_MAX_PARTS] and their
 * number.  Returns -1 with an error, and there is nothing to free then. */
int pb_attached_parse(const char *text, pb_attached *part, int *parts);

/* Frees the settings of part[parts]. */
void pb_attached_free(pb_attached *part, int parts);

#endif
