/* charset: text files in other encodings than UTF-8.  charset.c is the only file that includes iconv.h. */
#ifndef PB_CHARSET_H
#define PB_CHARSET_H

#include "base/base.h"

/* Encodings, and their names in this order, for the CHOICE of a setting. */
typedef enum pb_charset { PB_UTF8, PB_LATIN1, PB_UTF16, PB_WINDOWS1252 } pb_charset;
#define PB_CHARSET_NAMES "utf-8|latin-1|utf-16|windows-1252"

/* Converts the text of a file, `*bytes` [*size], to UTF-8 with a NUL behind it; a text in UTF-8 stays as it is.  The
 * text is replaced by a new one, on the heap.  UTF-16 must begin with a byte order mark, which is removed.  Returns -1
 * with "PATH:LINE: what is wrong; want what would be right", and the text as it was, if the bytes are not a text of
 * that encoding. */
int pb_charset_convert(const char *path, pb_charset encoding, char **bytes, size_t *size);

#endif
