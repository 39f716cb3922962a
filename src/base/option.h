/* option: tables that describe a struct of settings.
 *
 * A method, a task or a part of the engine declares its settings once, as a table with one PB_OPTION row a setting.
 * The engine allocates the struct, fills in the defaults, parses values, checks their range and prints them.
 */
#ifndef PB_OPTION_H
#define PB_OPTION_H

#include "base/base.h"
#include "base/each.h"

typedef enum pb_option_type {
    PB_INT,    /* int                                                         */
    PB_REAL,   /* double                                                      */
    PB_BOOL,   /* bool: yes/no, true/false, on/off, 1/0                       */
    PB_TEXT,   /* const char *: a copy that pb_option_release() frees         */
    PB_CHOICE, /* int: an index into the words of `choices`                   */
} pb_option_type;

typedef struct pb_option {
    const char *name; /* the key in the settings file */
    pb_option_type type;
    size_t offset;             /* of the field in the settings struct                     */
    const char *default_value; /* written as in the settings file                         */
    double min, max;           /* the allowed range, ends included; for PB_INT and PB_REAL */
    const char *choices;       /* "relu|gelu|tanh", for PB_CHOICE                          */
    const char *help;          /* one line                                                 */
    bool file;                 /* a PB_TEXT is the name of a file of the task, see pb_data_find */
} pb_option;

/* One row of an option table: the setting that the field `field` of the struct type `conf` holds.  Its key is the
 * field's name.  `kind` says which arguments follow; a field of another C type than the kind's does not compile.
 *
 *     PB_OPTION(conf, rank, INT, "8", 1, 4096, "r, the rank of B A")      int: default, minimum, maximum, help
 *     PB_OPTION(conf, alpha, REAL, "16", 0, 1e6, "the scale's numerator") double: default, minimum, maximum, help
 *     PB_OPTION(conf, rslora, BOOL, "no", "scale by alpha / sqrt(r)")     bool: default, help
 *     PB_OPTION(conf, targets, TEXT, "attn.*", "projections to adapt")    const char *: default, help
 *     PB_OPTION(conf, train, FILE, "", "training examples")               const char *: default, help
 *     PB_OPTION(conf, act, CHOICE, "gelu", "relu|gelu", "activation")     int: default, choices, help
 */
#define PB_OPTION(conf, field, kind, ...) PB_OPTION_NAMED(#field, conf, field, kind, __VA_ARGS__)

/* The same for a setting whose key differs from the field's name. */
#define PB_OPTION_NAMED(key, conf, field, kind, ...)                                                                   \
    {                                                                                                                  \
        .name = key, .offset = offsetof(conf, field), PB_OPTION_##kind(((conf *)0)->field, __VA_ARGS__)                \
    }

/* The parts of a row that differ by kind.  _Generic has no case for a field of another type. */
#define PB_OPTION_INT(field, value, low, high, text)                                                                   \
    .type = _Generic((field), int : PB_INT), .default_value = value, .min = low, .max = high, .help = text
#define PB_OPTION_REAL(field, value, low, high, text)                                                                  \
    .type = _Generic((field), double : PB_REAL), .default_value = value, .min = low, .max = high, .help = text
#define PB_OPTION_BOOL(field, value, text)                                                                             \
    .type = _Generic((field), bool : PB_BOOL), .default_value = value, .help = text
#define PB_OPTION_TEXT(field, value, text)                                                                             \
    .type = _Generic((field), const char * : PB_TEXT), .default_value = value, .help = text
#define PB_OPTION_FILE(field, value, text) PB_OPTION_TEXT(field, value, text), .file = true
#define PB_OPTION_CHOICE(field, value, allowed, text)                                                                  \
    .type = _Generic((field), int : PB_CHOICE), .default_value = value, .choices = allowed, .help = text

/* The settings of a plugin, one line each: declares the struct type `conf` and its table of rows, `options`.
 *
 *     PB_SETTINGS(INT(rank, "8", 1, 4096, "r, the rank of B A"),
 *                 TEXT(targets, "attn.*", "projections to adapt"));
 *
 * is the same as
 *
 *     typedef struct conf { int rank; const char *targets; } conf;
 *     static const pb_option options[] = {
 *         PB_OPTION(conf, rank, INT, "8", 1, 4096, "r, the rank of B A"),
 *         PB_OPTION(conf, targets, TEXT, "attn.*", "projections to adapt"),
 *         {0}};
 *
 * There are at most 16.  A kind K is two macros: PB_FIELD_K is the field of the struct, and PB_SETTING_K the row.
 * Other headers have kinds for several settings that belong together (model/low_rank.h). */
#define PB_SETTINGS(...)                                                                                               \
    typedef struct conf {                                                                                              \
        PB_EACH(PB_FIELD_OF, __VA_ARGS__)                                                                              \
    } conf;                                                                                                            \
    static const pb_option options[] = {PB_EACH(PB_SETTING_ROWS_OF, __VA_ARGS__){0}}
#define PB_FIELD_OF(setting) PB_FIELD_##setting;
#define PB_SETTING_ROWS_OF(setting) PB_SETTING_##setting,

#define PB_FIELD_INT(field, ...) int field
#define PB_FIELD_REAL(field, ...) double field
#define PB_FIELD_BOOL(field, ...) bool field
#define PB_FIELD_TEXT(field, ...) const char *field
#define PB_FIELD_CHOICE(field, ...) int field
#define PB_SETTING_INT(field, ...) PB_OPTION(conf, field, INT, __VA_ARGS__)
#define PB_SETTING_REAL(field, ...) PB_OPTION(conf, field, REAL, __VA_ARGS__)
#define PB_SETTING_BOOL(field, ...) PB_OPTION(conf, field, BOOL, __VA_ARGS__)
#define PB_SETTING_TEXT(field, ...) PB_OPTION(conf, field, TEXT, __VA_ARGS__)
#define PB_SETTING_CHOICE(field, ...) PB_OPTION(conf, field, CHOICE, __VA_ARGS__)

/* In all functions below a table ends with a row whose name is NULL, and NULL is an empty table. */

/* Fills every field of `conf` with its default, whatever it held before.  Aborts if a default is not a valid value. */
void pb_option_defaults(const pb_option *table, void *conf);

/* Parses `value` into the field of the setting `name` and returns 0.  Returns -1 with an error and leaves the struct
 * unchanged if the value is not allowed ("name: want WHAT, got VALUE") or the table has no such setting
 * ("no setting 'x'; did you mean 'y'? allowed: ..."). */
int pb_option_set(const pb_option *table, void *conf, const char *name, const char *value);

/* Returns the row of the setting `name`, or NULL if the table has none. */
const pb_option *pb_option_find(const pb_option *table, const char *name);

/* Appends the field's value as it is written in a settings file.  Parsing the text gives exactly the same value. */
void pb_option_print(const pb_option *row, const void *conf, pb_text *out);

/* Frees the texts of a filled struct and sets them to NULL.  The caller frees the struct. */
void pb_option_release(const pb_option *table, void *conf);

/* Returns the member of the NULL-ended list `names` with the smallest edit distance to `word`, for "did you mean".
 * Returns NULL if more than half of the word would have to change. */
const char *pb_nearest(const char *word, const char *const *names);

/* Returns "; did you mean 'NAME'?" with the nearest name, or "" if there is none.  The caller frees the text. */
char *pb_did_you_mean(const char *word, const char *const *names);

#endif
