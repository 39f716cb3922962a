/* stop_texts: see stop_texts.h. */
#include "model/stop_texts.h"

#include <stdlib.h>
#include <string.h>

static char unescaped(char c)
{
    return (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c);
}

static void add_stop(pb_stops *s, pb_text one)
{
    if (!one.length)
        return;
    pb_grow(&s->text, s->count, &s->capacity, sizeof *s->text);
    s->text[s->count++] = one;
    s->longest = one.length > s->longest ? one.length : s->longest;
}

pb_stops pb_stops_read(const char *list)
{
    pb_stops s = {0};
    pb_text one = {0};
    for (; list && *list; list++) {
        if (*list == '|') {
            add_stop(&s, one);
            one = (pb_text){0};
            continue;
        }
        char c = *list == '\\' && list[1] ? unescaped(*++list) : *list;
        pb_text_bytes(&one, &c, 1);
    }
    add_stop(&s, one);
    return s;
}

void pb_stops_free(pb_stops *s)
{
    for (size_t i = 0; i < s->count; i++)
        pb_text_free(&s->text[i]);
    free(s->text);
}

size_t pb_stops_first(const pb_stops *s, const pb_text *text)
{
    size_t first = text->length;
    for (size_t i = 0; i < s->count && text->data; i++) {
        const char *at = memmem(text->data, text->length, s->text[i].data, s->text[i].length);
        if (at && (size_t)(at - text->data) < first)
            first = (size_t)(at - text->data);
    }
    return first;
}
