/* blocks: the block formats of ggml, in which each block of numbers shares a scale. */
#ifndef PB_BLOCKS_H
#define PB_BLOCKS_H

#include "base/base.h"
#include "weights/dtype.h"

/* Return how many numbers a block of this type holds, and how many bytes it has; 0 if the type is not a block format.
 */
int pb_block_size(pb_dtype type);
int pb_block_bytes(pb_dtype type);

/* Decodes the numbers of one block into `out`, which has room for pb_block_size(type) of them. */
void pb_block_decode(pb_dtype type, const unsigned char *block, float *out);

/* Returns the value of a 16-bit float (IEEE 754 binary16). */
float pb_half_to_float(uint16_t half);

#endif
