/* kv_cache: the keys and values of a text's tokens so far, in every layer.
 *
 * A batch whose sequences have memories (pb_batch.memory) holds only their new tokens: each goes on where its
 * memory ends, and what its rows leave is put behind.  What methods put in front of a text is put there once, when
 * its memory is empty.  A memory may stand behind another one, which is then shared and no longer grows. */
#ifndef PB_KV_CACHE_H
#define PB_KV_CACHE_H

#include "model/model.h"

typedef struct pb_kv_cache pb_kv_cache;

pb_kv_cache *pb_kv_cache_new(const pb_model *m);
void pb_kv_cache_free(pb_kv_cache *a); /* NULL is fine */

/* Forgets everything.  The text to come stands behind `before` (NULL: behind the model's held prompt, if there is one)
 * and has at most `tokens` tokens. */
void pb_kv_cache_begin(pb_kv_cache *a, const pb_kv_cache *before, int tokens);

/* Makes `to` remember what `from` does; both stand behind the same memory. */
void pb_kv_cache_copy(pb_kv_cache *to, const pb_kv_cache *from);

int pb_kv_cache_rows(const pb_kv_cache *a);      /* of its own; 0: nothing was run since it began      */
int pb_kv_cache_positions(const pb_kv_cache *a); /* the place of the next token                        */

#endif
