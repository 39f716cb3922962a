/* Foreign text on a terminal: what is made visible, and what stays. */
#include "test.h"

#include "base/rng.h"
#include "base/json.h"

TEST(controls_are_made_visible)
{
    /* NOLINTBEGIN(misc-misleading-bidirectional): that is what is tried */
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"tab\there", "tab\\there"},
        {"two\nlines\r", "two\\nlines\\r"},
        {"\x1b[31mred\x1b]0;title\x07", "\\u001b[31mred\\u001b]0;title\\u0007"},
        {"\x7f", "\\u007f"},
        {"\xc2\x9b\x33\x31m", "\\u009b31m"}, /* CSI as one character */
        {"\x9b\x33\x31m", "\\x9b31m"},       /* and as one byte      */
        {"safe\xe2\x80\xae"
         "txt.exe",
         "safe\\u202etxt.exe"}, /* right to left        */
        {"\xe2\x81\xa6\xd8\x9c\xe2\x80\xa8", "\\u2066\\u061c\\u2028"},
        {"na\xc3\xafve \xe4\xbd\xa0 \xf0\x9f\x98\x80", "na\xc3\xafve \xe4\xbd\xa0 \xf0\x9f\x98\x80"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc0\x9b", "\\xc0\\x9b"},                   /* overlong             */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate          */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* past U+10FFFF        */
        {"cut \xe2\x82", "cut \\xe2\\x82"},
        {"\\u001b", "\\u001b"}, /* once is enough       */
    };
    /* NOLINTEND(misc-misleading-bidirectional) */
    for (size_t i = 0; i < PB_COUNT(cases); i++) {
        CHECK_TEXT(pb_visible(cases[i].text), cases[i].want);
        CHECK_TEXT(pb_visible(pb_visible(cases[i].text)), cases[i].want);
    }
    CHECK(pb_visible(cases[0].text) == cases[0].text); /* nothing to do, nothing to own */
}

TEST(a_copy_is_cut_between_characters)
{
    char out[8];
    pb_visible_copy(out, sizeof out, "abc\x1b[0m");
    CHECK_TEXT(out, "abc");
    pb_visible_copy(out, sizeof out, "abcdef\xc3\xa9");
    CHECK_TEXT(out, "abcdef");
    pb_visible_copy(out, sizeof out,
                    "a\x1b"
                    "bc");
    CHECK_TEXT(out, "a\\u001b");
    pb_visible_copy(out, 1, "a");
    CHECK_TEXT(out, "");
}

TEST(characters_are_counted_whole)
{
    CHECK_INT(pb_characters("", 3), 0);
    CHECK_INT(pb_characters("abc", 0), 0);
    CHECK_INT(pb_characters("abc", 2), 2);
    CHECK_INT(pb_characters("abc", 5), 3);
    CHECK_INT(pb_characters("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 1), 2);
    CHECK_INT(pb_characters("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 3), 9);
    CHECK_INT(pb_characters("a\xff\xc3z", 3), 3); /* bytes that are no UTF-8 count one by one */
}

TEST(several_are_valid_at_once)
{
    const char *a = pb_visible("\x01"), *b = pb_visible("\x02");
    CHECK_TEXT(a, "\\u0001");
    CHECK_TEXT(b, "\\u0002");
}

/* What the fuzzer looks for, on bytes at random: most of them are no UTF-8. */
TEST(nothing_that_is_obeyed_comes_out)
{
    pb_rng r = pb_rng_named(1, "visible");
    for (int round = 0; round < 2000; round++) {
        char text[24] = "";
        for (size_t i = 0; i + 1 < sizeof text; i++)
            text[i] = "\x1b\x9b\xc2\xe2\x80\xae\xf0\xff"
                      "a\n"[pb_rng_below(&r, 10)];
        const char *shown = pb_visible(text);
        for (const char *c = shown; *c; c++)
            CHECK((unsigned char)*c >= 0x20 && !(c[0] == '\xc2' && (unsigned char)c[1] < 0xA0));
        CHECK(pb_visible(shown) == shown);
    }
}

TEST(an_error_obeys_nothing)
{
    pb_error("%s: no such label", "\x1b[2Jgood\n\xc2\x9b");
    CHECK_TEXT(pb_error_text(), "\\u001b[2Jgood\\n\\u009b: no such label");
    pb_error_clear();
}

TEST(quoted_json_is_valid_whatever_the_bytes)
{
    pb_text t = {0};
    pb_json_quote_bytes(&t, "a\0\x1f\x7f\"\\\xff\xe2\x82\xc3\xa9", 11);
    CHECK_TEXT(t.data, "\"a\\u0000\\u001f\x7f\\\"\\\\\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\"");
    pb_json_doc *doc = pb_json_parse("quoted", t.data, t.length);
    CHECK(doc != NULL);
    pb_json_free(doc);
    pb_text_free(&t);
}
