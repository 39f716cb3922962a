/* decode_step: one forward pass that processes the new tokens of several texts.  Not for other rooms. */
#ifndef PB_DECODE_STEP_H
#define PB_DECODE_STEP_H

#include "model/kv_cache.h"

/* The decode input of one text. */
typedef struct pb_decode_input {
    pb_kv_cache *kv_cache; /* of the earlier tokens; the new ones are appended */
    const int *ids;        /* [count] the new tokens */
    int count;             /* at least 1 */
} pb_decode_input;

typedef struct pb_decode_step pb_decode_step;

/* The model must outlive it. */
pb_decode_step *pb_decode_step_new(pb_model *m);
void pb_decode_step_free(pb_decode_step *step); /* NULL is allowed */

/* Returns the logits [n, vocabulary] of the token after each text's last one.  The caller may overwrite them; they are
 * valid until the next call.  Prompts of many tokens and texts that continue by one token can be mixed.  If the same
 * caches continue by one token each, as in most steps, the graph of the last call runs again.  Returns NULL with an
 * error, for example for an id outside the vocabulary. */
pb_node *pb_decode_step_run(pb_decode_step *step, int n, const pb_decode_input *text);

#endif
