/* pattern: see pattern.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "files/pattern.h"

#include <pcre2.h>
#include <string.h>

int pb_pattern_matches(const char *expression, const char *text)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &at, NULL);
    if (!re) {
        PCRE2_UCHAR why[120];
        pcre2_get_error_message(code, why, sizeof why);
        return pb_error("'%s': at character %zu: %s; want a regular expression", expression, (size_t)at + 1,
                        (char *)why);
    }
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(re, NULL);
    int rc = pcre2_match(re, (PCRE2_SPTR)text, strlen(text), 0, 0, match, NULL);
    pcre2_match_data_free(match);
    pcre2_code_free(re);
    return rc > 0;
}
