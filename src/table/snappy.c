/* snappy: see snappy.h.  A stream contains the decompressed length, then literals and copies of earlier output. */
#include "table/snappy.h"

#include <string.h>

typedef struct stream {
    const unsigned char *at, *end;
    unsigned char *out;
    size_t done, whole;
} stream;

/* Reads a little-endian number of `bytes` bytes.  Returns false if the input is too short. */
static bool number(stream *s, int bytes, size_t *out)
{
    *out = 0;
    if (s->end - s->at < bytes)
        return false;
    for (int i = 0; i < bytes; i++)
        *out |= (size_t)*s->at++ << 8 * i;
    return true;
}

static bool length(stream *s, size_t want)
{
    size_t value = 0;
    for (int shift = 0; shift < 35 && s->at < s->end; shift += 7) {
        value |= (size_t)(*s->at & 127) << shift;
        if (*s->at++ < 128)
            return value == want;
    }
    return false;
}

static bool literal(stream *s, unsigned tag)
{
    size_t n = tag >> 2;
    if (n >= 60 && !number(s, (int)n - 59, &n))
        return false;
    if (++n > (size_t)(s->end - s->at) || n > s->whole - s->done)
        return false;
    memcpy(s->out + s->done, s->at, n);
    s->at += n;
    s->done += n;
    return true;
}

/* Source and destination of a copy may overlap. */
static bool copy_back_reference(stream *s, unsigned tag)
{
    static const int bytes[] = {0, 1, 2, 4};
    size_t n = (tag & 3) == 1 ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1, back;
    if (!number(s, bytes[tag & 3], &back))
        return false;
    if ((tag & 3) == 1)
        back |= (size_t)(tag >> 5) << 8;
    if (!back || back > s->done || n > s->whole - s->done)
        return false;
    for (; n; n--, s->done++)
        s->out[s->done] = s->out[s->done - back];
    return true;
}

bool pb_snappy_unpack(const unsigned char *in, size_t size, unsigned char *out, size_t n)
{
    stream s = {.at = in, .end = in + size, .out = out, .whole = n};
    bool good = length(&s, n);
    while (good && s.at < s.end) {
        unsigned tag = *s.at++;
        good = tag & 3 ? copy_back_reference(&s, tag) : literal(&s, tag);
    }
    return good && s.done == n;
}
