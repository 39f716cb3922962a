/* memory: the keys and values of a text's tokens so far, in every layer.
 *
 * A batch whose sequences have memories (pb_batch.memory) holds only their new tokens: each goes on where its
 * memory ends, and what its rows leave is put behind.  What methods put in front of a text is put there once, when
 * its memory is empty.  A memory may stand behind another one, which is then shared and no longer grows. */
#ifndef PB_MEMORY_H
#define PB_MEMORY_H

#include "model/model.h"

typedef struct pb_memory pb_memory;

pb_memory *pb_memory_new(const pb_model *m);
void pb_memory_free(pb_memory *a); /* NULL is fine */

/* Forgets everything.  The text to come stands behind `before` (NULL: behind the model's held prompt, if there is one)
 * and has at most `tokens` tokens. */
void pb_memory_begin(pb_memory *a, const pb_memory *before, int tokens);

/* Makes `to` remember what `from` does; both stand behind the same memory. */
void pb_memory_copy(pb_memory *to, const pb_memory *from);

int pb_memory_rows(const pb_memory *a);   /* of its own; 0: nothing was run since it began      */
int pb_memory_places(const pb_memory *a); /* the place of the next token                        */

#endif
