/* gguf: files of llama.cpp, memory-mapped.
 *
 * What the file says in its own words is said again in Hugging Face's: names of tensors, config.json,
 * tokenizer.json.  Where the numbers lie otherwise, the array says so (safetensors.h: heads, upright). */
#ifndef PB_GGUF_H
#define PB_GGUF_H

#include "base/interner.h"
#include "base/map.h"
#include "weights/array.h"

typedef struct pb_gguf_value pb_gguf_value; /* of gguf_internal.h */

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

const char *pb_gguf_text(pb_gguf *f, const char *key); /* NULL: absent or no text */

/* A tokenizer.json of a SentencePiece BPE: n tokens with scores; kind[i] 2 unknown, 3 control, 6 byte,
 * else ordinary.  `space`: how blanks are written in tokens; prefix: one is put before every text; before, behind:
 * tokens that stand around every text, NULL: none. */
char *pb_sentencepiece_json(const char *const *token, const float *score, const unsigned char *kind, int n,
                            const char *space, bool prefix, const char *before, const char *behind);

#endif
