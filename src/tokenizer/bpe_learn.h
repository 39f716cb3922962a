/* bpe_learn: learns the merges of a byte-pair encoding from counted words.  For bpe_train.c. */
#ifndef PB_BPE_LEARN_H
#define PB_BPE_LEARN_H

#include "base/interner.h"

typedef struct pb_bpe_merges {
    int (*pair)[2]; /* [count] the numbers of the two tokens, in the order of the merges; the caller frees it */
    size_t count, capacity;
} pb_bpe_merges;

/* Word i of `words` occurs times[i] times.  `tokens` starts with the 256 single bytes, in an order that the caller
 * chooses.  Adds the tokens that merges produce, until there are `limit` tokens or no pair occurs twice, and appends
 * the merges to `out`. */
void pb_bpe_learn(const pb_interner *words, const long long *times, int limit, pb_interner *tokens, pb_bpe_merges *out);

#endif
