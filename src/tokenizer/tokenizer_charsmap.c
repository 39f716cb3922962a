/* tokenizer_charsmap: the Precompiled normalizer, a map of characters that SentencePiece made (Kudo and Richardson
 * 2018, arXiv:1808.06226).
 *
 * The map is the base64 form of the size of a trie in bytes (4 bytes, little-endian), the trie, and NUL-terminated
 * texts. The trie is a double array of 32-bit units.  Bit 8 of a unit says whether a value follows it, bits 0-7 and 31
 * hold the byte that leads to it, and the other bits the distance of its children.  A value is the offset of a text. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/tokenizer_internal.h"

struct pb_charsmap {
    uint32_t *unit;
    size_t units;
    char *text;
    size_t size;
};

/* ---- reading --------------------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Returns -1 if the text is not base64. */
static int decode(const char *base64, pb_text *out)
{
    size_t n = strlen(base64), padded = 0;
    uint32_t bits = 0;
    pb_text_bytes(out, "", 0);
    while (n && padded < 2 && base64[n - 1 - padded] == '=')
        padded++;
    if (n % 4)
        return -1;
    for (size_t i = 0; i < n - padded; i++) {
        int digit = digit_of(base64[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4) {
            unsigned char byte = (unsigned char)(bits >> (6 - 2 * (i % 4)));
            pb_text_bytes(out, &byte, 1);
        }
    }
    return 0;
}

static uint32_t whole_at(const char *data)
{
    const unsigned char *b = (const unsigned char *)data;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static bool is_utf8(const char *text, size_t size)
{
    int32_t c;
    for (size_t i = 0; i < size;) {
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)text + i, (utf8proc_ssize_t)(size - i), &c);
        if (n <= 0)
            return false;
        i += (size_t)n;
    }
    return true;
}

pb_charsmap *pb_charsmap_read(const char *path, const char *base64)
{
    pb_text b = {0};
    pb_charsmap *m = NULL;
    size_t trie = decode(base64, &b) || b.length < 4 ? 0 : whole_at(b.data);
    if (trie < 4 || trie % 4 || trie > b.length - 4 || !is_utf8(b.data + 4 + trie, b.length - 4 - trie)) {
        pb_error("%s: normalizer: Precompiled: precompiled_charsmap: want base64 of a trie and texts in UTF-8", path);
    } else {
        m = pb_alloc(sizeof *m);
        m->units = trie / 4;
        m->unit = pb_alloc(trie);
        for (size_t i = 0; i < m->units; i++)
            m->unit[i] = whole_at(b.data + 4 + 4 * i);
        m->size = b.length - 4 - trie;
        m->text = pb_alloc(m->size + 1);
        memcpy(m->text, b.data + 4 + trie, m->size);
    }
    pb_text_free(&b);
    return m;
}

void pb_charsmap_free(pb_charsmap *m)
{
    if (!m)
        return;
    free(m->unit);
    free(m->text);
    free(m);
}

/* ---- running --------------------------------------------------------------------------------------------- */

static size_t children_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* Returns the replacement of the shortest prefix of the text that is in the map, or NULL if no prefix is.  An index
 * outside of the trie ends the search. */
static const char *mapped(const pb_charsmap *m, const char *text, size_t size)
{
    size_t at = children_of(m->unit[0]);
    for (size_t i = 0; i < size && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        at ^= c;
        if (at >= m->units || (m->unit[at] & (1u << 31 | 0xFF)) != c)
            return NULL;
        bool has_value = m->unit[at] >> 8 & 1;
        at ^= children_of(m->unit[at]);
        if (has_value) {
            size_t value = at < m->units ? m->unit[at] & ~(1u << 31) : m->size;
            return value < m->size ? m->text + value : "";
        }
    }
    return NULL;
}

/* Returns the number of bytes of the first grapheme cluster: a character with the marks and joiners that follow it. */
static size_t cluster(const char *text, size_t size)
{
    int32_t c, next, state = 0;
    size_t n = pb_utf8_next(text, size, &c);
    while (n < size) {
        size_t more = pb_utf8_next(text + n, size - n, &next);
        if (utf8proc_grapheme_break_stateful(c, next, &state))
            break;
        n += more;
        c = next;
    }
    return n;
}

/* As in SentencePiece, a short cluster is looked up as a whole, and otherwise each of its characters. */
void pb_charsmap_run(const pb_charsmap *m, const char *text, size_t size, pb_text *out)
{
    for (size_t n; size; text += n, size -= n) {
        n = cluster(text, size);
        const char *to = n < 6 ? mapped(m, text, n) : NULL;
        if (to) {
            pb_text_add(out, "%s", to);
            continue;
        }
        for (size_t i = 0, k; i < n; i += k) {
            int32_t c;
            k = pb_utf8_next(text + i, n - i, &c);
            to = mapped(m, text + i, k);
            if (to)
                pb_text_add(out, "%s", to);
            else
                pb_text_bytes(out, text + i, k);
        }
    }
}
