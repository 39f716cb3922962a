/* gguf: reads the files of llama.cpp, memory-mapped.
 *
 * Tensor names, the configuration and the tokenizer are converted to Hugging Face's: names, config.json and
 * tokenizer.json.  Where the layout of the numbers differs, the array says so (array.h: heads, upright). */
#ifndef PB_GGUF_H
#define PB_GGUF_H

#include "base/interner.h"
#include "base/map.h"
#include "weights/array.h"

typedef struct pb_gguf_value pb_gguf_value; /* of the metadata, see gguf_internal.h */

typedef struct pb_gguf {
    char *path;
    pb_map file;
    pb_gguf_value *value; /* [values] */
    size_t values, value_capacity;
    pb_interner key; /* of value[0], value[1], .. */
    pb_array *array; /* [count] */
    size_t count, capacity;
    pb_interner name;         /* of array[0], array[1], .., Hugging Face's names           */
    char *config, *tokenizer; /* JSON made from the metadata; tokenizer is NULL if absent */
    char **text;              /* [texts] returned by pb_gguf_text                          */
    size_t texts, text_capacity;
} pb_gguf;

/* Maps and checks a file.  Returns NULL with "PATH: what is wrong; want what would be right".  Everything in the struct
 * is valid until the caller closes it; NULL is allowed in pb_gguf_close. */
pb_gguf *pb_gguf_open(const char *path);
void pb_gguf_close(pb_gguf *f);

/* Returns the text under a key of the metadata, or NULL if the key is absent or its value is not a text.  Owned by f.
 */
const char *pb_gguf_text(pb_gguf *f, const char *key);

/* Returns the tokenizer.json of a SentencePiece BPE, on the heap; the caller frees it.  There are n tokens with their
 * scores; kind[i] is 2 for the unknown token, 3 for control tokens, 6 for bytes, and another number for ordinary ones.
 * `space` is how tokens represent a blank.  If `prefix` is true, a blank is prepended to every text.  `before` and
 * `after` are the tokens added before and after every text, or NULL for none. */
char *pb_sentencepiece_json(const char *const *token, const float *score, const unsigned char *kind, int n,
                            const char *space, bool prefix, const char *before, const char *after);

#endif
