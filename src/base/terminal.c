/* terminal: visible copies of foreign text, and standard output when it is a terminal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

const char *pb_visible(const char *text)
{
    enum { KEPT = 16 };
    static _Thread_local char *kept[KEPT];
    static _Thread_local int turn;
    size_t room = strlen(text) * (PB_WIDEST_VISIBLE - 1) + 1;
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

/* The first bytes of a character whose other bytes have not been written yet. */
static struct {
    unsigned char bytes[4];
    size_t count;
} torn;

/* Returns how many bytes at the end of s begin a character that is not complete. */
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

/* Writes the visible form of the bytes, except for line ends and tabs, which the output of the program contains. */
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
        char one[PB_WIDEST_VISIBLE];
        size_t taken = pb_visible_character(s, left, one);
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
