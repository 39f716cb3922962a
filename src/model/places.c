/* places: different random numbers that a run's seed draws. */
#include <stdlib.h>
#include <string.h>

#include "model/method.h"

/* Enters x in a hash table of `size` numbers, a power of two larger than their count; -1 is an empty slot.  Returns
 * false if it is there. */
static bool enter(int *slot, size_t size, int x)
{
    size_t i = (size_t)pb_mix(0, (uint64_t)x) & (size - 1);
    for (; slot[i] >= 0; i = (i + 1) & (size - 1))
        if (slot[i] == x)
            return false;
    slot[i] = x;
    return true;
}

/* Floyd's algorithm, by which each set of numbers is as likely as any other (Bentley and Floyd 1987, "A sample of
 * brilliance"). */
static void draw(pb_rng *r, int *out, int count, int below)
{
    size_t size = 2;
    while (size < 2 * (size_t)count)
        size *= 2;
    int *slot = pb_alloc(size * sizeof *slot);
    memset(slot, -1, size * sizeof *slot);
    for (int i = 0, most = below - count; i < count; i++, most++) {
        out[i] = (int)pb_rng_below(r, (uint64_t)most + 1);
        if (!enter(slot, size, out[i])) {
            out[i] = most;
            enter(slot, size, most);
        }
    }
    free(slot);
}

const int *pb_seeded_indices(pb_build *b, const pb_site *site, const char *name, int count, int below)
{
    pb_rng r = pb_rng_named(pb_seed(b, site, name), "indices");
    int *index = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)count * sizeof *index);
    PB_CHECK(count <= below);
    draw(&r, index, count, below);
    return index;
}
