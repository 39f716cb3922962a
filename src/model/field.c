/* field: see field.h. */
#include "model/field.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* True if `word` is one of the words of `list`, which are separated by `separator`. */
static bool listed(const char *list, char separator, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == separator) && (!at[n] || at[n] == separator))
            return true;
    return false;
}

const pb_field *pb_field_in(const pb_field *table, size_t n, const char *type, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(table[i].key, key) && (!strcmp(table[i].types, "*") || listed(table[i].types, ' ', type)))
            return &table[i];
    return NULL;
}

static bool is_kind(const char *kinds, const pb_json *v)
{
    bool is_bool = pb_json_bool(v, false) == pb_json_bool(v, true);
    bool is_int = pb_json_integer(v, LLONG_MIN) != LLONG_MIN;
    return (listed(kinds, '|', "null") && pb_json_is_null(v)) || (listed(kinds, '|', "bool") && is_bool) ||
           (listed(kinds, '|', "int") && is_int) || (listed(kinds, '|', "number") && !isnan(pb_json_number(v, NAN))) ||
           (listed(kinds, '|', "text") && pb_json_text(v, NULL)) ||
           (listed(kinds, '|', "list") && pb_json_is_array(v)) ||
           (listed(kinds, '|', "object") && pb_json_is_object(v));
}

/* Numbers are compared by value (1 equals 1.0), everything else as text. */
static bool is_default(const char *default_value, const pb_json *value, const char *written)
{
    if (pb_json_is_null(value) || !default_value)
        return pb_json_is_null(value);
    pb_json_doc *doc = pb_json_parse("default", default_value, strlen(default_value));
    PB_CHECK(doc);
    double number = pb_json_number(pb_json_root(doc), NAN);
    bool same = isnan(number) ? !strcmp(written, default_value) : number == pb_json_number(value, NAN);
    pb_json_free(doc);
    return same;
}

int pb_field_check(const pb_field *f, const char *path, const char *whose, const pb_json *value)
{
    pb_text got = {0};
    pb_json_print(value, &got);
    int rc = 0;
    if (!is_kind(f->kinds, value))
        rc = pb_error("%s: %s: want %s, got %s", path, f->key, f->kinds, got.data);
    else if (f->use == PB_FIELD_REFUSED && !is_default(f->default_value, value, got.data))
        rc = pb_error("%s: %s: want %s, %s default, got %s: that is not supported", path, f->key,
                      f->default_value ? f->default_value : "null", whose, got.data);
    pb_text_free(&got);
    return rc;
}
