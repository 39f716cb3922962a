/* characters: the characters of texts; see jinja_internal.h. */
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja_internal.h"

bool pb_jinja_is_space(int32_t c)
{
    return pb_utf8_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

size_t pb_jinja_byte(pb_jinja_text t, size_t n)
{
    size_t at = 0;
    for (int32_t c; n && at < t.size; n--)
        at += pb_utf8_next(t.at + at, t.size - at, &c);
    return at;
}

size_t pb_jinja_length(pb_jinja_text t)
{
    size_t n = 0;
    int32_t c;
    for (size_t at = 0; at < t.size; n++)
        at += pb_utf8_next(t.at + at, t.size - at, &c);
    return n;
}

size_t pb_jinja_find(pb_jinja_text t, pb_jinja_text part, size_t from)
{
    const char *at =
        from <= t.size && part.size <= t.size - from ? memmem(t.at + from, t.size - from, part.at, part.size) : NULL;
    return at ? (size_t)(at - t.at) : t.size + 1;
}

/* Whether the character of n bytes at `at` is to be stripped. */
static bool is_in_set(const char *at, size_t n, int32_t c, const pb_jinja_text *set)
{
    return set ? pb_jinja_find(*set, (pb_jinja_text){at, n}, 0) <= set->size : pb_jinja_is_space(c);
}

pb_jinja_text pb_jinja_strip(pb_jinja_text t, const pb_jinja_text *set, bool left, bool right)
{
    int32_t c;
    for (size_t n; left && t.size; t.at += n, t.size -= n) {
        n = pb_utf8_next(t.at, t.size, &c);
        if (!is_in_set(t.at, n, c, set))
            break;
    }
    for (size_t at; right && t.size; t.size = at) {
        at = t.size - 1;
        while (at && ((unsigned char)t.at[at] & 0xC0) == 0x80)
            at--;
        pb_utf8_next(t.at + at, t.size - at, &c);
        if (!is_in_set(t.at + at, t.size - at, c, set))
            break;
    }
    return t;
}
