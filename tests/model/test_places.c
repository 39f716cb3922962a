/* Places that a method draws as torch does (tests/golden/randperm.txt, made by tests/parity/make_randperm.py). */
#include "fixture.h"

#include <errno.h>

/* The first `count` places that are drawn here; the caller frees them.  NULL with an error. */
static int *drawn(int seed, int count, int below)
{
    pb_arena *arena = pb_arena_new("places");
    pb_build b = {.graph = pb_graph_new(arena, false)};
    const int *index = pb_torch_places(&b, seed, count, below);
    int *out = index ? memcpy(pb_alloc((size_t)count * sizeof *out), index, (size_t)count * sizeof *out) : NULL;
    pb_arena_free(arena);
    return out;
}

/* The next number of a line. */
static int next(char **at)
{
    errno = 0;
    long x = strtol(*at, at, 10);
    PB_CHECK(!errno);
    return (int)x;
}

TEST(places_are_those_of_torch)
{
    char *text = pb_read_file("tests/golden/randperm.txt", NULL), *rest = NULL;
    int cases = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), cases++) {
        int seed = next(&line), below = next(&line), count = next(&line), *got = drawn(seed, count, below);
        for (int i = 0; i < count; i++)
            if (!CHECK_INT(got[i], next(&line)))
                printf("    seed %d, place %d of %d\n", seed, i, below);
        free(got);
    }
    CHECK_INT(cases, 28);
    free(text);
}

TEST(what_torch_would_draw_by_64_bits_is_refused)
{
    int *last = drawn(777, 1, 214748363);
    CHECK(last != NULL);
    CHECK(!drawn(777, 1, 214748364));
    CHECK(strstr(pb_error_text(), "places: 214748364 numbers to choose from, want fewer than 214748364") != NULL);
    pb_error_clear();
    free(last);
}
