/* skew: see skew.h. */
#include "numeric/skew.h"

#include <math.h>

double pb_skew_norm(const pb_real *q, int size, double *work)
{
    double *v = work, *next = work + size, length = 0;
    for (int i = 0; i < size; i++)
        v[i] = 1 + i % 7; /* no symmetry of Q is likely to be one of v */
    for (int times = 0; times < 20; times++) {
        double before = 0, after = 0;
        const pb_real *element = q;
        for (int i = 0; i < size; i++)
            next[i] = 0;
        for (int i = 0; i < size; i++)
            for (int j = i + 1; j < size; j++, element++) {
                next[i] += (double)*element * v[j];
                next[j] -= (double)*element * v[i];
            }
        for (int i = 0; i < size; i++) {
            before += v[i] * v[i];
            after += next[i] * next[i];
        }
        length = sqrt(after / before);
        for (int i = 0; i < size && after > 0; i++)
            v[i] = next[i] / sqrt(after);
    }
    return length;
}
