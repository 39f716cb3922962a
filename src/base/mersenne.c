/* mersenne: see mersenne.h. */
#include "base/mersenne.h"

enum { SIZE = 624, APART = 397 };

pb_mersenne pb_mersenne_start(uint32_t seed)
{
    pb_mersenne m = {.state = {seed}, .used = SIZE};
    for (uint32_t i = 1; i < SIZE; i++)
        m.state[i] = 1812433253u * (m.state[i - 1] ^ (m.state[i - 1] >> 30)) + i;
    return m;
}

/* Makes the next 624 numbers of the state. */
static void renew(pb_mersenne *m)
{
    uint32_t *s = m->state;
    for (int i = 0; i < SIZE; i++) {
        uint32_t joined = (s[i] & 0x80000000u) | (s[(i + 1) % SIZE] & 0x7fffffffu);
        s[i] = s[(i + APART) % SIZE] ^ (joined >> 1) ^ (joined & 1 ? 0x9908b0dfu : 0);
    }
    m->used = 0;
}

uint32_t pb_mersenne_next(pb_mersenne *m)
{
    if (m->used == SIZE)
        renew(m);
    uint32_t x = m->state[m->used++];
    x ^= x >> 11;
    x ^= (x << 7) & 0x9d2c5680u;
    x ^= (x << 15) & 0xefc60000u;
    return x ^ (x >> 18);
}
