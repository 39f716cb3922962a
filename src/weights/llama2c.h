/* llama2c: the checkpoints of llama2.c, a header of seven numbers and 32-bit floats. */
#ifndef PB_LLAMA2C_H
#define PB_LLAMA2C_H

#include "base/map.h"
#include "base/interner.h"
#include "weights/array.h"

typedef struct pb_llama2c {
    char *path, *config, *tokenizer; /* as JSON; tokenizer NULL: no such file beside it */
    pb_map file;
    pb_array *array;
    size_t count, capacity;
    pb_interner name; /* of array[0], array[1] .. */
} pb_llama2c;

/* Names and shapes as Hugging Face's Llama has them.  The tokenizer is the file tok*.bin in the same
 * folder that has as many tokens.  NULL with "PATH: what is wrong, what would be right". */
pb_llama2c *pb_llama2c_open(const char *path);
void pb_llama2c_close(pb_llama2c *f);

#endif
