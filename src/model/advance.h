/* advance: one forward pass that takes texts on by their new tokens.  Not for other rooms. */
#ifndef PB_ADVANCE_H
#define PB_ADVANCE_H

#include "model/memory.h"

typedef struct pb_going { /* a text that goes on */
    pb_memory *memory;    /* what came before; grows by the new tokens */
    const int *ids;       /* [count] the new tokens, at least one      */
    int count;
} pb_going;

typedef struct pb_advance pb_advance;

/* The model must outlive it. */
pb_advance *pb_advance_new(pb_model *m);
void pb_advance_free(pb_advance *a); /* NULL is fine */

/* Logits [n, vocabulary] of what follows each text's last token; they may be written over, and are valid until the
 * next call.  Texts that just begin, with many tokens, and texts that go on by one run side by side.  Where the
 * same memories go on by one token each, as most of the time, the last call's graph is run again.  NULL with an
 * error (an id that the model does not have). */
pb_node *pb_advance_run(pb_advance *a, int n, const pb_going *text);

#endif
