/* host: the machine that runs, for provenance and `show machine`.  Floor 6. */
#ifndef PB_HOST_H
#define PB_HOST_H

#include "base/base.h"

/* "AMD EPYC 9B45, 2 of 2 cores, 23 GiB": static storage. */
const char *pb_host_name(void);

#endif
