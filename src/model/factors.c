/* factors: see factors.h. */
#include "model/factors.h"

int pb_first_factor(int n, int near)
{
    if (near > 0 && n % near == 0)
        return near;
    int first = 1;
    for (int m = 2; (long)m * m <= n && (near < 0 || m <= near); m++)
        first = n % m ? first : m;
    return first;
}

int pb_common_divisor(int m, int n)
{
    while (n) {
        int rest = m % n;
        m = n;
        n = rest;
    }
    return m;
}
