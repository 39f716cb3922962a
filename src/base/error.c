/* error: errors, broken invariants, warnings and exhausted memory. */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

/* ---- errors ---------------------------------------------------------------------------- */

static _Thread_local char pending[4096];

int pb_error(const char *fmt, ...)
{
    if (pending[0] == '\0') {
        char text[sizeof pending];
        va_list args;
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        pb_visible_copy(pending, sizeof pending, text);
    }
    return -1;
}

const char *pb_error_text(void)
{
    return pending;
}

void pb_error_clear(void)
{
    pending[0] = '\0';
}

int pb_error_prefix(const char *fmt, ...)
{
    char why[sizeof pending], prefix[sizeof pending];
    va_list args;
    va_start(args, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, args);
    va_end(args);
    memcpy(why, pending, sizeof why);
    pb_error_clear();
    return pb_error("%s: %s", prefix, why);
}

void pb_bug(const char *file, int line, const char *fmt, ...)
{
    char text[sizeof pending], shown[sizeof pending]; /* the heap may be damaged or exhausted */
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    pb_visible_copy(shown, sizeof shown, text);
    fprintf(stderr, "%s:%d: bug in peftbench: %s\n", file, line, shown);
    abort();
}

/* ---- messages on standard error -------------------------------------------------------- */

void pb_warn(const char *fmt, ...)
{
    char text[sizeof pending];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char shown[PB_WIDEST_VISIBLE * sizeof pending];
    pb_visible_copy(shown, sizeof shown, text);
    fprintf(stderr, "peftbench: warning: %s\n", shown);
}

void pb_no_memory(const char *where)
{
    char shown[sizeof pending];
    pb_visible_copy(shown, sizeof shown, where);
    fprintf(stderr, "peftbench: out of memory: %s\n", shown);
    exit(2);
}
