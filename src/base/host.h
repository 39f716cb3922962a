/* host: the machine that runs, for provenance and `show machine`. */
#ifndef PB_HOST_H
#define PB_HOST_H

#include "base/base.h"

/* "AMD EPYC 9B45, 2 of 96 cores, 23 GiB": the cores that this process may use, of those that are there.  Static
 * storage. */
const char *pb_host_name(void);

/* What decides the bits of a result here besides kernels and compiler: the processor's kind, its instructions and the C
 * library.  The caller frees it. */
char *pb_host_processor(void);

#endif
