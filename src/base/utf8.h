/* utf8: characters of UTF-8 text.
 * What a character is (a mark, a sign, a control) says utf8proc, by Unicode 15.  The tokenizers library
 * goes by Unicode 8 in BERT's normalizer and pre-tokenizer, and by an old one in NFKC, NFKD and StripAccents:
 * there some hundreds of later characters of rare scripts are taken differently. */
#ifndef PB_UTF8_H
#define PB_UTF8_H

#include "base/base.h"

/* Decodes the character at `text`, U+FFFD for an invalid byte; returns its length, >= 1. */
size_t pb_utf8_next(const char *text, size_t size, int32_t *c);
void pb_utf8_add(pb_text *out, int32_t c);
bool pb_utf8_is_space(int32_t c); /* Unicode White_Space */
/* ASCII's signs and Unicode's P*, as BERT sets them apart. */
bool pb_utf8_is_punctuation(int32_t c);

#endif
