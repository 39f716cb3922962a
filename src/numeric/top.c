/* top: see top.h.  What is kept is a heap: each number is after its two children in the order of preference, so
 * that the first one is the first to go. */
#include "numeric/top.h"

#include <stdlib.h>

#include "base/rng.h"

/* Returns true if the number i goes before the number j does. */
static bool goes_first(const pb_top *l, int i, int j)
{
    return l->value[i] < l->value[j] || (l->value[i] == l->value[j] && l->place[i] > l->place[j]);
}

static void swap(pb_top *l, int i, int j)
{
    pb_real value = l->value[i];
    int place = l->place[i];
    l->value[i] = l->value[j];
    l->place[i] = l->place[j];
    l->value[j] = value;
    l->place[j] = place;
}

static void move_up(pb_top *l, int i)
{
    for (int parent = (i - 1) / 2; i > 0 && goes_first(l, i, parent); i = parent, parent = (i - 1) / 2)
        swap(l, i, parent);
}

static void move_down(pb_top *l, int i)
{
    for (int child = 1; child < l->count; child = 2 * i + 1) {
        if (child + 1 < l->count && goes_first(l, child + 1, child))
            child++;
        if (!goes_first(l, child, i))
            return;
        swap(l, i, child);
        i = child;
    }
}

void pb_top_offer(pb_top *l, pb_real value, int place)
{
    if (l->count < l->keep) {
        l->value[l->count] = value;
        l->place[l->count] = place;
        move_up(l, l->count++);
    } else if (l->keep && value > l->value[0]) {
        l->value[0] = value;
        l->place[0] = place;
        move_down(l, 0);
    }
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

void pb_top_sort(pb_top *l)
{
    qsort(l->place, (size_t)l->count, sizeof *l->place, ascending);
}

double pb_threshold(double keep, double (*count)(void *ctx, double least), void *ctx)
{
    double low = 0, high = 1;
    if (count(ctx, 0x1p-1074) < keep)
        return 0;
    while (count(ctx, high) >= keep && high < 1e300)
        high *= 2;
    for (int i = 0; i < 1100; i++) { /* as many as there are bits of exponent and of precision, at most */
        double middle = (low + high) / 2;
        if (middle <= low || middle >= high)
            break;
        *(count(ctx, middle) >= keep ? &low : &high) = middle;
    }
    return low;
}

void pb_keep_places(const int *place, int places, int *next, int first, int n, pb_real *x)
{
    for (int i = 0; i < n; i++) {
        bool kept = *next < places && place[*next] == first + i;
        if (x && !kept)
            x[i] = 0;
        *next += kept;
    }
}

/* Each place is chosen with the probability that the rest of the choice leaves it (selection sampling). */
void pb_random_places(int n, int keep, uint64_t key, int *place)
{
    pb_rng rng = {.key = key};
    for (int i = 0, chosen = 0; chosen < keep; i++)
        if (pb_rng_uniform(&rng) * (n - i) < keep - chosen)
            place[chosen++] = i;
}
