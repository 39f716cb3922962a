/* json: see json.h. */
#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct pb_json_doc {
    json_t *root;
};

/* A pb_json is a json_t under another name; jansson iterates over non-const objects only. */
static json_t *inside(const pb_json *v)
{
    return (json_t *)(uintptr_t)v;
}

static const pb_json *outside(const json_t *v)
{
    return (const pb_json *)v;
}

/* ---- reading ------------------------------------------------------------------------------ */

pb_json_doc *pb_json_parse(const char *name, const char *text, size_t size)
{
    json_error_t where;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &where);
    if (!root) {
        pb_error("%s:%d:%d: %s", name, where.line, where.column < 0 ? 0 : where.column, where.text);
        return NULL;
    }
    pb_json_doc *doc = pb_alloc(sizeof *doc);
    doc->root = root;
    return doc;
}

pb_json_doc *pb_json_read(const char *path)
{
    size_t size;
    char *text = pb_read_file(path, &size);
    pb_json_doc *doc = text ? pb_json_parse(path, text, size) : NULL;
    free(text);
    return doc;
}

void pb_json_free(pb_json_doc *doc)
{
    if (doc)
        json_decref(doc->root);
    free(doc);
}

const pb_json *pb_json_root(const pb_json_doc *doc)
{
    return outside(doc->root);
}

/* ---- values ------------------------------------------------------------------------------- */

bool pb_json_is_object(const pb_json *v)
{
    return json_is_object(inside(v));
}

bool pb_json_is_array(const pb_json *v)
{
    return json_is_array(inside(v));
}

bool pb_json_is_null(const pb_json *v)
{
    return json_is_null(inside(v));
}

const pb_json *pb_json_get(const pb_json *object, const char *key)
{
    return outside(json_object_get(inside(object), key));
}

size_t pb_json_size(const pb_json *v)
{
    return pb_json_is_array(v) ? json_array_size(inside(v)) : json_object_size(inside(v));
}

const pb_json *pb_json_at(const pb_json *array, size_t i)
{
    return outside(json_array_get(inside(array), i));
}

const char *pb_json_text(const pb_json *v, const char *otherwise)
{
    return json_is_string(inside(v)) ? json_string_value(inside(v)) : otherwise;
}

size_t pb_json_text_size(const pb_json *v)
{
    return json_string_length(inside(v));
}

double pb_json_number(const pb_json *v, double otherwise)
{
    return json_is_number(inside(v)) ? json_number_value(inside(v)) : otherwise;
}

long long pb_json_integer(const pb_json *v, long long otherwise)
{
    return json_is_integer(inside(v)) ? json_integer_value(inside(v)) : otherwise;
}

bool pb_json_bool(const pb_json *v, bool otherwise)
{
    return json_is_boolean(inside(v)) ? json_is_true(inside(v)) : otherwise;
}

char *pb_json_plain(const pb_json *v)
{
    const char *text = pb_json_text(v, NULL);
    if (text)
        return strlen(text) == pb_json_text_size(v) ? pb_strdup(text) : NULL;
    if (!v || pb_json_is_array(v) || pb_json_is_object(v))
        return NULL;
    if (pb_json_is_null(v))
        return pb_strdup("");
    return json_dumps(inside(v), JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

int pb_json_each(const pb_json *object, int (*visit)(void *ctx, const char *key, const pb_json *value), void *ctx)
{
    json_t *o = inside(object);
    for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at)) {
        int rc = visit(ctx, json_object_iter_key(at), outside(json_object_iter_value(at)));
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

void pb_json_print(const pb_json *v, pb_text *out)
{
    char *text = json_dumps(inside(v), JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
    pb_text_add(out, "%s", text ? text : "null");
    free(text);
}

void pb_json_canonical(const pb_json *v, pb_text *out)
{
    char *text = json_dumps(inside(v), JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
    pb_text_add(out, "%s", text ? text : "null");
    free(text);
}

void pb_json_quote_bytes(pb_text *out, const char *text, size_t n)
{
    pb_text_bytes(out, "\"", 1);
    for (size_t length; n; text += length, n -= length) {
        int32_t c;
        length = pb_utf8_next(text, n, &c);
        if (c == '"' || c == '\\')
            pb_text_add(out, "\\%c", (char)c);
        else if (c == '\n' || c == '\t')
            pb_text_add(out, "\\%c", c == '\n' ? 'n' : 't');
        else if (c < 0x20)
            pb_text_add(out, "\\u%04x", (unsigned)c);
        else
            pb_utf8_add(out, c);
    }
    pb_text_bytes(out, "\"", 1);
}

void pb_json_quote(pb_text *out, const char *text)
{
    pb_json_quote_bytes(out, text, strlen(text));
}

void pb_json_put(pb_text *out, double x)
{
    if (isfinite(x))
        pb_text_add(out, "%.10g", x);
    else
        pb_text_add(out, "null");
}

void pb_json_member(pb_text *out, const char *name, double x)
{
    pb_text_add(out, ",\"%s\":", name);
    pb_json_put(out, x);
}
