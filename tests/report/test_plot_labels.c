/* The names in figures cover nothing and stay inside the axes. */
#include "test.h"

#include "base/rng.h"
#include "report/plot_internal.h"

static double common(const box *a, const box *b)
{
    double w = fmin(a->right, b->right) - fmax(a->left, b->left);
    double h = fmin(a->top, b->top) - fmax(a->bottom, b->bottom);
    return w > 0 && h > 0 ? w * h : 0;
}

static bool is_inside(const box *b)
{
    return b->left >= 0 && b->bottom >= 0 && b->right <= AREA_WIDTH && b->top <= AREA_HEIGHT;
}

static void check_labels(const point *spot, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK(is_inside(&spot[i].text));
        for (int k = 0; k < n; k++) {
            CHECK(common(&spot[i].text, &spot[k].mark) == 0 || !(spot[k].x > 0));
            CHECK(k == i || common(&spot[i].text, &spot[k].text) == 0);
        }
    }
}

/* A point with an interval of `half` pixels to either side. */
static point at(const char *label, double px, double py, double half)
{
    return (point){.label = label, .x = 1, .px = px, .py = py, .mark = {px - 5, px + 5, py - half, py + half}};
}

TEST(names_of_a_crowd_cover_nothing)
{
    static const char *const name[] = {"head",   "bitfit", "layernorm", "lora:r1",     "lora:r16", "ia3",
                                       "prefix", "prompt", "houlsby",   "lora+prefix", "full",     "last-k"};
    pb_rng r = pb_rng_named(0, "labels");
    for (int round = 0; round < 20; round++) {
        point spot[12];
        for (int i = 0; i < 12; i++)
            spot[i] = at(name[i], (0.1 + 0.8 * pb_rng_uniform(&r)) * AREA_WIDTH,
                         (0.2 + 0.6 * pb_rng_uniform(&r)) * AREA_HEIGHT, 30);
        pb_place_labels(spot, 12);
        check_labels(spot, 12);
    }
}

TEST(points_in_one_column_and_at_the_edges)
{
    point spot[] = {at("left", 0, 200, 20),         at("right", AREA_WIDTH, 200, 20), at("bottom", 300, 0, 5),
                    at("top", 300, AREA_HEIGHT, 5), at("one", 300, 200, 60),          at("two", 300, 206, 60),
                    at("three", 300, 194, 60)};
    pb_place_labels(spot, PB_COUNT(spot));
    check_labels(spot, PB_COUNT(spot));
}

/* The name of a row that trains nothing stands beside its dashed line, where no mark is. */
TEST(the_name_of_a_level_covers_no_mark)
{
    point spot[] = {{.label = "majority", .x = 0, .px = 0, .py = 100, .mark = {-5, 5, 95, 105}},
                    at("head", 20, 110, 20),
                    at("full", 600, 105, 20)};
    pb_place_labels(spot, PB_COUNT(spot));
    check_labels(spot, PB_COUNT(spot));
    double middle = (spot[0].text.bottom + spot[0].text.top) / 2;
    CHECK(fabs(middle - 100) > LINE / 2 && fabs(middle - 100) < LINE);
}

TEST(characters_count_and_not_bytes)
{
    CHECK(pb_label_width("na\xc3\xafve") == pb_label_width("naive"));
}
