/* utf8: see utf8.h. */
#include <utf8proc.h>

#include "base/utf8.h"

size_t pb_utf8_next(const char *text, size_t size, int32_t *c)
{
    utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)text, (utf8proc_ssize_t)size, c);
    if (n > 0)
        return (size_t)n;
    *c = 0xFFFD;
    return 1;
}

void pb_utf8_add(pb_text *out, int32_t c)
{
    uint8_t bytes[4];
    pb_text_bytes(out, bytes, (size_t)utf8proc_encode_char(c, bytes));
}

bool pb_utf8_is_space(int32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    utf8proc_category_t category = utf8proc_category(c);
    return c == 0x85 || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}

bool pb_utf8_is_punctuation(int32_t c)
{
    if (c < 0x80)
        return c > ' ' && c < 0x7F && !((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'));
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}
