/* visible: foreign text that a terminal shows and does not obey. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

enum { WIDEST = 8 }; /* bytes that stand for one character, the NUL included */

/* The bytes of the UTF-8 character at s, of which n >= 1 bytes are there, and its code point; 0 for bytes that are
 * not UTF-8: a stray or missing continuation, an overlong form, a surrogate, a code point past U+10FFFF. */
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

/* Controls (C0, DEL, C1), what changes the direction of text, and the separators of lines. */
static bool is_obeyed(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

/* Writes what stands for the character at s, and returns how many bytes of s it was. */
static size_t show(const unsigned char *s, size_t n, char out[WIDEST])
{
    uint32_t c = 0;
    size_t length = decode(s, n, &c);
    if (!length)
        snprintf(out, WIDEST, "\\x%02x", *s);
    else if (c == '\n' || c == '\t' || c == '\r')
        snprintf(out, WIDEST, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (is_obeyed(c))
        snprintf(out, WIDEST, "\\u%04x", (unsigned)(c & 0xFFFF)); /* all of them are below U+10000 */
    else
        snprintf(out, WIDEST, "%.*s", (int)length, (const char *)s);
    return length ? length : 1;
}

void pb_visible_copy(char *out, size_t room, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = strlen(text), used = 0;
    while (n) {
        char one[WIDEST];
        size_t taken = show(s, n, one), width = strlen(one);
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

const char *pb_visible(const char *text)
{
    enum { KEPT = 16 };
    static _Thread_local char *kept[KEPT];
    static _Thread_local int turn;
    size_t room = strlen(text) * (WIDEST - 1) + 1;
    char *copy = pb_alloc(room);
    pb_visible_copy(copy, room, text);
    if (!strcmp(copy, text)) {
        free(copy);
        return text;
    }
    turn = (turn + 1) % KEPT;
    free(kept[turn]);
    return kept[turn] = copy;
}

/* ---- standard output that is a terminal ------------------------------------------------------------------- */

/* The beginning of a character whose other bytes were not written yet. */
static struct {
    unsigned char bytes[4];
    size_t count;
} torn;

/* How many bytes at the end of s are the beginning of a character. */
static size_t torn_at_end(const unsigned char *s, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        unsigned char c = s[n - k];
        if (c >= 0xC0)
            return k < (c < 0xE0 ? 2u : c < 0xF0 ? 3u : 4u) ? k : 0;
        if (c < 0x80)
            return 0;
    }
    return 0;
}

static int write_all(const char *bytes, size_t n)
{
    while (n) {
        ssize_t written = write(STDOUT_FILENO, bytes, n);
        if (written < 0 && errno != EINTR)
            return -1;
        bytes += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* Lines and tabs stay what they are: the program's own output is made of them. */
static ssize_t write_shown(void *cookie, const char *bytes, size_t n)
{
    (void)cookie;
    pb_text in = {0}, out = {0};
    pb_text_bytes(&in, torn.bytes, torn.count);
    pb_text_bytes(&in, bytes, n);
    const unsigned char *s = (const unsigned char *)in.data;
    torn.count = torn_at_end(s, in.length);
    size_t left = in.length - torn.count;
    memcpy(torn.bytes, s + left, torn.count);
    while (left) {
        char one[WIDEST];
        size_t taken = show(s, left, one);
        if (*s == '\n' || *s == '\t')
            pb_text_bytes(&out, s, 1);
        else
            pb_text_bytes(&out, one, strlen(one));
        s += taken;
        left -= taken;
    }
    int rc = write_all(out.data ? out.data : "", out.length);
    pb_text_free(&in);
    pb_text_free(&out);
    return rc ? 0 : (ssize_t)n;
}

void pb_visible_terminal(void)
{
    FILE *shown = isatty(STDOUT_FILENO) ? fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_shown}) : NULL;
    if (!shown)
        return;
    setvbuf(shown, NULL, _IOLBF, BUFSIZ);
    stdout = shown;
}
