/* option: see option.h. */
#include "base/option.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const pb_option *pb_option_find(const pb_option *table, const char *name)
{
    for (const pb_option *row = table; row && row->name; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

/* ---- parsing ---------------------------------------------------------------------------- */

static int parse_number(const pb_option *row, const char *value, double *out)
{
    char *end;
    pb_plain_numbers();
    errno = 0;
    *out = strtod(value, &end);
    bool whole = row->type != PB_INT || (*out == floor(*out) && fabs(*out) < 1e9);
    if (end == value || *end || errno || !whole || !(*out >= row->min && *out <= row->max))
        return pb_error("%s: want %s in %g..%g, got '%s'", row->name,
                        row->type == PB_INT ? "a whole number" : "a number", row->min, row->max, value);
    return 0;
}

static int parse_bool(const pb_option *row, const char *value, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < PB_COUNT(yes); i++)
        if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
            *out = strcasecmp(value, yes[i]) == 0;
            return 0;
        }
    return pb_error("%s: want yes or no, got '%s'", row->name, value);
}

static int refuse_choice(const pb_option *row, const char *value)
{
    char *words = pb_strdup(row->choices), *rest = words, *near;
    const char *names[32] = {0};
    for (size_t n = 0; rest && n + 1 < PB_COUNT(names); n++)
        names[n] = strsep(&rest, "|");
    near = pb_did_you_mean(value, names);
    pb_error("%s: want %s, got '%s'%s", row->name, row->choices, value, near);
    free(near);
    free(words);
    return -1;
}

static int parse_choice(const pb_option *row, const char *value, int *out)
{
    size_t n = strlen(value);
    const char *at = row->choices;
    for (int i = 0; at; i++) {
        size_t length = strcspn(at, "|");
        if (length == n && strncmp(at, value, n) == 0) {
            *out = i;
            return 0;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return refuse_choice(row, value);
}

static int parse_value(const pb_option *row, void *field, const char *value)
{
    double number;
    switch (row->type) {
    case PB_INT:
        if (parse_number(row, value, &number))
            return -1;
        *(int *)field = (int)number;
        return 0;
    case PB_REAL:
        if (parse_number(row, value, &number))
            return -1;
        *(double *)field = number;
        return 0;
    case PB_BOOL: return parse_bool(row, value, field);
    case PB_TEXT:
        free(*(char **)field);
        *(char **)field = pb_strdup(value);
        return 0;
    case PB_CHOICE: return parse_choice(row, value, field);
    }
    PB_BUG("option %s: type %d", row->name, (int)row->type);
}

static int refuse_unknown(const pb_option *table, const char *name)
{
    const char *names[64] = {0};
    pb_text allowed = {0};
    size_t n = 0;
    for (const pb_option *row = table; row && row->name && n + 1 < PB_COUNT(names); row++) {
        pb_text_add(&allowed, "%s%s", n ? ", " : "", row->name);
        names[n++] = row->name;
    }
    const char *near = pb_nearest(name, names);
    pb_error("no setting '%s'; %s%s%sallowed: %s", name, near ? "did you mean '" : "", near ? near : "",
             near ? "'? " : "", n ? allowed.data : "none");
    pb_text_free(&allowed);
    return -1;
}

int pb_option_set(const pb_option *table, void *conf, const char *name, const char *value)
{
    const pb_option *row = pb_option_find(table, name);
    if (!row)
        return refuse_unknown(table, name);
    return parse_value(row, (char *)conf + row->offset, value);
}

void pb_option_defaults(const pb_option *table, void *conf)
{
    for (const pb_option *row = table; row && row->name; row++) {
        if (row->type == PB_TEXT)
            *(char **)((char *)conf + row->offset) = NULL;
        if (parse_value(row, (char *)conf + row->offset, row->default_value))
            PB_BUG("default of %s", pb_error_text());
    }
}

void pb_option_release(const pb_option *table, void *conf)
{
    for (const pb_option *row = table; row && row->name; row++)
        if (row->type == PB_TEXT) {
            char **field = (char **)((char *)conf + row->offset);
            free(*field);
            *field = NULL;
        }
}

/* ---- printing --------------------------------------------------------------------------- */

static void print_choice(const char *choices, int number, pb_text *out)
{
    for (; number > 0; number--)
        choices += strcspn(choices, "|") + 1;
    pb_text_bytes(out, choices, strcspn(choices, "|"));
}

void pb_option_print(const pb_option *row, const void *conf, pb_text *out)
{
    const void *field = (const char *)conf + row->offset;
    switch (row->type) {
    case PB_INT: pb_text_add(out, "%d", *(const int *)field); break;
    case PB_REAL: pb_text_real(out, *(const double *)field); break;
    case PB_BOOL: pb_text_add(out, "%s", *(const bool *)field ? "yes" : "no"); break;
    case PB_TEXT: pb_text_add(out, "%s", *(const char *const *)field); break;
    case PB_CHOICE: print_choice(row->choices, *(const int *)field, out); break;
    }
}

/* ---- did you mean ------------------------------------------------------------------------ */

static int least_of(int a, int b, int c)
{
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

/* The edit distance of the first 63 bytes, where an exchange of two neighbours is one edit (Damerau 1964). */
static int edit_distance(const char *a, const char *b)
{
    int row[3][64], n = (int)strnlen(b, 63), i = 0; /* row[i % 3][j]: of the first i bytes of a and j of b */
    for (int j = 0; j <= n; j++)
        row[0][j] = j;
    for (i = 1; i <= 63 && a[i - 1]; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            now[j] = least_of(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return row[(i - 1) % 3][n];
}

const char *pb_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    int least = (int)strlen(word) / 2 + 1; /* at most half of the word may differ */
    for (; *names; names++) {
        int d = edit_distance(word, *names);
        if (d < least) {
            least = d;
            best = *names;
        }
    }
    return best;
}

char *pb_did_you_mean(const char *word, const char *const *names)
{
    const char *near = pb_nearest(word, names);
    return near ? pb_format("; did you mean '%s'?", near) : pb_strdup("");
}
