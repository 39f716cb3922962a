/* pattern: regular expressions as Python's re has them, over PCRE2.  Floor 3. */
#ifndef PB_PATTERN_H
#define PB_PATTERN_H

#include "base/base.h"

/* Does the whole of `text` match?  1 yes, 0 no, -1 with an error (the expression is malformed). */
int pb_pattern_matches(const char *expression, const char *text);

#endif
