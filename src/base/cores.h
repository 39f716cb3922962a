/* cores: how many processors the machine has, and how many this process may use. */
#ifndef PB_CORES_H
#define PB_CORES_H

#include "base/base.h"

/* Returns how many processors this process may use, at least 1: those of its affinity mask, or fewer if a control
 * group (version 1 or 2) limits its processor time.  A quota is rounded down, so that 2.5 processors count as 2.
 * `root` is the folder that contains /proc and /sys: "" for this machine, another folder in tests. */
int pb_cores_allowed(const char *root);

/* Returns how many processors the machine has online, at least 1. */
int pb_cores_present(void);

#endif
