/* rng: named random streams.
 *
 * Every use of random numbers has its own stream, named after its purpose ("init", "order", "dropout", "split"), so
 * that a new method does not change the random numbers of others.  Number i of a stream is a function of seed, name
 * and i, so that a stream can be resumed at any point. */
#ifndef PB_RNG_H
#define PB_RNG_H

#include "base/base.h"

typedef struct pb_rng {
    uint64_t key;     /* from seed and name       */
    uint64_t counter; /* advances by one per draw */
} pb_rng;

/* Returns the stream of this name at its beginning. */
pb_rng pb_rng_named(uint64_t seed, const char *name);

/* Returns 64 pseudo-random bits that depend on key and counter only (SplitMix64).  Loops over it can be vectorized. */
static inline uint64_t pb_mix(uint64_t key, uint64_t counter)
{
    uint64_t z = key + counter * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Returns the next 64 random bits. */
uint64_t pb_rng_next(pb_rng *r);

/* Returns a number that is uniform in [0,1), with 53 random bits. */
double pb_rng_uniform(pb_rng *r);

/* Returns a normal number with mean 0 and variance 1 (Box-Muller). */
double pb_rng_normal(pb_rng *r);

/* Returns an integer that is uniform in 0..n-1, without modulo bias; n >= 1. */
uint64_t pb_rng_below(pb_rng *r, uint64_t n);

/* Permutes n items at random (Fisher-Yates). */
void pb_rng_shuffle(pb_rng *r, int *items, int n);

#endif
