/* verify: the conformance checks of methods. */
#ifndef PB_VERIFY_H
#define PB_VERIFY_H

#include "verify/fixture.h"

/* Receives the name of a check, its outcome, and the reason if it is broken, else "". */
typedef void pb_verify_report(void *ctx, const char *check, pb_outcome outcome, const char *why);

/* Runs all checks on the methods of `spec` (model/method_spec.h) and calls `report` after each.  Returns the number of
 * broken ones, or -1 with an error if there is no such method or it does not fit the model. */
int pb_verify(const pb_fixture *g, const char *spec, pb_verify_report *report, void *ctx);

/* Checks that two methods can be composed: after three training steps all logits are finite.  Writes the reason of any
 * other outcome than PB_HELD to `why`.  Returns PB_NOT_PROMISED if the model refuses the composition. */
pb_outcome pb_verify_together(const pb_fixture *g, const char *a, const char *b, char why[200]);

#endif
