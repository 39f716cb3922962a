/* tokenizer_internal: what tokenizer.c and the kinds of models share.  Not for other files. */
#ifndef PB_TOKENIZER_INTERNAL_H
#define PB_TOKENIZER_INTERNAL_H

#include "files/json.h"
#include "files/tokenizer.h"

/* BERT's pipeline: BertNormalizer, BertPreTokenizer, WordPiece. */
typedef struct pb_wordpiece {
    bool clean, space_cjk, strip_accents, lowercase;
    int unknown;        /* id of the unknown token                          */
    const char *prefix; /* of a piece inside a word: "##"                    */
    int longest_word;   /* in characters; a longer word is one unknown token */
} pb_wordpiece;

typedef struct pb_added_token {
    const char *content; /* what it is found by                                */
    char *owned;         /* the content, if it had to be normalised             */
    size_t size;
    int id;
    bool single_word, lstrip, rstrip, normalized;
} pb_added_token;

struct pb_tokenizer {
    char *path;
    pb_json_doc *doc;   /* owns the vocabulary's texts                        */
    const char **token; /* [tokens] by id, NULL: no such id                   */
    int tokens;
    int *index; /* hash of the model's texts to ids, -1 = free; size a power of 2 */
    size_t index_size;
    pb_wordpiece wordpiece;
    pb_added_token *added;
    size_t added_count;
    pb_ids before, behind; /* the template's special tokens around the text      */
};

/* The model's id of n bytes, -1 if unknown; added tokens are not found. */
int pb_tokenizer_lookup(const pb_tokenizer *t, const char *bytes, size_t n);

void pb_ids_add(pb_ids *ids, int id);

/* Decodes the character at `text`, U+FFFD for an invalid byte; returns its length, >= 1. */
size_t pb_utf8_next(const char *text, size_t size, int32_t *c);
bool pb_utf8_is_space(int32_t c); /* Unicode White_Space */

/* Reads normalizer, pre_tokenizer and model of a tokenizer.json; -1 with an error. */
int pb_wordpiece_read(pb_tokenizer *t, const pb_json *root);
/* Appends the normalised text to out. */
void pb_wordpiece_normalize(const pb_tokenizer *t, const char *text, size_t size, pb_text *out);
/* Appends the ids of normalised text. */
void pb_wordpiece_encode(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out);

#endif
