/* test: what a test program includes, once.  It brings main().
 *
 *     TEST(shares_cover_everything) { CHECK_INT(sum, 100); }
 *
 * A failing check prints FILE:LINE and goes on; every CHECK is an expression that is true when
 * it held, for `if (!CHECK(p)) return;`.  A test without a failing check passes.
 * An argument runs only the tests whose names contain it.  The output, for tests/run.sh:
 * "# NAME" before each test (the last one names a crash) and the counts as the last line.
 */
#ifndef PB_TESTS_TEST_H
#define PB_TESTS_TEST_H

#include "base/base.h"

#include <math.h>
#include <string.h>

typedef struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
} test_case;

static struct {
    test_case *first, **end;
    int failures;        /* of the running test */
    const char *skipped; /* why, or NULL */
} test_state;

static inline void test_register(test_case *t)
{
    if (!test_state.end)
        test_state.end = &test_state.first;
    *test_state.end = t;
    test_state.end = &t->next;
}

#define TEST(name)                                                                                                     \
    static void test_##name(void);                                                                                     \
    __attribute__((constructor)) static void test_add_##name(void)                                                     \
    {                                                                                                                  \
        static test_case self = {#name, test_##name, NULL};                                                            \
        test_register(&self);                                                                                          \
    }                                                                                                                  \
    static void test_##name(void)

/* Leaves the test; it counts as skipped unless a check failed before. */
#define SKIP(why)                                                                                                      \
    do {                                                                                                               \
        test_state.skipped = (why);                                                                                    \
        return;                                                                                                        \
    } while (0)

/* Prints at most 20 lines of one test: a wrong kernel fails at every element. */
PB_PRINTF(3, 4) static inline bool test_fail(const char *file, int line, const char *fmt, ...)
{
    if (++test_state.failures > 20)
        return false;
    printf("%s:%d: ", file, line);
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("%s\n", test_state.failures == 20 ? " (further failures of this test are not shown)" : "");
    return false;
}

static inline bool test_check(const char *file, int line, bool held, const char *text)
{
    return held || test_fail(file, line, "does not hold: %s", text);
}

static inline bool test_int(const char *file, int line, const char *text, long long got, long long want)
{
    return got == want || test_fail(file, line, "%s: got %lld, want %lld", text, got, want);
}

static inline bool test_text(const char *file, int line, const char *text, const char *got, const char *want)
{
    if (got && want ? strcmp(got, want) == 0 : got == want)
        return true;
    return test_fail(file, line, "%s: got \"%s\", want \"%s\"", text, got ? got : "(NULL)", want ? want : "(NULL)");
}

/* Relative to `want`, absolute where want is 0.  NaN is near nothing. */
static inline bool test_near(const char *file, int line, const char *text, double got, double want, double tolerance)
{
    double allowed = tolerance * (want == 0 ? 1 : fabs(want));
    if (got == want || fabs(got - want) <= allowed)
        return true;
    return test_fail(file, line, "%s: got %.9g, want %.9g within %.3g", text, got, want, allowed);
}

#define CHECK(cond) test_check(__FILE__, __LINE__, (cond), #cond)
#define CHECK_INT(got, want) test_int(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_TEXT(got, want) test_text(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_NEAR(got, want, tolerance) test_near(__FILE__, __LINE__, #got, (got), (want), (tolerance))

int main(int argc, char **argv)
{
    int passed = 0, failed = 0, skipped = 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was said before a crash is not lost */
    for (const test_case *t = test_state.first; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1]))
            continue;
        printf("# %s\n", t->name);
        test_state.failures = 0;
        test_state.skipped = NULL;
        pb_error_clear();
        t->run();
        if (test_state.failures)
            failed++;
        else if (test_state.skipped)
            skipped++;
        else
            passed++;
        if (test_state.failures)
            printf("FAILED %s\n", t->name);
        else if (test_state.skipped)
            printf("skipped %s: %s\n", t->name, test_state.skipped);
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}

#endif
