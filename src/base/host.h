/* host: a description of the machine, for provenance and `show machine`. */
#ifndef PB_HOST_H
#define PB_HOST_H

#include "base/base.h"

/* Returns, for example, "AMD EPYC 9B45, 2 of 96 cores, 23 GiB": the processor, the cores that this process may use out
 * of those that exist, and the memory.  The text is in static storage. */
const char *pb_host_name(void);

/* Returns what the bits of a result depend on besides kernels and compiler: the processor model, its instruction sets
 * and the version of the C library.  The caller frees the text. */
char *pb_host_processor(void);

#endif
