/* places: different random numbers, as PyTorch draws them by a seed. */
#include <stdlib.h>
#include <string.h>

#include "base/mersenne.h"
#include "model/method.h"

/* From here on torch.randperm draws 64 bits a number. */
enum { TOO_MANY = (int)(UINT32_MAX / 20) };

/* The elements of the identity 0, 1, 2, .. that have been exchanged, in a hash table. */
typedef struct moved {
    int at, value;
} moved;

/* Returns the slot of element `at`, which has it or is empty (-1); `size` is a power of two. */
static moved *slot_of(moved *table, size_t size, int at)
{
    size_t i = (size_t)pb_mix(0, (uint64_t)at) & (size - 1);
    while (table[i].at >= 0 && table[i].at != at)
        i = (i + 1) & (size - 1);
    return &table[i];
}

/* The shuffle of Fisher and Yates: step i exchanges element i with one from i on, so that it has its last value. */
static void draw(pb_mersenne *m, int *out, int count, int below)
{
    size_t size = 2;
    while (size < 2 * (size_t)count)
        size *= 2;
    moved *table = pb_alloc(size * sizeof *table);
    memset(table, -1, size * sizeof *table);
    for (int i = 0; i < count; i++) {
        int at = i < below - 1 ? i + (int)(pb_mersenne_next(m) % (uint32_t)(below - i)) : i;
        const moved *here = slot_of(table, size, i);
        int first = here->at < 0 ? i : here->value;
        moved *there = slot_of(table, size, at);
        out[i] = there->at < 0 ? at : there->value;
        *there = (moved){at, first};
    }
    free(table);
}

const int *pb_torch_places(pb_build *b, int seed, int count, long long below)
{
    PB_CHECK(count <= below);
    if (below >= TOO_MANY) {
        pb_error("places: %lld numbers to choose from, want fewer than %d, beyond which torch draws otherwise", below,
                 TOO_MANY);
        return NULL;
    }
    pb_mersenne m = pb_mersenne_start((uint32_t)seed);
    int *index = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)count * sizeof *index);
    draw(&m, index, count, (int)below);
    return index;
}
