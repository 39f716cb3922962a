/* decode_step: one forward pass that takes texts on by their new tokens.  Not for other rooms. */
#ifndef PB_DECODE_STEP_H
#define PB_DECODE_STEP_H

#include "model/kv_cache.h"

typedef struct pb_decode_input { /* a text that goes on */
    pb_kv_cache *kv_cache;       /* what came before; grows by the new tokens */
    const int *ids;              /* [count] the new tokens, at least one      */
    int count;
} pb_decode_input;

typedef struct pb_decode_step pb_decode_step;

/* The model must outlive it. */
pb_decode_step *pb_decode_step_new(pb_model *m);
void pb_decode_step_free(pb_decode_step *a); /* NULL is fine */

/* Logits [n, vocabulary] of what follows each text's last token; they may be written over, and are valid until the
 * next call.  Texts that just begin, with many tokens, and texts that go on by one run side by side.  Where the
 * same memories go on by one token each, as most of the time, the last call's graph is run again.  NULL with an
 * error (an id that the model does not have). */
pb_node *pb_decode_step_run(pb_decode_step *a, int n, const pb_decode_input *text);

#endif
