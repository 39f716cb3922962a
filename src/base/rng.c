/* rng: see rng.h. */
#include "base/rng.h"

#include <math.h>

pb_rng pb_rng_named(uint64_t seed, const char *name)
{
    uint64_t key = pb_mix(seed, 0x5EED);
    for (const char *c = name; *c; c++)
        key = pb_mix(key, (unsigned char)*c);
    return (pb_rng){.key = key};
}

uint64_t pb_rng_next(pb_rng *r)
{
    return pb_mix(r->key, ++r->counter);
}

double pb_rng_uniform(pb_rng *r)
{
    return (double)(pb_rng_next(r) >> 11) * 0x1p-53;
}

double pb_rng_normal(pb_rng *r)
{
    double u = 1.0 - pb_rng_uniform(r); /* (0,1]: the logarithm is finite */
    double v = pb_rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}

uint64_t pb_rng_below(pb_rng *r, uint64_t n)
{
    PB_CHECK(n > 0);
    uint64_t bias = -n % n; /* 2^64 mod n: accepting numbers below it would favor small results */
    uint64_t draw;
    do
        draw = pb_rng_next(r);
    while (draw < bias);
    return draw % n;
}

void pb_rng_shuffle(pb_rng *r, int *items, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)pb_rng_below(r, (uint64_t)i + 1);
        int item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
