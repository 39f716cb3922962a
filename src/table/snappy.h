/* snappy: undoing the compression that Parquet files use. */
#ifndef PB_SNAPPY_H
#define PB_SNAPPY_H

#include "base/base.h"

/* Unpacks exactly `n` bytes into out; false if the input says otherwise or is damaged. */
bool pb_snappy_unpack(const unsigned char *in, size_t size, unsigned char *out, size_t n);

#endif
