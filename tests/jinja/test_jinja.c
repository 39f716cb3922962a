/* Templates: renderings and marks that transformers made (tests/golden/chat/rendered.jsonl, by
 * tests/parity/make_chat.py), what is refused and how, limits, and damaged templates. */
#include "test.h"

#include <stdlib.h>

#include "base/rng.h"
#include "jinja/jinja.h"

#define GOLDEN "tests/golden/chat"

static char *read(const char *name, size_t *size)
{
    char *path = pb_format(GOLDEN "/%s", name), *text = pb_read_file(path, size);
    if (!text)
        PB_BUG("%s", pb_error_text());
    free(path);
    return text;
}

/* ---- renderings of transformers ------------------------------------------------------------------------- */

static void check_marks(const pb_jinja_output *o, const pb_json *want, const char *name)
{
    CHECK_INT(o->marks, pb_json_size(want));
    for (size_t i = 0; i < o->marks && i < pb_json_size(want); i++) {
        const pb_json *pair = pb_json_at(want, i);
        bool same = CHECK_INT(o->mark[i].from, pb_json_integer(pb_json_at(pair, 0), -1)) &&
                    CHECK_INT(o->mark[i].to, pb_json_integer(pb_json_at(pair, 1), -1));
        if (!same)
            printf("in %s\n", name);
    }
}

static bool check_rendering(const pb_json *row)
{
    const char *name = pb_json_text(pb_json_get(row, "template"), ""),
               *want = pb_json_text(pb_json_get(row, "text"), NULL);
    size_t size;
    char *source = read(name, &size);
    pb_jinja *t = pb_jinja_parse(name, source, size);
    pb_jinja_output o = {0};
    int rc = t ? pb_jinja_render(t, pb_json_get(row, "variables"), NULL, &o) : -1;
    CHECK_INT(rc, want ? 0 : -1);
    if (want && CHECK_TEXT(rc ? pb_error_text() : o.text.data, want))
        check_marks(&o, pb_json_get(row, "marks"), name);
    pb_error_clear();
    pb_jinja_output_free(&o);
    pb_jinja_free(t);
    free(source);
    return want != NULL;
}

TEST(renderings_and_marks_are_those_of_transformers)
{
    char *text = read("rendered.jsonl", NULL), *rest = text, *line;
    int rendered = 0, refused = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *doc = pb_json_parse("rendered.jsonl", line, strlen(line));
        if (CHECK(doc != NULL))
            check_rendering(pb_json_root(doc)) ? rendered++ : refused++;
        pb_json_free(doc);
    }
    CHECK(rendered > 150);
    CHECK(refused > 10);
    free(text);
}

/* ---- one template --------------------------------------------------------------------------------------- */

#define VARIABLES                                                                                                      \
    "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": \"yes\"}], "    \
    "\"n\": 7, \"f\": 0.5, \"z\": null}"

/* What the template gives, or the error.  The caller frees it. */
static char *render(const char *source, size_t size, const char *date)
{
    pb_json_doc *doc = pb_json_parse("variables", VARIABLES, strlen(VARIABLES));
    pb_jinja *t = pb_jinja_parse("t", source, size);
    pb_jinja_output o = {0};
    int rc = t ? pb_jinja_render(t, pb_json_root(doc), date, &o) : -1;
    char *out = pb_strdup(rc ? pb_error_text() : o.text.data);
    pb_error_clear();
    pb_jinja_output_free(&o);
    pb_jinja_free(t);
    pb_json_free(doc);
    return out;
}

static void check(const char *source, const char *want)
{
    char *got = render(source, strlen(source), NULL);
    CHECK_TEXT(got, want);
    free(got);
}

TEST(what_is_not_supported_is_refused_by_name_and_line)
{
    check("a\n{{ n | pprint }}", "t:2: the filter 'pprint' is not supported");
    check("\n\n{% if n is prime %}{% endif %}", "t:3: the test 'prime' is not supported");
    check("{% include 'x' %}", "t:1: the tag 'include' is not supported here");
    check("{% call n() %}{% endcall %}", "t:1: the tag 'call' is not supported here");
    check("{% raw %}{{ n }}{% endraw %}", "t:1: the tag 'raw' is not supported here");
    check("{% for m in messages recursive %}{% endfor %}",
          "t:1: want the end of the tag, as recursive loops are not supported,, got 'recursive'");
    check("{{ lipsum() }}", "t:1: there is no function 'lipsum'");
    check("{{ messages.append(1) }}", "t:1: 'append' of a list is not supported");
    check("{{ messages[0].pop('role') }}", "t:1: the method 'pop' of a mapping is not supported");
    check("{{ messages[0].role.format(1) }}", "t:1: 'format' of a text is not supported");
    check("{% for m in messages %}{{ loop.cycle(1, 2) }}{% endfor %}", "t:1: 'cycle' of a loop is not supported");
    check("{{ messages }}", "t:1: want a text or a number to print, got a list; tojson prints it");
    check("{{ '\xC3\xA9' | upper }}", "t:1: upper: want a text in ASCII; other letters are not supported");
    check("{{ ''.__class__ }}", "t:1: '__class__': names with two underscores are not supported");
    check("{{ '%d' % n }}", "t:1: % is not supported for a text");
    check("{{ n | tojson(separators=(',', ':')) }}", "t:1: tojson: separators is not supported");
    check("{{ strftime_now('%Y') }}",
          "t:1: strftime_now: the text would depend on the day of the run; want a fixed date");
}

TEST(what_transformers_refuses_is_refused)
{
    check("{{ raise_exception('no ' ~ messages[0].role) }}", "t:1: the template refuses the conversation: no user");
    check("{{ missing.role }}", "t:1: 'missing' is undefined, and so has no 'role'");
    check("{{ 'a' + missing }}", "t:1: 'missing' is undefined, for +");
    check("{{ 'a' + n }}", "t:1: + is not supported for an integer");
    check("{{ n < 'a' }}", "t:1: < is not supported for a text");
    check("{{ n / 0 }}", "t:1: division by zero");
    check("{% for x in n %}{% endfor %}", "t:1: want a list, a mapping or a text, got an integer");
    check("{% set a, b = [1] %}", "t:1: too few values to unpack");
    check("{% set ns.x = 1 %}", "t:1: want a namespace in front of .x, got something undefined");
    check("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "t:1: the macro 'f' does not take these arguments");
}

TEST(a_malformed_template_is_refused_with_its_line)
{
    check("{% if n %}\n{{ n ", "t:2: want }} at the end of the tag");
    check("{% if n %}\nx", "t:2: want {% endif %}, got the end of the template");
    check("a\n{% endfor %}", "t:2: {% endfor %} ends nothing that is open here");
    check("{% if n %}{% endfor %}", "t:1: want {% endif %}, got 'endfor'");
    check("{{ (n }}", "t:1: a bracket is closed that is not open");
    check("{{ n) }}", "t:1: a bracket is closed that is not open");
    check("{{ 'abc }}", "t:1: a string is not closed");
    check("{# abc", "t:1: a comment is not closed");
    check("{{ n n }}", "t:1: want }}, got 'n'");
    check("{{ }}", "t:1: want an expression, got the end of the tag");
    check("{% break %}", "t:1: break and continue stand in a loop");
    check("{{ ? }}", "t:1: unexpected character '?'");
    check("\xFF", "t:1: want UTF-8 without NUL, got byte 0xFF at offset 0");
}

TEST(a_date_is_that_of_the_setting)
{
    static const char source[] = "{{ strftime_now('%d %b %Y, %A %a %B %y-%m %%') }}";
    char *got = render(source, strlen(source), "2024-02-29");
    CHECK_TEXT(got, "29 Feb 2024, Thursday Thu February 24-02 %");
    free(got);
    got = render(source, strlen(source), "2023-02-29");
    CHECK_TEXT(got, "t:1: strftime_now: want a date such as 2025-01-31, got '2023-02-29'");
    free(got);
    got = render("{{ strftime_now('%s') }}", strlen("{{ strftime_now('%s') }}"), "2024-02-29");
    CHECK_TEXT(got, "t:1: strftime_now: want %Y, %y, %m, %d, %B, %b, %A and %a in the format");
    free(got);
}

/* ---- limits --------------------------------------------------------------------------------------------- */

static char *repeated(const char *before, const char *part, int times, const char *after)
{
    pb_text t = {0};
    pb_text_add(&t, "%s", before);
    for (int i = 0; i < times; i++)
        pb_text_add(&t, "%s", part);
    pb_text_add(&t, "%s", after);
    return t.data;
}

static void check_limit(char *source, const char *part_of_error)
{
    char *got = render(source, strlen(source), NULL);
    if (!CHECK(strstr(got, part_of_error) != NULL))
        printf("got %.200s\n", got);
    free(got);
    free(source);
}

TEST(depth_steps_memory_and_output_are_limited)
{
    check_limit(repeated("{{ ", "(", 50000, "n"), "nests too deeply");
    check_limit(repeated("{{ ", "not ", 50000, "n }}"), "nests too deeply");
    check_limit(repeated("{{ ", "-", 50000, "n }}"), "nests too deeply");
    check_limit(repeated("", "{% if n %}", 50000, ""), "nests too deeply");
    check_limit(repeated("{{ n", " + n", 50000, " }}"), "nests too deeply");
    check_limit(repeated("{{ z", ".a", 50000, " }}"), "nests too deeply");
    check_limit(repeated("{% if n == 1 %}", "{% elif n == 2 %}", 50000, "{% endif %}"), "nests too deeply");
    check_limit(pb_strdup("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), "nests too deeply");
    check_limit(pb_strdup("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
                "more than");
    check_limit(
        pb_strdup("{% set ns = namespace(s='ab') %}{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}"),
        "larger than");
    check_limit(
        pb_strdup(
            "{% for a in range(9999) %}{{ 'xxxxxxxxxx' | replace('x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy') "
            "| replace('y', 'zzzzzzzzzz') }}{% endfor %}"),
        "more than");
    check_limit(pb_strdup("{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
                          "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}"),
                "steps");
    check_limit(pb_strdup("{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}"
                          "{% set ns.b = [ns.b] %}{% endfor %}{{ ns.a == ns.b }}"),
                "steps");
    check_limit(pb_strdup("{% set ns = namespace(a=[1]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}"
                          "{{ ns.a | tojson }}"),
                "too large");
}

/* ---- damage --------------------------------------------------------------------------------------------- */

/* Cuts, doubles or overwrites some bytes; a function of the round. */
static char *damage(const char *source, size_t *n, int round)
{
    static const char *const words[] = {"{{", "}}",   "{%",   "%}", "-",    "(",     "]",
                                        "|",  " if ", " in ", "'",  "loop", "[:-1]", "\n"};
    pb_rng r = pb_rng_named((uint64_t)round, "damage");
    size_t at = (size_t)pb_rng_below(&r, *n), length = 1 + (size_t)pb_rng_below(&r, 12);
    length = pb_min_size(length, *n - at);
    const char *word = words[pb_rng_below(&r, PB_COUNT(words))];
    pb_text t = {0};
    pb_text_bytes(&t, source, at);
    if (round % 3 == 0)
        pb_text_bytes(&t, word, strlen(word));
    if (round % 3 == 1)
        pb_text_bytes(&t, source + at, length);
    pb_text_bytes(&t, source + at + (round % 3 == 2 ? length : 0), *n - at - (round % 3 == 2 ? length : 0));
    *n = t.length;
    return t.data;
}

TEST(a_damaged_template_is_rendered_or_refused)
{
    static const char *const names[] = {"qwen.jinja", "macros.jinja", "values.jinja", "blanks.jinja", "thinking.jinja"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        size_t size;
        char *source = read(names[i], &size);
        for (int round = 0; round < 300; round++) {
            size_t n = size;
            char *broken = damage(source, &n, round), *got = render(broken, n, "2024-02-29");
            CHECK(got != NULL);
            free(broken);
            free(got);
        }
        free(source);
    }
}
