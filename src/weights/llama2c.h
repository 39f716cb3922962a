/* llama2c: reads the checkpoints of llama2.c: a header of seven numbers, then 32-bit floats. */
#ifndef PB_LLAMA2C_H
#define PB_LLAMA2C_H

#include "base/map.h"
#include "base/interner.h"
#include "weights/array.h"

typedef struct pb_llama2c {
    char *path, *config, *tokenizer; /* the latter two as JSON; tokenizer is NULL if no such file was found */
    pb_map file;
    pb_array *array; /* [count] */
    size_t count, capacity;
    pb_interner name; /* of array[0], array[1], .. */
} pb_llama2c;

/* Maps and checks a file.  Names and shapes become those of Hugging Face's Llama.  The tokenizer is read from the file
 * tok*.bin in the same folder that has as many tokens as the model.  Returns NULL with "PATH: what is wrong; want what
 * would be right".  The caller closes it; NULL is allowed in pb_llama2c_close. */
pb_llama2c *pb_llama2c_open(const char *path);
void pb_llama2c_close(pb_llama2c *f);

#endif
