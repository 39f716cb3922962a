/* units: see units.h. */
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *pb_with_unit(char out[PB_UNIT_SIZE], double x, const char *unit)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P"};
    size_t k = 0;
    for (; k + 1 < PB_COUNT(prefix) && x >= 999.5; k++)
        x /= 1000;
    const char *kilo = k == 1 && *unit ? "K" : prefix[k];
    if (isnan(x))
        snprintf(out, PB_UNIT_SIZE, "-");
    else
        snprintf(out, PB_UNIT_SIZE,
                 k == 0 || x >= 99.95 ? "%.0f%s%s%s"
                 : x >= 9.995         ? "%.1f%s%s%s"
                                      : "%.2f%s%s%s",
                 x, k || *unit ? " " : "", kilo, unit);
    return out;
}

int pb_parse_unit(const char *text, double *x)
{
    static const char prefixes[] = "kMGT";
    char *end;
    *x = strtod(text, &end);
    bool number = end != text;
    end += strspn(end, " ");
    const char *prefix = *end ? strchr(prefixes, *end == 'K' ? 'k' : *end) : NULL;
    for (const char *at = prefixes; prefix && at <= prefix; at++)
        *x *= 1000;
    end += prefix != NULL;
    end += *end == 'B';
    return number && !*end && *x > 0 && *x < 1e18 ? 0 : -1;
}
