/* rng: named random streams.
 *
 * Every use of randomness has its own stream, named after what it decides ("init", "order",
 * "dropout", "split"), so that adding a method never shifts another's random numbers, and a
 * stream is a pure function of (seed, name, counter): it can be resumed anywhere.
 */
#ifndef PB_RNG_H
#define PB_RNG_H

#include "base/base.h"

typedef struct pb_rng {
    uint64_t key;     /* from seed and name       */
    uint64_t counter; /* advances by one per draw */
} pb_rng;

pb_rng pb_rng_named(uint64_t seed, const char *name);

/* The stateless core: 64 well-mixed bits of (key, counter).  Vectorises when inlined. */
static inline uint64_t pb_mix(uint64_t key, uint64_t counter)
{
    uint64_t z = key + counter * 0x9E3779B97F4A7C15u; /* SplitMix64 */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t pb_rng_next(pb_rng *r);
double pb_rng_uniform(pb_rng *r);                  /* [0,1), 53 bits                   */
double pb_rng_normal(pb_rng *r);                   /* mean 0, variance 1 (Box-Muller)  */
uint64_t pb_rng_below(pb_rng *r, uint64_t n);      /* 0..n-1 without modulo bias, n>=1 */
void pb_rng_shuffle(pb_rng *r, int *items, int n); /* Fisher-Yates                  */

#endif
