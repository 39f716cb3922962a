/* The ranges of axes are not stretched by one value or interval, and their ticks do not touch. */
#include "test.h"

#include "report/plot_range.h"
#include "report/plot_style.h"

TEST(one_wide_interval_does_not_stretch_a_range)
{
    pb_interval v[9];
    for (int i = 0; i < 9; i++)
        v[i] = (pb_interval){0.7 + 0.01 * i, 0.68 + 0.01 * i, 0.72 + 0.01 * i, 3};
    pb_range before = pb_range_robust(v, 9);
    CHECK_NEAR(before.low, 0.68, 1e-12);
    CHECK_NEAR(before.high, 0.8, 1e-12);
    v[4] = (pb_interval){0.74, -0.5, 2, 3};
    pb_range after = pb_range_robust(v, 9);
    CHECK(after.low > 0.6 && after.high < 0.9);
    v[4] = (pb_interval){0.1, 0.05, 0.15, 3};
    after = pb_range_robust(v, 9);
    CHECK(after.low > 0.6 && !pb_range_contains(&after, 0.1));
}

TEST(few_values_are_all_shown)
{
    pb_interval v[] = {{0.5, NAN, NAN, 1}, {0.9, 0.8, 1, 3}, {0.91, 0.85, 0.95, 3}};
    pb_range s = pb_range_robust(v, 3);
    CHECK(s.low == 0.5 && s.high == 1);
}

TEST(zero_has_a_place_on_a_logarithmic_axis)
{
    pb_interval v[] = {{0, NAN, NAN, 1}, {100, NAN, NAN, 1}, {100000, NAN, NAN, 1}};
    pb_range s = pb_range_of_costs(v, 3);
    CHECK(s.log && s.zero);
    pb_range_pad(&s, 0.06);
    double zero = pb_range_at(&s, 0), line = pb_range_at(&s, pb_range_break(&s)), least = pb_range_at(&s, 100);
    CHECK(zero > 0 && zero < line && line < least && pb_range_at(&s, 100000) < 1);
    v[0].middle = 90;
    v[2].middle = 200;
    CHECK(!pb_range_of_costs(v, 3).log);
}

TEST(numbers_have_decimal_prefixes)
{
    char text[PB_TICK_SIZE];
    CHECK_TEXT(pb_tick_text(text, 2500000, "B", 3), "2.5 MB");
    CHECK_TEXT(pb_tick_text(text, 999.9, "", 3), "1 k");
    CHECK_TEXT(pb_tick_text(text, 0.25, "", 3), "0.25");
    CHECK_TEXT(pb_tick_text(text, 0, "B", 3), "0 B");
}

/* Ticks are within the range, in order, at least two, and as far apart as their texts need. */
static void check_ticks(pb_range s, double length, const char *unit)
{
    pb_tick tick[PB_TICKS];
    int n = pb_ticks(&s, length, 8, false, unit, tick);
    CHECK(n >= 2);
    for (int i = 0; i < n; i++) {
        CHECK(tick[i].at >= s.low && tick[i].at <= s.high);
        double share = i ? pb_range_at(&s, tick[i].at) - pb_range_at(&s, tick[i - 1].at) : 1;
        double need = i ? (pb_text_width(tick[i].text, 8) + pb_text_width(tick[i - 1].text, 8)) / 2 : 0;
        CHECK(share * length > need || n == 2);
    }
}

TEST(ticks_do_not_touch)
{
    for (int length = 60; length < 400; length += 17) {
        check_ticks((pb_range){0.31, 0.72, false, false}, length, "");
        check_ticks((pb_range){72e3, 331e3, false, false}, length, "B");
        check_ticks((pb_range){0, 1.4e8, false, false}, length, "B");
        check_ticks((pb_range){900, 7.3e6, true, false}, length, "");
        check_ticks((pb_range){-12, 40, false, false}, length, "");
    }
}

TEST(whole_numbers_have_whole_ticks)
{
    pb_tick tick[PB_TICKS];
    int n = pb_ticks(&(pb_range){0.95, 3.05, false, false, .whole = true}, 300, 8, false, "", tick);
    CHECK_INT(n, 3);
    CHECK_TEXT(tick[1].text, "2");
}
