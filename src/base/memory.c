/* memory: allocation on the heap, growing arrays and texts. */
#include "base/base.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* ---- the heap -------------------------------------------------------------------------- */

static void *must(void *memory, size_t bytes)
{
    char refused[40];
    snprintf(refused, sizeof refused, "%zu bytes refused", bytes);
    if (!memory)
        pb_no_memory(refused);
    return memory;
}

void *pb_alloc(size_t bytes)
{
    return must(calloc(1, bytes ? bytes : 1), bytes);
}

void *pb_realloc(void *old, size_t bytes)
{
    return must(realloc(old, bytes ? bytes : 1), bytes);
}

char *pb_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(pb_alloc(n), text, n);
}

void pb_grow(void *array, size_t count, size_t *capacity, size_t item)
{
    if (count < *capacity)
        return;
    size_t room = *capacity ? *capacity : 8;
    while (room <= count)
        room *= 2;
    /* `array` points to a pointer of unknown type.  It is copied bytewise to comply with the aliasing rules. */
    void *memory;
    memcpy(&memory, array, sizeof memory);
    memory = pb_realloc(memory, room * item);
    memcpy(array, &memory, sizeof memory);
    *capacity = room;
}

/* ---- text ------------------------------------------------------------------------------ */

static void text_room(pb_text *t, size_t more)
{
    pb_grow(&t->data, t->length + more, &t->capacity, 1); /* one byte more, for the NUL */
}

void pb_plain_numbers(void)
{
    uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0)); /* the C locale takes no memory */
}

static void text_vadd(pb_text *t, const char *fmt, va_list args)
{
    va_list again;
    pb_plain_numbers();
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    PB_CHECK(n >= 0);
    text_room(t, (size_t)n);
    vsnprintf(t->data + t->length, (size_t)n + 1, fmt, again);
    t->length += (size_t)n;
    va_end(again);
}

void pb_text_add(pb_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    text_vadd(t, fmt, args);
    va_end(args);
}

void pb_text_bytes(pb_text *t, const void *bytes, size_t n)
{
    text_room(t, n);
    if (n)
        memcpy(t->data + t->length, bytes, n);
    t->length += n;
    t->data[t->length] = '\0';
}

void pb_text_real(pb_text *t, double value)
{
    char text[40];
    int digits = 6;
    pb_plain_numbers();
    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (digits++ < 17 && strtod(text, NULL) != value);
    pb_text_add(t, "%s", text);
}

void pb_text_free(pb_text *t)
{
    free(t->data);
    *t = (pb_text){0};
}

char *pb_format(const char *fmt, ...)
{
    pb_text t = {0};
    va_list args;
    va_start(args, fmt);
    text_vadd(&t, fmt, args);
    va_end(args);
    return t.data;
}

bool pb_begins_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

static const char *last_of(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k ? text + n - k : NULL;
}

char *pb_trim(char *text, const char *blank)
{
    text += strspn(text, blank);
    size_t n = strlen(text);
    while (n && strchr(blank, text[n - 1]))
        text[--n] = 0;
    return text;
}

bool pb_ends_in(const char *text, const char *end)
{
    const char *last = last_of(text, end);
    return last && !strcmp(last, end);
}

bool pb_ends_in_any_case(const char *text, const char *end)
{
    const char *last = last_of(text, end);
    return last && !strcasecmp(last, end);
}
