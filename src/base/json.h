/* json: reading JSON with places, writing it in order.  Over jansson (json.c is its
 * only includer).  A document is read whole and freed whole. */
#ifndef PB_JSON_H
#define PB_JSON_H

#include "base/base.h"

typedef struct pb_json pb_json; /* a value inside a document; not owned   */
typedef struct pb_json_doc pb_json_doc;

/* Parses text (`name` is used in messages).  NULL with "NAME:LINE:COLUMN: what" on failure;
 * duplicate keys and trailing text are refused, nesting is limited. */
pb_json_doc *pb_json_parse(const char *name, const char *text, size_t size);
pb_json_doc *pb_json_read(const char *path); /* a file */
void pb_json_free(pb_json_doc *doc);
const pb_json *pb_json_root(const pb_json_doc *doc);

/* All accept v == NULL (absent) and answer as for a value of the wrong kind. */
bool pb_json_is_object(const pb_json *v);
bool pb_json_is_array(const pb_json *v);
bool pb_json_is_null(const pb_json *v);                             /* JSON null, not absence   */
const pb_json *pb_json_get(const pb_json *object, const char *key); /* NULL if absent    */
size_t pb_json_size(const pb_json *v);                              /* of an array or object     */
const pb_json *pb_json_at(const pb_json *array, size_t i);          /* NULL out of range         */
const char *pb_json_text(const pb_json *v, const char *otherwise);  /* valid with the doc */
size_t pb_json_text_size(const pb_json *v);                         /* bytes; texts may hold NUL */
double pb_json_number(const pb_json *v, double otherwise);
long long pb_json_integer(const pb_json *v, long long otherwise);
bool pb_json_bool(const pb_json *v, bool otherwise);

/* A text as it is, a number or boolean as JSON writes it, null as "": a heap string, caller
 * frees.  NULL for an array, an object or a text with a NUL in it. */
char *pb_json_plain(const pb_json *v);

/* Visits the members of an object in the file's order; stops at the first nonzero return of
 * `visit` and returns it. */
int pb_json_each(const pb_json *object, int (*visit)(void *ctx, const char *key, const pb_json *value), void *ctx);

/* Appends a value as JSON on one line. */
void pb_json_print(const pb_json *v, pb_text *out);

/* Appends `text` as a JSON string with its quotes, escaping what must be; a byte that is not UTF-8 becomes U+FFFD,
 * because JSON has no other way to hold it. */
void pb_json_quote(pb_text *out, const char *text);
/* Appends a number to ten digits, or null where there is none (NaN, infinity). */
void pb_json_put(pb_text *out, double x);
void pb_json_quote_bytes(pb_text *out, const char *text, size_t n); /* n bytes, which may hold NUL */

#endif
