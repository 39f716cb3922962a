/* bpe_learn: the merges of a byte-pair encoding from counted words.  For bpe_train.c. */
#ifndef PB_BPE_LEARN_H
#define PB_BPE_LEARN_H

#include "base/interner.h"

typedef struct pb_bpe_merges {
    int (*pair)[2]; /* [count] numbers of two tokens, in the order in which they merge; owned */
    size_t count, capacity;
} pb_bpe_merges;

/* Word i of `words` occurs times[i] times.  `tokens` comes with the 256 single bytes, in an order of the
 * caller's; what merges make is added, until `limit` tokens are there or no pair occurs twice. */
void pb_bpe_learn(const pb_interner *words, const long long *times, int limit, pb_interner *tokens, pb_bpe_merges *out);

#endif
