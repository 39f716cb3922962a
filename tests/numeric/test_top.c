/* The places of the largest numbers, against sorting; random places. */
#include "util.h"

#include "numeric/top.h"

enum { N = 500 };

/* `keep` of the numbers, of which many are equal: the largest, and of equal ones the first. */
static void check_top(const pb_real *x, int keep)
{
    pb_real value[N];
    int place[N], at = 0;
    pb_top top = {.keep = keep, .value = value, .place = place};
    for (int i = 0; i < N; i++)
        pb_top_offer(&top, x[i], 3 * i);
    pb_top_sort(&top);
    CHECK_INT(top.count, keep);
    for (int i = 0; i < N; i++) {
        int before = 0;
        for (int k = 0; k < N; k++)
            before += x[k] > x[i] || (x[k] == x[i] && k < i);
        if (before < keep)
            CHECK_INT(place[at++], 3 * i);
    }
    CHECK_INT(at, keep);
}

TEST(the_largest_numbers_and_of_equal_ones_the_first)
{
    pb_rng r = pb_rng_named(1, "top");
    pb_real x[N], up[N], down[N];
    for (int i = 0; i < N; i++) {
        x[i] = (pb_real)pb_rng_below(&r, 40) - 20;
        up[i] = (pb_real)i;
        down[i] = (pb_real)-i;
    }
    for (int keep = 0; keep <= N; keep += 100) {
        check_top(x, keep);
        check_top(up, keep);
        check_top(down, keep);
    }
    check_top(x, 1);
    check_top(x, N - 1);
}

/* Over many keys each place is chosen equally often, and each pair of neighbours too. */
TEST(random_places_are_uniform)
{
    enum { PLACES = 20, KEEP = 7, TRIALS = 20000 };
    int place[KEEP], hits[PLACES] = {0}, pairs[PLACES] = {0};
    for (int trial = 0; trial < TRIALS; trial++) {
        pb_random_places(PLACES, KEEP, pb_mix(5, (uint64_t)trial), place);
        for (int k = 0; k < KEEP; k++) {
            CHECK(place[k] >= 0 && place[k] < PLACES && (!k || place[k] > place[k - 1]));
            hits[place[k]]++;
            pairs[place[k]] += k + 1 < KEEP && place[k + 1] == place[k] + 1;
        }
    }
    for (int i = 0; i < PLACES; i++) { /* five standard deviations */
        CHECK(fabs((double)hits[i] / TRIALS - (double)KEEP / PLACES) < 0.017);
        if (i + 1 < PLACES)
            CHECK(fabs((double)pairs[i] / TRIALS - (double)KEEP * (KEEP - 1) / (PLACES * (PLACES - 1))) < 0.012);
    }
    pb_random_places(PLACES, 0, 1, place);
    int all[PLACES];
    pb_random_places(PLACES, PLACES, 1, all);
    for (int i = 0; i < PLACES; i++)
        CHECK_INT(all[i], i);
}
