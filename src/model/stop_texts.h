/* stop_texts: texts at which a continuation ends.  Not for other rooms. */
#ifndef PB_STOP_TEXTS_H
#define PB_STOP_TEXTS_H

#include "base/base.h"

typedef struct pb_stops {
    pb_text *text; /* [count] */
    size_t count, capacity;
    size_t longest; /* bytes of the longest one; 0: there are none */
} pb_stops;

/* Reads a list of texts with | between two; \n, \t, \| and \\ are read as in C, and empty texts are dropped.  NULL is
 * an empty list.  The caller frees the result with pb_stops_free. */
pb_stops pb_stops_read(const char *list);
void pb_stops_free(pb_stops *s);

/* Returns the offset in bytes at which the first stop text begins in `text`, or the length of `text` if it has none. */
size_t pb_stops_first(const pb_stops *s, const pb_text *text);

#endif
