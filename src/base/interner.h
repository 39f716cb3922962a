/* interner: a set of distinct texts that numbers them from 0, and an index from texts to numbers that the caller
 * chooses. Both start as {0}. */
#ifndef PB_INTERNER_H
#define PB_INTERNER_H

#include "base/base.h"

typedef struct pb_interner {
    pb_text bytes; /* the texts, concatenated                                     */
    size_t *end;   /* [count] where each text ends in `bytes`                     */
    int count;
    size_t capacity;
    int *slot; /* [slots] a hash table of numbers of texts, -1: free          */
    size_t slots;
} pb_interner;

/* Returns the number of a text of n bytes.  A new text is added and receives the next number. */
int pb_interner_add(pb_interner *d, const char *text, size_t n);

/* Returns the number of a text of n bytes, or -1 if it was not added.  Changes nothing. */
int pb_interner_find(const pb_interner *d, const char *text, size_t n);

/* Returns text i, without a terminating NUL, and its size in *n.  It is valid until the next text is added. */
const char *pb_interner_text(const pb_interner *d, int i, size_t *n);

/* Frees the texts and leaves an empty interner. */
void pb_interner_free(pb_interner *d);

typedef struct pb_index {
    pb_interner text;
    int *value; /* [text.count] */
    size_t capacity;
} pb_index;

/* Stores `value` for a text of n bytes unless the text has a value already.  Returns the value that the text has then.
 */
int pb_index_put(pb_index *x, const char *text, size_t n, int value);

/* Returns the value of a text of n bytes, or -1 if it has none.  Changes nothing. */
int pb_index_find(const pb_index *x, const char *text, size_t n);

/* Frees the texts and values and leaves an empty index. */
void pb_index_free(pb_index *x);

#endif
