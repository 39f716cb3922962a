/* template: see template.h. */
#include "train/template.h"

#include <string.h>

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* Returns the position of `word`, or NULL with an error unless it occurs once. */
static const char *find_once(const char *path, const char *text, const char *word)
{
    const char *at = strstr(text, word), *again = at ? strstr(at + 1, word) : NULL;
    if (!at)
        pb_error("%s:%d: no %s; want a template with {text} and, after it, {label}", path,
                 line_of(text, text + strlen(text)), word);
    else if (again)
        pb_error("%s:%d: %s a second time; want it once", path, line_of(text, again), word);
    return again ? NULL : at;
}

static pb_slice slice(const char *from, const char *to)
{
    return (pb_slice){from, (int)(to - from)};
}

int pb_template_parse(const char *path, const char *text, pb_template *out)
{
    const char *given = find_once(path, text, "{text}"), *answer = given ? find_once(path, text, "{label}") : NULL;
    if (!answer)
        return -1;
    if (answer < given)
        return pb_error("%s:%d: {label} stands before {text}; want it after {text}, where the model continues", path,
                        line_of(text, answer));
    const char *line = given, *middle = given + strlen("{text}"), *lead = answer, *after = answer + strlen("{label}");
    while (line > text && line[-1] != '\n')
        line--;
    while (lead > middle && (lead[-1] == ' ' || lead[-1] == '\t'))
        lead--;
    const char *end = after + strlen(after);
    while (end > after && end[-1] == '\n')
        end--;
    *out = (pb_template){slice(text, line), slice(line, given), slice(middle, lead), slice(lead, answer),
                         slice(after, end)};
    return 0;
}

static void add_slice(pb_text *out, pb_slice s)
{
    pb_text_bytes(out, s.at, (size_t)s.size);
}

void pb_template_write(const pb_template *t, const char *text, const char *answer, pb_text *out)
{
    add_slice(out, t->before);
    pb_text_bytes(out, text, strlen(text));
    add_slice(out, t->middle);
    if (!answer)
        return;
    add_slice(out, t->lead);
    pb_text_bytes(out, answer, strlen(answer));
    add_slice(out, t->after);
}
