/* gguf_internal: what the files of the reader of GGUF share.  Not for other files. */
#ifndef PB_GGUF_INTERNAL_H
#define PB_GGUF_INTERNAL_H

#include "weights/gguf.h"

/* The types of metadata, numbered as in the file. */
typedef enum pb_gguf_type {
    PB_GGUF_U8,
    PB_GGUF_I8,
    PB_GGUF_U16,
    PB_GGUF_I16,
    PB_GGUF_U32,
    PB_GGUF_I32,
    PB_GGUF_F32,
    PB_GGUF_BOOL,
    PB_GGUF_TEXT,
    PB_GGUF_LIST,
    PB_GGUF_U64,
    PB_GGUF_I64,
    PB_GGUF_F64,
    PB_GGUF_TYPES
} pb_gguf_type;

struct pb_gguf_value {
    char *key;
    pb_gguf_type type, item;   /* item: the type of a list's elements, otherwise the same as type */
    uint64_t count;            /* of a list's elements, otherwise 1                               */
    const unsigned char *data; /* the value, or the first element of a list                       */
};

/* ---- gguf_values.c */

/* Returns the size in bytes of a value of this type, or 0 for texts and lists. */
int pb_gguf_bytes(pb_gguf_type type);

/* Returns the value under a key, or NULL if the key is absent. */
const pb_gguf_value *pb_gguf_find(const pb_gguf *f, const char *key);

/* Returns the number under a key, or `otherwise` if the key is absent or its value is not a number. */
double pb_gguf_number(const pb_gguf *f, const char *key, double otherwise);

/* Returns the next text of a list of texts, without a terminating NUL, its size in *size, and moves *at past it.  *at
 * starts as the list's data; the caller counts the elements. */
const char *pb_gguf_next_text(const unsigned char **at, size_t *size);

/* ---- gguf_keys.c, gguf_model.c, gguf_tokenizer.c */

/* Checks that all keys are known that may change what a network of this architecture computes or which ids a text has.
 * Returns -1 with an error that names the first one that is not supported. */
int pb_gguf_check_keys(pb_gguf *f, const char *arch);

/* Fills the config and converts the names of the arrays.  Returns -1 with an error. */
int pb_gguf_describe(pb_gguf *f);

/* Fills the tokenizer if the file has one.  Returns -1 with an error. */
int pb_gguf_describe_tokenizer(pb_gguf *f);

#endif
