/* mersenne: the random numbers of PyTorch on a CPU, the generator MT19937 (Matsumoto and Nishimura 1998).
 *
 * Everything that is random here has a stream of its own (rng.h).  This one is for numbers that PEFT draws by a seed
 * and leaves out of its files. */
#ifndef PB_MERSENNE_H
#define PB_MERSENNE_H

#include "base/base.h"

typedef struct pb_mersenne {
    uint32_t state[624];
    int used; /* numbers of the state that have been returned */
} pb_mersenne;

/* Returns the generator that `torch.Generator().manual_seed(seed)` is. */
pb_mersenne pb_mersenne_start(uint32_t seed);

/* Returns the next 32 random bits. */
uint32_t pb_mersenne_next(pb_mersenne *m);

#endif
