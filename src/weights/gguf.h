/* gguf: files of llama.cpp, memory-mapped.
 *
 * What the file says in its own words is said again in Hugging Face's: names of tensors, config.json,
 * tokenizer.json.  Where the numbers lie otherwise, the array says so (safetensors.h: heads, upright). */
#ifndef PB_GGUF_H
#define PB_GGUF_H

#include "base/interner.h"
#include "base/map.h"
#include "weights/safetensors.h"

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

typedef struct pb_gguf_value {
    char *key;
    pb_gguf_type type, item;   /* item: of a list                                       */
    uint64_t count;            /* of a list; 1 otherwise                                */
    const unsigned char *data; /* of the value, or of the list's first                  */
} pb_gguf_value;

typedef struct pb_gguf {
    char *path;
    pb_map file;
    pb_gguf_value *value;
    size_t values, value_capacity;
    pb_interner key; /* of value[0], value[1] .. */
    pb_array *array;
    size_t count, capacity;
    pb_interner name;         /* of array[0], array[1] .., in Hugging Face's words */
    char *config, *tokenizer; /* made texts */
    char **text;              /* texts given out by pb_gguf_text, owned */
    size_t texts, text_capacity;
} pb_gguf;

/* NULL with "PATH: what is wrong, what would be right". */
pb_gguf *pb_gguf_open(const char *path);
void pb_gguf_close(pb_gguf *f);

const pb_gguf_value *pb_gguf_find(const pb_gguf *f, const char *key); /* NULL: absent */
double pb_gguf_number(const pb_gguf *f, const char *key, double otherwise);
const char *pb_gguf_text(pb_gguf *f, const char *key); /* NULL: absent or no text */

/* Text i of a list of texts (their places must be walked: call with i = 0, 1, ..); *size bytes.  *at
 * starts as the list's data. */
const char *pb_gguf_next_text(const unsigned char **at, size_t *size);

/* gguf_model.c, gguf_tokenizer.c: fill config and names, tokenizer; -1 with an error. */
int pb_gguf_describe(pb_gguf *f);
/* gguf_keys.c: -1 with an error if the file says something that changes what a network of this architecture computes,
 * or which ids a text has, and is not read here. */
int pb_gguf_check_keys(pb_gguf *f, const char *arch);
int pb_gguf_describe_tokenizer(pb_gguf *f);

/* A tokenizer.json of a SentencePiece BPE: n tokens with scores; kind[i] 2 unknown, 3 control, 6 byte,
 * else ordinary.  `space`: how blanks are written in tokens; prefix: one is put before every text; before, behind:
 * tokens that stand around every text, NULL: none. */
char *pb_sentencepiece_json(const char *const *token, const float *score, const unsigned char *kind, int n,
                            const char *space, bool prefix, const char *before, const char *behind);

#endif
