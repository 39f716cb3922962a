/* template: see template.h. */
#include "train/template.h"

#include <stdlib.h>
#include <string.h>

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* The places of a template: {NAME} of one or two texts, and {label}. */
typedef struct places {
    const char *path, *text;
    char *name[2]; /* "{text}", or those of a pair; [1] NULL: single texts */
} places;

static int refuse(const places *p, const char *at, const char *what, const char *word)
{
    return pb_error("%s:%d: %s%s; want a template with %s%s%s and, after %s, {label}", p->path, line_of(p->text, at),
                    what, word, p->name[0], p->name[1] ? ", " : "", p->name[1] ? p->name[1] : "",
                    p->name[1] ? "them" : "it");
}

/* Returns the position of `word`, or NULL with an error unless it occurs once. */
static const char *find_once(const places *p, const char *word)
{
    const char *at = strstr(p->text, word), *again = at ? strstr(at + 1, word) : NULL;
    if (!at)
        refuse(p, p->text + strlen(p->text), "no ", word);
    else if (again)
        pb_error("%s:%d: %s a second time; want it once", p->path, line_of(p->text, again), word);
    return again ? NULL : at;
}

static pb_slice slice(const char *from, const char *to)
{
    return (pb_slice){from, (int)(to - from)};
}

/* Finds the first and the last of the texts: at[0] and, of a pair, at[1]. */
static int find_texts(const places *p, const char *at[2], bool *swapped)
{
    at[0] = find_once(p, p->name[0]);
    at[1] = at[0] && p->name[1] ? find_once(p, p->name[1]) : NULL;
    if (!at[0] || (p->name[1] && !at[1]))
        return -1;
    *swapped = at[1] && at[1] < at[0];
    if (*swapped) {
        const char *first = at[1];
        at[1] = at[0];
        at[0] = first;
    }
    return 0;
}

static int parse(const places *p, pb_template *out)
{
    const char *at[2], *text = p->text;
    bool swapped;
    const char *answer = find_texts(p, at, &swapped) ? NULL : find_once(p, "{label}");
    if (!answer)
        return -1;
    const char *last = at[1] ? at[1] : at[0], *name = p->name[at[1] && !swapped];
    if (answer < last)
        return pb_error("%s:%d: {label} stands before %s; want it after %s, where the model continues", p->path,
                        line_of(text, answer), name, name);
    const char *line = at[0], *middle = last + strlen(name), *lead = answer, *after = answer + strlen("{label}");
    const char *between = at[0] + strlen(p->name[swapped]);
    while (line > text && line[-1] != '\n')
        line--;
    while (lead > middle && (lead[-1] == ' ' || lead[-1] == '\t'))
        lead--;
    const char *end = after + strlen(after);
    while (end > after && end[-1] == '\n')
        end--;
    *out = (pb_template){.once = slice(text, line),
                         .before = slice(line, at[0]),
                         .between = slice(between, at[1] ? at[1] : between),
                         .middle = slice(middle, lead),
                         .lead = slice(lead, answer),
                         .after = slice(after, end),
                         .swapped = swapped};
    return 0;
}

int pb_template_parse(const char *path, const char *text, char *const pair[2], pb_template *out)
{
    bool two = pair && pair[0];
    places p = {path, text, {two ? pb_format("{%s}", pair[0]) : pb_strdup("{text}"), NULL}};
    p.name[1] = two ? pb_format("{%s}", pair[1]) : NULL;
    int rc = parse(&p, out);
    free(p.name[0]);
    free(p.name[1]);
    return rc;
}

static void add_slice(pb_text *out, pb_slice s)
{
    pb_text_bytes(out, s.at, (size_t)s.size);
}

void pb_template_write(const pb_template *t, pb_template_extent extent, const char *text, const char *second,
                       const char *answer, pb_text *out)
{
    const char *shown[2] = {second && t->swapped ? second : text, second && t->swapped ? text : second};
    add_slice(out, t->before);
    if (extent >= PB_AFTER_FIRST)
        pb_text_bytes(out, shown[0], strlen(shown[0]));
    if (extent >= PB_TO_SECOND && second)
        add_slice(out, t->between);
    if (extent >= PB_TO_TEXTS_END && second)
        pb_text_bytes(out, shown[1], strlen(shown[1]));
    if (extent >= PB_TO_ANSWER)
        add_slice(out, t->middle);
    if (extent < PB_WITH_ANSWER)
        return;
    add_slice(out, t->lead);
    pb_text_bytes(out, answer, strlen(answer));
    add_slice(out, t->after);
}
