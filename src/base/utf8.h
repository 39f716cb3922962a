/* utf8: characters of UTF-8 text.
 *
 * The category of a character comes from utf8proc (Unicode 15).  The tokenizers library uses Unicode 8 in BERT's
 * normalizer and pre-tokenizer and an older version in NFKC, NFKD and StripAccents, so that some hundreds of characters
 * of rare scripts, which were added later, are treated differently. */
#ifndef PB_UTF8_H
#define PB_UTF8_H

#include "base/base.h"

/* Decodes the first character of `text`, which has size >= 1 bytes, into *c; an invalid byte decodes as U+FFFD.
 * Returns the number of bytes read, at least 1. */
size_t pb_utf8_next(const char *text, size_t size, int32_t *c);

/* Appends the character c as UTF-8. */
void pb_utf8_add(pb_text *out, int32_t c);

/* Returns whether Unicode's property White_Space holds for c. */
bool pb_utf8_is_space(int32_t c);

/* Returns whether BERT treats c as punctuation: an ASCII symbol or a character of one of Unicode's categories P*. */
bool pb_utf8_is_punctuation(int32_t c);

#endif
