/* pattern: regular expressions over PCRE2, whose only includer pattern.c is.
 *
 * Matching takes as much memory as it needs.  What takes too many steps (an expression such as (a+)+b on a text of
 * many a) is an error that names the expression and the text, never "no match". */
#ifndef PB_PATTERN_H
#define PB_PATTERN_H

#include "base/base.h"

typedef struct pb_pattern pb_pattern;

/* Compiles an expression as the tokenizers library has them (Oniguruma's).  `where` begins the messages.  NULL with
 * an error: the expression is malformed, or uses what means something else in PCRE2.  A pattern keeps the state of
 * its last match, so two threads may not use one at a time. */
pb_pattern *pb_pattern_compile(const char *where, const char *expression);
void pb_pattern_free(pb_pattern *p); /* NULL is fine */

/* An expression that matches this text and nothing else: a heap string, caller frees. */
char *pb_pattern_literal(const char *text);

/* A stretch of a text: a match, or what lies between two matches. */
typedef void pb_pattern_visit(void *ctx, const char *text, size_t size, bool match);
/* Visits the matches in `size` bytes of valid UTF-8, and the stretches between them, in turn.  A match may be empty;
 * a stretch between two is not.  -1 with an error if matching took too many steps. */
int pb_pattern_each(pb_pattern *p, const char *text, size_t size, pb_pattern_visit *visit, void *ctx);

/* The first match in `size` bytes of valid UTF-8: 1 and its range, 0 if there is none, -1 with an error. */
int pb_pattern_first(pb_pattern *p, const char *text, size_t size, size_t *begin, size_t *end);

/* Does the whole of `text` match an expression of Python's re?  1 yes, 0 no, -1 with an error (the expression is
 * malformed, or took too many steps). */
int pb_pattern_matches(const char *expression, const char *text);

#endif
