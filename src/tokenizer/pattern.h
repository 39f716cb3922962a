/* pattern: regular expressions.  pattern.c is the only file that includes PCRE2.
 *
 * A match may use any amount of memory.  If it takes too many steps (an expression such as (a+)+b on a text of many a),
 * the functions report an error that names the expression and the text; they do not report "no match". */
#ifndef PB_PATTERN_H
#define PB_PATTERN_H

#include "base/base.h"

/* A compiled expression.  It keeps the state of its last match, so that two threads must not use one at a time. */
typedef struct pb_pattern pb_pattern;

/* Compiles an expression in the syntax of the tokenizers library (Oniguruma).  Messages begin with `where`.  Returns
 * NULL with an error if the expression is malformed or uses syntax that has another meaning in PCRE2.  The caller
 * frees the pattern; NULL is allowed in pb_pattern_free. */
pb_pattern *pb_pattern_compile(const char *where, const char *expression);
void pb_pattern_free(pb_pattern *p);

/* Returns an expression that matches exactly this text, on the heap; the caller frees it. */
char *pb_pattern_literal(const char *text);

/* Is called with a match, or with the text between two matches. */
typedef void pb_pattern_visit(void *ctx, const char *text, size_t size, bool match);

/* Visits, in order, the matches in `size` bytes of valid UTF-8 and the text between them.  A match may be empty; the
 * text between two matches is visited only if it is not.  Returns -1 with an error if matching takes too many steps. */
int pb_pattern_each(pb_pattern *p, const char *text, size_t size, pb_pattern_visit *visit, void *ctx);

/* Finds the first match in `size` bytes of valid UTF-8.  Returns 1 and its range [*begin, *end), 0 if there is none,
 * and -1 with an error if matching takes too many steps. */
int pb_pattern_first(pb_pattern *p, const char *text, size_t size, size_t *begin, size_t *end);

/* Returns 1 if the whole of `text` matches an expression of Python's re, 0 if it does not, and -1 with an error if the
 * expression is malformed or takes too many steps. */
int pb_pattern_matches(const char *expression, const char *text);

#endif
