/* cores: how many processors the machine has, and how many this process may use. */
#ifndef PB_CORES_H
#define PB_CORES_H

#include "base/base.h"

/* How many processors this process may use: those of its affinity mask, or fewer where a control group (version 1 or
 * 2) has a quota of processor time.  A quota of 2.5 processors counts as 2, one below 1 as 1.  `root` stands before
 * /proc and /sys: "" for this machine, a folder for tests. */
int pb_cores_allowed(const char *root);

/* How many processors the machine has, allowed or not. */
int pb_cores_present(void);

#endif
