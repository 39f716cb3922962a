/* snappy: decompresses the pages of Parquet files. */
#ifndef PB_SNAPPY_H
#define PB_SNAPPY_H

#include "base/base.h"

/* Decompresses `size` bytes into exactly n bytes at `out`.  Returns false if the input is damaged or has another size
 * when decompressed. */
bool pb_snappy_unpack(const unsigned char *in, size_t size, unsigned char *out, size_t n);

#endif
