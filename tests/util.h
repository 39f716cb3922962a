/* util: random and poisoned numbers for the tests of the engine. */
#ifndef PB_TESTS_UTIL_H
#define PB_TESTS_UTIL_H

#include "test.h"

#include <stdlib.h>

#include "base/rng.h"

/* How far two ways of computing one thing may be apart, relative to the largest value. */
#ifdef PB_REAL_DOUBLE
#define EXACT 1e-12
#else
#define EXACT 1e-5
#endif

/* Between 0.2 and 1.2 from zero on either side: no kink of an activation is near. */
static inline void fill_random(pb_rng *r, size_t n, pb_real *x)
{
    for (size_t i = 0; i < n; i++) {
        double u = 2 * pb_rng_uniform(r) - 1;
        x[i] = (pb_real)(u < 0 ? u - 0.2 : u + 0.2);
    }
}

static inline pb_real *random_reals(pb_rng *r, size_t n)
{
    pb_real *x = pb_alloc(n * sizeof *x);
    fill_random(r, n, x);
    return x;
}

static inline void fill_nan(size_t n, pb_real *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (pb_real)NAN;
}

/* The largest difference relative to the largest |want|; infinite if `got` has a NaN. */
static inline double distance(size_t n, const pb_real *got, const double *want)
{
    double difference = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        difference = d <= INFINITY ? fmax(difference, d) : INFINITY;
        largest = fmax(largest, fabs(want[i]));
    }
    return largest > 0 ? difference / largest : difference;
}

static inline bool same_bits(size_t n, const pb_real *a, const pb_real *b)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

#endif
