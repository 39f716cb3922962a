/* gguf_internal: what the files of the reader of GGUF share.  Not for other rooms. */
#ifndef PB_GGUF_INTERNAL_H
#define PB_GGUF_INTERNAL_H

#include "weights/gguf.h"

typedef enum pb_gguf_type { /* of metadata */
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
    pb_gguf_type type, item;   /* item: of a list                                       */
    uint64_t count;            /* of a list; 1 otherwise                                */
    const unsigned char *data; /* of the value, or of the list's first                  */
};

int pb_gguf_bytes(pb_gguf_type type);

const pb_gguf_value *pb_gguf_find(const pb_gguf *f, const char *key); /* NULL: absent */
double pb_gguf_number(const pb_gguf *f, const char *key, double otherwise);

/* Text i of a list of texts (their places must be walked: call with i = 0, 1, ..); *size bytes.  *at
 * starts as the list's data. */
const char *pb_gguf_next_text(const unsigned char **at, size_t *size);

/* gguf_model.c, gguf_tokenizer.c: fill config and names, tokenizer; -1 with an error. */
int pb_gguf_describe(pb_gguf *f);
/* gguf_keys.c: -1 with an error if the file says something that changes what a network of this architecture computes,
 * or which ids a text has, and is not read here. */
int pb_gguf_check_keys(pb_gguf *f, const char *arch);
int pb_gguf_describe_tokenizer(pb_gguf *f);

#endif
