/* Answers that a pattern finds in texts, against the expressions of lm-evaluation-harness's task gsm8k
 * (tests/parity/make_answers.py). */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "train/metric.h"

static const char *const other[] = {"18", "1000", "5", "12", "7", "0.5", "-5", "1,000,000"};

static bool is_in(const pb_json *list, size_t i)
{
    for (size_t k = 0; k < pb_json_size(list); k++)
        if (pb_json_integer(pb_json_at(list, k), -1) == (long long)i)
            return true;
    return false;
}

static const pb_json *part(const pb_json *line, const char *kind, const char *what)
{
    char key[32];
    snprintf(key, sizeof key, "%s_%s", kind, what);
    return pb_json_get(line, key);
}

/* What is found is what the expression finds.  Answers are equal if they are equal numbers; those that are equal to the
 * harness are among them. */
static int compare(const pb_answer *a, const pb_answer *number, const pb_json *line, const char *kind)
{
    const char *text = pb_json_text(pb_json_get(line, "text"), "");
    const pb_json *want = pb_json_get(line, kind);
    char *found = pb_answer_extract(a, text), *own = pb_answer_find(a, text);
    int more = 0;
    CHECK_TEXT(found ? found : "none", pb_json_is_null(want) ? "none" : pb_json_text(want, ""));
    CHECK_INT(!own, pb_json_bool(part(line, kind, "none"), false));
    for (size_t i = 0; i < PB_COUNT(other); i++) {
        char *reference = pb_answer_find(number, other[i]);
        bool same = own && reference && !strcmp(own, reference);
        if (!CHECK_INT(same, is_in(part(line, kind, "number"), i)) ||
            !CHECK(same || !is_in(part(line, kind, "equal"), i)))
            printf("    %s: %s, %s\n", kind, text, other[i]);
        more += same && !is_in(part(line, kind, "equal"), i);
        free(reference);
    }
    free(found);
    free(own);
    return more;
}

TEST(answers_are_those_of_the_harness)
{
    pb_answer *strict = pb_answer_parse("#### {number}"), *flexible = pb_answer_parse("{number}");
    char *text = pb_read_file("tests/golden/metrics/answers.jsonl", NULL), *rest = text, *line;
    int lines = 0, more = 0;
    while (CHECK(text != NULL) && (line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *f = pb_json_parse("answers.jsonl", line, strlen(line));
        if (CHECK(f != NULL)) {
            more += compare(strict, flexible, pb_json_root(f), "strict");
            more += compare(flexible, flexible, pb_json_root(f), "flexible");
        }
        lines++;
        pb_json_free(f);
    }
    CHECK_INT(lines, 53);
    CHECK(more > 0); /* such as 18.0, which is 18 here but not there */
    free(text);
    pb_answer_free(strict);
    pb_answer_free(flexible);
}

/* Checks what a pattern finds; NULL: nothing. */
static void finds(const char *pattern, const char *text, const char *want)
{
    pb_answer *a = pb_answer_parse(pattern);
    char *found = CHECK(a != NULL) ? pb_answer_find(a, text) : NULL;
    if (!CHECK_TEXT(found ? found : "none", want ? want : "none"))
        printf("    '%s' in '%s'\n", pattern, text);
    free(found);
    pb_answer_free(a);
}

TEST(numbers_have_one_form)
{
    static const char *const same[][2] = {
        {"1,000", "1000"}, {"1000.0", "1000"}, {"0018", "18"}, {"-0.50", "-0.5"}, {".5", "0.5"},
        {"-0.0", "0"},     {"000", "0"},       {"7.", "7"},    {"$5", "5"},       {"-$1,234.50", "-1234.5"}};
    for (size_t i = 0; i < PB_COUNT(same); i++)
        finds("{number}", same[i][0], same[i][1]);
    finds("{number}", "3.14.15", NULL);
    finds("#### {number}", "#### 100000000000000000000000000001", "100000000000000000000000000001");
}

TEST(other_holes)
{
    finds("Answer: {letter}", "Answer: B", "b");
    finds("Answer: {letter}", "Answer: Bob. Answer: C.", "c");
    finds("({letter})", "It is (D), not (A).", "d");
    finds("Answer: {letter}", "answer: B", NULL);
    finds("So {text}", "So Paris \nis it", "paris");
    finds("<a>{text}</a>", "<a> New York </a>", "new york");
    finds("<a>{text}</a>", "<a>New\nYork</a>", NULL);
    finds("is {number} .", "is 18.5 .", "18.5");
    finds("is {number}.", "is 18.", "18");
    finds("is {number}.", "is -5, or is 6.", "6");
    finds("So {text}", "So ", NULL);
}

TEST(patterns_that_are_none)
{
    static const char *const wrong[] = {"",       "####",      "{numbr}",      "{number}{text}", "{number} or {number}",
                                        "{text}", "{letter}!", "{x} {number}", "{number} {"};
    for (size_t i = 0; i < PB_COUNT(wrong); i++) {
        pb_answer *a = pb_answer_parse(wrong[i]);
        if (!CHECK(!a))
            printf("    '%s'\n", wrong[i]);
        pb_answer_free(a);
        CHECK(strstr(pb_error_text(), "want a text") != NULL);
        pb_error_clear();
    }
}

TEST(shares_of_a_split)
{
    static const char *const reference[] = {"It is 3.\n#### 3"}, *const hypothesis[] = {"#### 3.0", "#### 4", "3"};
    const pb_text_item item[] = {{NULL, reference, 1}, {NULL, reference, 1}, {NULL, reference, 1}};
    const pb_text_set set = {.item = item, .count = 3, .answer = "#### {number}"};
    double stats[6];
    CHECK_NEAR(pb_text_score(pb_text_metric_find("answer-match"), &set, hypothesis, stats), 1.0 / 3, 1e-12);
    CHECK_NEAR(stats[0] + stats[2] + stats[4], 1, 0); /* by example, so that they can be resampled */
    CHECK_NEAR(pb_text_score(pb_text_metric_find("no-answer"), &set, hypothesis, stats), 1.0 / 3, 1e-12);
    CHECK_NEAR(stats[4], 1, 0);
}
