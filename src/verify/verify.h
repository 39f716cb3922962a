/* verify: the conformance suite: what every method promises, check by check. */
#ifndef PB_VERIFY_H
#define PB_VERIFY_H

#include "base/base.h"

/* What a method is tried on. */
typedef struct pb_fixture {
    const char *path; /* a folder                                    */
    bool random;      /* its weights are not read, but random        */
    bool decoder;     /* it goes on with texts: cached against whole  */
} pb_fixture;

typedef enum pb_outcome { PB_HELD, PB_BROKEN, PB_NOT_PROMISED } pb_outcome;

/* Calls `tell` with each check's name, outcome and reason ("" if it held) for the methods of `spec` (verify/testbed.h).
 * Returns how many were broken; -1 with an error: no such method, or one that this model has no place for. */
typedef void pb_verify_tell(void *ctx, const char *check, pb_outcome outcome, const char *why);
int pb_verify(const pb_fixture *g, const char *spec, pb_verify_tell *tell, void *ctx);

/* Do two methods work together: steps of training give numbers.  PB_NOT_PROMISED: refused, for a reason. */
pb_outcome pb_verify_together(const pb_fixture *g, const char *a, const char *b, char why[200]);

#endif
