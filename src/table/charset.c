/* charset: see charset.h. */
#include "table/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

/* The names of encodings in messages, and those that iconv knows. */
static const char *const names[] = {"utf-8", "latin-1", "utf-16", "windows-1252"}, *const iconv_names[] = {
                                                                                       "UTF-8", "ISO-8859-1", "UTF-16",
                                                                                       "CP1252"};

/* A text that is being converted. */
typedef struct conversion {
    const char *path, *encoding;
    char *in;    /* the next byte to convert */
    size_t left; /* bytes of `in` */
    pb_text out;
} conversion;

static int line_of(const conversion *c)
{
    int line = 1;
    for (size_t i = 0; i < c->out.length; i++)
        line += c->out.data[i] == '\n';
    return line;
}

static int refuse_bytes(const conversion *c)
{
    return pb_error("%s:%d: bytes that are not %s, from 0x%02x on; want a text in that encoding, or another `encoding`",
                    c->path, line_of(c), c->encoding, (unsigned)(unsigned char)*c->in);
}

/* Converts the rest by iconv, which calls the encoding `name`. */
static int convert(conversion *c, const char *name)
{
    enum { ROOM = 4096 };
    iconv_t with = iconv_open("UTF-8", name);
    if (with == (iconv_t)-1) /* NOLINT(performance-no-int-to-ptr): what iconv_open returns */
        return pb_error("%s: this system cannot convert %s: %s", c->path, c->encoding, strerror(errno));
    bool failed = false;
    while (c->left && !failed) {
        char room[ROOM], *to = room;
        size_t space = sizeof room;
        errno = 0;
        failed = iconv(with, &c->in, &c->left, &to, &space) == (size_t)-1 && errno != E2BIG;
        pb_text_bytes(&c->out, room, sizeof room - space);
    }
    iconv_close(with);
    return failed ? refuse_bytes(c) : 0;
}

static bool begins_with(const conversion *c, const char *mark, size_t n)
{
    return c->left >= n && !memcmp(c->in, mark, n);
}

static int convert_utf16(conversion *c)
{
    bool little = begins_with(c, "\xFF\xFE", 2);
    if (!little && !begins_with(c, "\xFE\xFF", 2))
        return pb_error("%s: no byte order mark, FF FE or FE FF; want it at the beginning of a text in utf-16",
                        c->path);
    c->in += 2;
    c->left -= 2;
    return convert(c, little ? "UTF-16LE" : "UTF-16BE");
}

/* The bytes 80 to 9F are control characters in Latin-1, which no text has, and letters and quotes in Windows-1252. */
static int refuse_controls(conversion *c)
{
    for (size_t i = 0; i < c->left; i++)
        if ((unsigned char)c->in[i] >= 0x80 && (unsigned char)c->in[i] < 0xA0) {
            c->left = i;
            if (convert(c, iconv_names[PB_LATIN1])) /* up to here, to count the lines */
                return -1;
            return pb_error(
                "%s:%d: the byte 0x%02x is a control character in latin-1; want a text in that encoding, or "
                "encoding = windows-1252",
                c->path, line_of(c), (unsigned)(unsigned char)*c->in);
        }
    return 0;
}

static int convert_single_bytes(conversion *c, pb_charset encoding)
{
    if (begins_with(c, "\xEF\xBB\xBF", 3) || begins_with(c, "\xFF\xFE", 2) || begins_with(c, "\xFE\xFF", 2))
        return pb_error("%s:1: the file begins with the mark of %s; want that as its encoding, not %s", c->path,
                        begins_with(c, "\xEF", 1) ? "utf-8" : "utf-16", c->encoding);
    return encoding == PB_LATIN1 && refuse_controls(c) ? -1 : convert(c, iconv_names[encoding]);
}

int pb_charset_convert(const char *path, pb_charset encoding, char **bytes, size_t *size)
{
    conversion c = {.path = path, .encoding = names[encoding], .in = *bytes, .left = *size};
    if (encoding == PB_UTF8)
        return 0;
    if (encoding == PB_UTF16 ? convert_utf16(&c) : convert_single_bytes(&c, encoding)) {
        pb_text_free(&c.out);
        return -1;
    }
    free(*bytes);
    *bytes = c.out.data ? c.out.data : pb_strdup("");
    *size = c.out.length;
    return 0;
}
