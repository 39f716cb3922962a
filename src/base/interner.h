/* interner: different texts, numbered from 0 as they come, or with a number of the caller's.
 * Both kinds start as {0}. */
#ifndef PB_INTERNER_H
#define PB_INTERNER_H

#include "base/base.h"

typedef struct pb_interner {
    pb_text bytes; /* of the texts, one behind the other        */
    size_t *end;   /* [count] of each text in `bytes`           */
    int count;
    size_t capacity;
    int *slot; /* hash of texts to numbers, -1: free        */
    size_t slots;
} pb_interner;

/* The number of a text of n bytes, which is added (as the count before) if it is new. */
int pb_interner_add(pb_interner *d, const char *text, size_t n);
/* The number of a text, -1 if it is not there.  Reads only. */
int pb_interner_find(const pb_interner *d, const char *text, size_t n);
/* Text i and its size: not NUL-terminated, valid until the next is added. */
const char *pb_interner_text(const pb_interner *d, int i, size_t *n);
void pb_interner_free(pb_interner *d); /* leaves an empty one */

typedef struct pb_index { /* texts, each with a number of the caller's */
    pb_interner text;
    int *value; /* [text.count] */
    size_t capacity;
} pb_index;

/* Notes `value` under a text of n bytes, unless the text has one already; returns the text's value. */
int pb_index_put(pb_index *x, const char *text, size_t n, int value);
/* The value of a text, -1 if it is not there.  Reads only. */
int pb_index_find(const pb_index *x, const char *text, size_t n);
void pb_index_free(pb_index *x); /* leaves an empty one */

#endif
