/* claim_plan: the numbers of plans that claims are about. */
#ifndef PB_CLAIM_PLAN_H
#define PB_CLAIM_PLAN_H

#include "experiment/experiment.h"

/* Returns whether a key is that of a plan, plan.NAME, or of a plan for a device, device.NAME. */
bool pb_claim_is_planned(const char *key);

/* Returns 0 if plans have a number with such a key, else -1 with an error that names the nearest. */
int pb_claim_check_plan(const char *key);

/* Plans a row, its first setting and seed, and sets *x to the number with this key, which must have been checked.
 * `settings` is the column `plan` of a claim: the number of tokens of each text, or the device.  Returns -1 with an
 * error. */
int pb_claim_plan(const pb_experiment *e, int row, const char *key, const char *settings, double *x);

#endif
