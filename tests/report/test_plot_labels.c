/* The labels of figures cover nothing and stay inside the frame, and those that have no place are left out. */
#include "test.h"

#include <stdlib.h>

#include "base/rng.h"
#include "report/plot_labels.h"
#include "report/plot_style.h"

static const pb_box frame = {30, 20, 470, 320};

static bool is_inside(const pb_box *b)
{
    return b->left >= frame.left && b->top >= frame.top && b->right <= frame.right && b->bottom <= frame.bottom;
}

/* Checks the labels that are shown and returns their number. */
static int check_labels(const pb_label *label, int n, const pb_box *obstacle, int m)
{
    int shown = 0;
    for (int i = 0; i < n; i++) {
        if (!label[i].shown)
            continue;
        shown++;
        CHECK(is_inside(&label[i].box));
        for (int k = 0; k < n; k++) {
            CHECK(pb_box_overlap(&label[i].box, &label[k].mark) == 0);
            CHECK(k == i || !label[k].shown || pb_box_overlap(&label[i].box, &label[k].box) == 0);
        }
        for (int k = 0; k < m; k++)
            CHECK(pb_box_overlap(&label[i].box, &obstacle[k]) == 0);
    }
    return shown;
}

/* A point with an interval of `half` to either side. */
static pb_label at(const char *name, double x, double y, double half)
{
    return (pb_label){
        .x = x, .y = y, .mark = {x - 3, y - half, x + 3, y + half}, .width = pb_text_width(name, 8), .height = 9};
}

TEST(names_of_a_crowd_cover_nothing)
{
    static const char *const name[] = {"head",   "bitfit", "layernorm", "lora:r1",     "lora:r16", "ia3",
                                       "prefix", "prompt", "houlsby",   "lora+prefix", "full",     "last-k"};
    pb_rng r = pb_rng_named(0, "labels");
    for (int round = 0; round < 20; round++) {
        pb_label label[12];
        pb_box level = {30, 200, 470, 201};
        for (int i = 0; i < 12; i++)
            label[i] = at(name[i], 40 + 420 * pb_rng_uniform(&r), 60 + 200 * pb_rng_uniform(&r), 15);
        pb_labels_place(label, 12, &level, 1, &frame);
        CHECK_INT(check_labels(label, 12, &level, 1), 12);
    }
}

TEST(points_in_one_column_and_at_the_edges)
{
    pb_label label[] = {at("left", 30, 200, 20),  at("right", 470, 200, 20), at("bottom", 300, 320, 5),
                        at("top", 300, 20, 5),    at("one", 250, 180, 40),   at("two", 250, 184, 40),
                        at("three", 250, 176, 40)};
    pb_labels_place(label, PB_COUNT(label), NULL, 0, &frame);
    CHECK_INT(check_labels(label, PB_COUNT(label), NULL, 0), PB_COUNT(label));
}

/* Where 200 names cannot all have a place, those that have one still cover nothing, and the first ranks have one. */
TEST(what_has_no_place_is_left_out)
{
    pb_label label[200];
    pb_rng r = pb_rng_named(1, "labels");
    for (int i = 0; i < 200; i++) {
        label[i] = at("reparametrization", 40 + 420 * pb_rng_uniform(&r), 60 + 200 * pb_rng_uniform(&r), 3);
        label[i].rank = i;
    }
    pb_labels_place(label, 200, NULL, 0, &frame);
    int shown = check_labels(label, 200, NULL, 0), first = 0;
    CHECK(shown > 20 && shown < 200);
    for (int i = 0; i < 10; i++)
        first += label[i].shown;
    CHECK(first >= 5);
}

TEST(names_in_a_column_keep_their_order_and_move_little)
{
    double y[] = {50, 52, 51, 200, 318, 319};
    pb_labels_spread(y, 6, 10, 20, 320);
    CHECK(y[0] < y[2] && y[2] < y[1]);
    CHECK(fabs(y[2] - 51) < 1e-9); /* the middle one of three stays */
    CHECK(fabs(y[2] - y[0] - 10) < 1e-9 && fabs(y[1] - y[2] - 10) < 1e-9);
    CHECK(y[3] == 200);
    CHECK(fabs(y[5] - 315) < 1e-9 && fabs(y[4] - 305) < 1e-9);
}

TEST(characters_count_and_not_bytes)
{
    CHECK(fabs(pb_text_width("na\xc3\xafve", 10) - pb_text_width("naxve", 10)) < 1.5);
    char *cut = pb_text_fit("\xc3\xaf\xc3\xaf\xc3\xaf\xc3\xaf\xc3\xaf", 10, 20);
    CHECK(pb_text_width(cut, 10) <= 20 && pb_ends_in(cut, "\xe2\x80\xa6"));
    CHECK(strlen(cut) % 2 == 1); /* whole characters of two bytes, and the ellipsis of three */
    free(cut);
}
