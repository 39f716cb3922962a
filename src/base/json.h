/* json: reads JSON, with locations in messages, and writes it.  json.c is the only file that includes jansson. */
#ifndef PB_JSON_H
#define PB_JSON_H

#include "base/base.h"

/* A document, which owns its values, and a value inside it, which is valid until the document is freed. */
typedef struct pb_json_doc pb_json_doc;
typedef struct pb_json pb_json;

/* Parses a text of `size` bytes, or a file.  `name` is the file's name in messages.  Duplicate keys and text after the
 * value are refused, and the depth is limited.  Both return NULL with "NAME:LINE:COLUMN: REASON" on failure.  The
 * caller frees the document with pb_json_free; NULL is allowed there. */
pb_json_doc *pb_json_parse(const char *name, const char *text, size_t size);
pb_json_doc *pb_json_read(const char *path);
void pb_json_free(pb_json_doc *doc);

/* Returns the outermost value. */
const pb_json *pb_json_root(const pb_json_doc *doc);

/* In all functions below v may be NULL (an absent value) and is then treated as a value of another type. */

/* Return whether the value has this type.  An absent value is not a JSON null. */
bool pb_json_is_object(const pb_json *v);
bool pb_json_is_array(const pb_json *v);
bool pb_json_is_null(const pb_json *v);

/* Returns the value of a key, or NULL if the object does not have it. */
const pb_json *pb_json_get(const pb_json *object, const char *key);

/* Returns the number of elements of an array or of members of an object, and 0 for other types. */
size_t pb_json_size(const pb_json *v);

/* Returns element i, or NULL if i is out of range. */
const pb_json *pb_json_at(const pb_json *array, size_t i);

/* Return the value converted to C, or `otherwise` if it has another type. */
const char *pb_json_text(const pb_json *v, const char *otherwise); /* owned by the document */
double pb_json_number(const pb_json *v, double otherwise);
long long pb_json_integer(const pb_json *v, long long otherwise);
bool pb_json_bool(const pb_json *v, bool otherwise);

/* Returns the size of a text in bytes, which may include NULs, and 0 for other types. */
size_t pb_json_text_size(const pb_json *v);

/* Returns a text as it is, a number or boolean as JSON writes it, and "" for null, on the heap; the caller frees it.
 * Returns NULL for an array, an object, or a text that contains a NUL. */
char *pb_json_plain(const pb_json *v);

/* Visits the members of an object in the order of the file.  Stops at the first nonzero value that `visit` returns, and
 * returns that value; otherwise returns 0. */
int pb_json_each(const pb_json *object, int (*visit)(void *ctx, const char *key, const pb_json *value), void *ctx);

/* Appends a value as JSON on one line. */
void pb_json_print(const pb_json *v, pb_text *out);

/* The same without blanks and with the members of every object sorted by name: files that differ in layout alone have
 * the same text. */
void pb_json_canonical(const pb_json *v, pb_text *out);

/* Append a text, or n bytes, which may include NULs, as a JSON string with quotes and escapes.  A byte that is not
 * UTF-8 becomes U+FFFD, because JSON cannot represent it. */
void pb_json_quote(pb_text *out, const char *text);
void pb_json_quote_bytes(pb_text *out, const char *text, size_t n);

/* Appends a number with ten significant digits, or null for NaN and infinity. */
void pb_json_put(pb_text *out, double x);

/* Appends `,"NAME":x`, a further member of an object; the name needs no escape. */
void pb_json_member(pb_text *out, const char *name, double x);

#endif
