/* blocks: the block formats of ggml, in which a few numbers share a scale. */
#ifndef PB_BLOCKS_H
#define PB_BLOCKS_H

#include "base/base.h"
#include "weights/dtype.h"

/* Numbers in a block of this type and its bytes; 0 for types that are not in blocks. */
int pb_block_size(pb_dtype type);
int pb_block_bytes(pb_dtype type);

/* The numbers of one block. */
void pb_block_decode(pb_dtype type, const unsigned char *block, float *out);

float pb_half_to_float(uint16_t half);

#endif
