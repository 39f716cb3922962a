/* visible: foreign text in a form that a terminal displays and does not interpret.  Nothing here allocates memory, so
 * that error messages can use it. */
#include <string.h>

#include "base/base.h"

/* Decodes the UTF-8 character at the beginning of s, which has n >= 1 bytes.  Returns its number of bytes, or 0 if it
 * is not valid: a stray or missing continuation byte, an overlong form, a surrogate, or a code point past U+10FFFF. */
static size_t decode(const unsigned char *s, size_t n, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *s < 0x80 ? 1 : *s < 0xC0 ? 0 : *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : *s < 0xF8 ? 4 : 0;
    if (!length || length > n)
        return 0;
    *c = length == 1 ? *s : *s & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        *c = *c << 6 | (s[i] & 0x3F);
    }
    bool good = *c >= least[length] && *c <= 0x10FFFF && (*c < 0xD800 || *c > 0xDFFF);
    return good ? length : 0;
}

/* Returns whether c is a control character (C0, DEL, C1), changes the direction of text, or separates lines. */
static bool is_interpreted(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

size_t pb_visible_character(const unsigned char *s, size_t n, char out[PB_WIDEST_VISIBLE])
{
    uint32_t c = 0;
    size_t length = decode(s, n, &c);
    if (!length)
        snprintf(out, PB_WIDEST_VISIBLE, "\\x%02x", *s);
    else if (c == '\n' || c == '\t' || c == '\r')
        snprintf(out, PB_WIDEST_VISIBLE, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (is_interpreted(c))
        snprintf(out, PB_WIDEST_VISIBLE, "\\u%04x", (unsigned)(c & 0xFFFF)); /* all of them are below U+10000 */
    else
        snprintf(out, PB_WIDEST_VISIBLE, "%.*s", (int)length, (const char *)s);
    return length ? length : 1;
}

void pb_visible_copy(char *out, size_t room, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = strlen(text), used = 0;
    while (n) {
        char one[PB_WIDEST_VISIBLE];
        size_t taken = pb_visible_character(s, n, one), width = strlen(one);
        if (used + width >= room)
            break;
        memcpy(out + used, one, width);
        used += width;
        s += taken;
        n -= taken;
    }
    out[used] = 0;
}

int pb_characters(const char *text, int most)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = strlen(text), at = 0;
    uint32_t c;
    for (int i = 0; at < n && i < most; i++) {
        size_t length = decode(s + at, n - at, &c);
        at += length ? length : 1;
    }
    return (int)at;
}
