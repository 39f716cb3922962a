/* answer-match and no-answer: the answers that are found in texts by a pattern, such as "#### {number}".
 *
 * A number is found as the filters of lm-evaluation-harness for GSM8K find it: behind a text, the first run of
 * `-?[0-9.,]+` (strict-match); by {number} alone, the last run of `-?[$0-9.,]{2,}|-?[0-9]+` (flexible-extract).  As its
 * exact_match does, commas, dollar signs and one full stop at the end are then left out.  Beyond that, numbers are
 * compared as numbers: 18 is 18.0. */
#include "train/metric_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef enum hole { NUMBER, TEXT, LETTER, HOLES } hole;

struct pb_answer {
    char *before, *after; /* the texts around the hole */
    hole hole;
};

static const char *const hole_name[HOLES] = {"{number}", "{text}", "{letter}"};

/* ---- the pattern ------------------------------------------------------------------------------------------ */

void pb_answer_free(pb_answer *a)
{
    if (!a)
        return;
    free(a->before);
    free(a->after);
    free(a);
}

pb_answer *pb_answer_parse(const char *pattern)
{
    int holes = 0;
    const char *at = NULL, *brace = pattern + strcspn(pattern, "{}");
    hole kind = NUMBER;
    for (int h = 0; h < HOLES; h++)
        for (const char *c = strstr(pattern, hole_name[h]); c; c = strstr(c + 1, hole_name[h])) {
            at = c;
            kind = (hole)h;
            holes++;
        }
    if (holes != 1 || brace != at || strpbrk(at + strlen(hole_name[kind]), "{}")) {
        pb_error("want a text with one of {number}, {text} and {letter}, such as '#### {number}', got '%s'", pattern);
        return NULL;
    }
    if (kind != NUMBER && at == pattern) {
        pb_error("want a text before %s, got '%s'", hole_name[kind], pattern);
        return NULL;
    }
    pb_answer *a = pb_alloc(sizeof *a);
    *a = (pb_answer){.before = pb_format("%.*s", (int)(at - pattern), pattern),
                     .after = pb_strdup(at + strlen(hole_name[kind])),
                     .hole = kind};
    return a;
}

/* ---- finding ---------------------------------------------------------------------------------------------- */

/* Returns the length of the run of characters of `set` at `text`, behind a minus sign if there is one; 0 if there are
 * fewer than `least` of them. */
static size_t run_of(const char *text, const char *set, size_t least)
{
    size_t sign = *text == '-', n = strspn(text + sign, set);
    return n >= least ? sign + n : 0;
}

static bool is_followed(const pb_answer *a, const char *end)
{
    return !strncmp(end, a->after, strlen(a->after));
}

/* Returns the length of the answer at `text`, behind a->before; 0 if there is none. */
static size_t length_at(const pb_answer *a, const char *text)
{
    size_t n = 0;
    if (a->hole == NUMBER) {
        for (n = run_of(text, "0123456789.,", 1); n && !is_followed(a, text + n);)
            n -= n == 1 || (n == 2 && *text == '-') ? n : 1; /* as a regular expression gives characters back */
        return n;
    }
    if (a->hole == LETTER)
        return isalpha((unsigned char)*text) && !isalnum((unsigned char)text[1]) && is_followed(a, text + 1);
    size_t line = strcspn(text, "\n");
    if (!*a->after)
        return line;
    for (n = 1; n <= line && !is_followed(a, text + n); n++)
        ;
    return n <= line ? n : 0;
}

/* Returns the last number of a text, and sets *n to its length; NULL if there is none. */
static const char *last_number(const char *text, size_t *n)
{
    const char *last = NULL;
    while (*text) {
        size_t length = run_of(text, "$0123456789.,", 2);
        length = length ? length : run_of(text, "0123456789", 1);
        if (length) {
            last = text;
            *n = length;
        }
        text += length ? length : 1;
    }
    return last;
}

char *pb_answer_extract(const pb_answer *a, const char *text)
{
    size_t n = 0, before = strlen(a->before);
    if (!before && !*a->after) {
        const char *last = last_number(text, &n);
        return last ? pb_format("%.*s", (int)n, last) : NULL;
    }
    for (const char *at = strstr(text, a->before); at; at = *at ? strstr(at + 1, a->before) : NULL)
        if ((n = length_at(a, at + before)))
            return pb_format("%.*s", (int)n, at + before);
    return NULL;
}

/* ---- comparing -------------------------------------------------------------------------------------------- */

/* Returns a number without separators and with no digit that does not count, "-1000.5"; NULL if it is none.  The caller
 * frees it. */
static char *canonical_number(const char *found)
{
    pb_text digits = {0};
    int points = 0, count = 0;
    size_t size = strlen(found);
    size -= size && found[size - 1] == '.';
    bool negative = *found == '-';
    for (size_t i = negative; i < size; i++) {
        points += found[i] == '.';
        count += isdigit((unsigned char)found[i]) != 0;
        bool leading = found[i] == '0' && !digits.length;
        if (!strchr(",$", found[i]) && !leading)
            pb_text_bytes(&digits, found + i, 1);
    }
    while (points && digits.length && digits.data[digits.length - 1] == '0')
        digits.data[--digits.length] = 0;
    if (points && digits.length && digits.data[digits.length - 1] == '.')
        digits.data[--digits.length] = 0;
    const char *rest = digits.length ? digits.data : "0";
    bool zero = !strcmp(rest, "0");
    char *out = !count || points > 1 ? NULL
                                     : pb_format("%s%s%s", negative && !zero ? "-" : "", *rest == '.' ? "0" : "", rest);
    pb_text_free(&digits);
    return out;
}

char *pb_answer_find(const pb_answer *a, const char *text)
{
    char *found = pb_answer_extract(a, text);
    if (!found || a->hole == NUMBER) {
        char *number = found ? canonical_number(found) : NULL;
        free(found);
        return number;
    }
    size_t n;
    const char *trimmed = pb_trimmed(found, &n);
    char *own = pb_format("%.*s", (int)n, trimmed), *lower = pb_lower(own);
    free(own);
    free(found);
    if (*lower)
        return lower;
    free(lower);
    return NULL;
}

/* ---- the metrics ------------------------------------------------------------------------------------------ */

enum { COUNTED, EXAMPLES, STATS };

static void *start(const pb_text_set *set)
{
    pb_answer *a = pb_answer_parse(set->answer ? set->answer : "");
    PB_CHECK(a); /* the task has checked it */
    return a;
}

static void stop(void *context)
{
    pb_answer_free(context);
}

static void gather_match(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    char *own = pb_answer_find(context, hypothesis);
    stats[COUNTED] = 0;
    for (int i = 0; i < item->references && own; i++) {
        char *reference = pb_answer_find(context, item->reference[i]);
        if (reference && !strcmp(own, reference))
            stats[COUNTED] = 1;
        free(reference);
    }
    stats[EXAMPLES] = 1;
    free(own);
}

static void gather_missing(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    (void)item;
    char *own = pb_answer_find(context, hypothesis);
    stats[COUNTED] = !own;
    stats[EXAMPLES] = 1;
    free(own);
}

static double share(const double *s)
{
    return s[COUNTED] / s[EXAMPLES];
}

const pb_text_metric pb_metric_answer_match = {
    .name = "answer-match",
    .title = "matching answers",
    .paper = "Cobbe et al. 2021",
    .signature = "numbers:yes|case:no",
    .higher_is_better = true,
    .stats = STATS,
    .start = start,
    .stop = stop,
    .gather = gather_match,
    .value = share,
};

const pb_text_metric pb_metric_no_answer = {
    .name = "no-answer",
    .title = "texts without an answer",
    .paper = "Cobbe et al. 2021",
    .signature = "numbers:yes|case:no",
    .stats = STATS,
    .start = start,
    .stop = stop,
    .gather = gather_missing,
    .value = share,
};
