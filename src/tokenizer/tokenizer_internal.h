/* tokenizer_internal: what tokenizer.c and the kinds of models share.  Not for other files. */
#ifndef PB_TOKENIZER_INTERNAL_H
#define PB_TOKENIZER_INTERNAL_H

#include "base/interner.h"
#include "base/json.h"
#include "tokenizer/pattern.h"
#include "tokenizer/tokenizer.h"
#include "base/utf8.h"

typedef struct pb_wordpiece {
    int unknown;        /* id of the unknown token                          */
    const char *prefix; /* of a piece inside a word: "##"                    */
    int longest_word;   /* in characters; a longer word is one unknown token */
} pb_wordpiece;

/* A step of a normalizer, a pre-tokenizer or a decoder, as its JSON says. */
typedef struct pb_component {
    int kind;          /* of the enum in the file that reads it        */
    const char *a, *b; /* texts: pattern, content, replacement       */
    bool flag, flag2;
    int start, stop;
    pb_pattern *regex;            /* owned; NULL: none                */
    struct pb_charsmap *charsmap; /* owned; NULL: none               */
} pb_component;

typedef struct pb_component_list {
    pb_component *component;
    size_t count, capacity;
} pb_component_list;

typedef struct pb_bpe_merge { /* left + right -> id, the lower the rank the sooner */
    int left, right, id, rank;
} pb_bpe_merge;

typedef struct pb_bpe {
    pb_bpe_merge *merge; /* hash by (left, right), left < 0: free; size a power of 2 */
    size_t size;
    int unknown; /* -1: none */
    bool byte_fallback, fuse_unknown, ignore_merges;
    bool seams;        /* nothing merges across a blank's beginning, see tokenizer_bpe.c */
    int byte_id[256];  /* of a byte as byte-level tokenizers write it; -1: none */
    int named_id[256]; /* of "<0x00>" .. "<0xFF>"; -1: none                       */
    struct pb_word_cache *cache;
} pb_bpe;

typedef struct pb_unigram {
    double *score;                /* [tokens] of each piece                                 */
    struct pb_unigram_trie *trie; /* of the pieces                                          */
    double unknown_score;         /* of a character that is no piece                        */
    int unknown;                  /* its id                                                 */
    bool byte_fallback;
    int byte_id[256];
} pb_unigram;

typedef struct pb_added_token {
    const char *content; /* what it is found by                                */
    char *owned;         /* the content, if it had to be normalised             */
    size_t size;
    int id;
    bool single_word, lstrip, rstrip, normalized, special;
} pb_added_token;

typedef struct pb_added_token_search { /* of added tokens in a text */
    pb_index content;                  /* -> index in `added`                            */
    size_t *size;                      /* different sizes of contents, the longest first */
    size_t sizes;
    bool begin[256]; /* does one begin with this byte                  */
} pb_added_token_search;

typedef struct pb_tokenizer_model { /* a kind of model */
    const char *type;
    bool listed; /* its vocabulary is a list of tokens and scores, else an object of tokens and ids */
    int (*read)(pb_tokenizer *t, const pb_json *model);
    void (*encode)(const pb_tokenizer *t, const char *word, size_t size, pb_ids *out);
} pb_tokenizer_model;

struct pb_tokenizer {
    char *path;
    pb_json_doc *doc;   /* owns the vocabulary's texts                        */
    const char **token; /* [tokens] by id, NULL: no such id                   */
    int tokens;
    pb_index index; /* the model's texts -> ids */
    const pb_tokenizer_model *kind;
    bool bytes; /* pieces are bytes in the vocabulary's writing of them (GPT-2) */
    pb_wordpiece wordpiece;
    pb_bpe bpe;
    pb_unigram unigram;
    pb_component_list normalizer, pretokenizer, decoder;
    bool origin; /* the pretokenizer asks whether a word is the text's beginning */
    pb_added_token *added;
    size_t added_count;
    int *added_of;                   /* [tokens] id -> index in `added`, -1: none           */
    pb_index written;                /* the added tokens' contents as written -> ids       */
    pb_added_token_search search[2]; /* [normalized] */
    pb_ids before, behind;           /* the template's special tokens around the text      */
};

/* The model's id of n bytes, -1 if unknown; added tokens are not found. */
int pb_tokenizer_lookup(const pb_tokenizer *t, const char *bytes, size_t n);

/* Notes the text of an id; -1 with an error if the id has another text already. */
int pb_tokenizer_keep(pb_tokenizer *t, const char *token, int id);

/* ---- tokenizer_added.c */
int pb_added_tokens_read(pb_tokenizer *t, const pb_json *list);           /* behind the vocabulary       */
int pb_added_tokens_index(pb_tokenizer *t);                               /* behind the normalizer       */
const pb_added_token *pb_added_token_find(const pb_tokenizer *t, int id); /* NULL: is none               */
/* The next added token at or behind `from`: its range, with the white space it swallows, in
 * *begin and *end.  NULL: none. */
const pb_added_token *pb_added_token_next(const pb_tokenizer *t, const char *text, size_t size, size_t from,
                                          bool normalized, size_t *begin, size_t *end);
void pb_added_tokens_free(pb_tokenizer *t);

/* The models: reading (behind vocabulary, normalizer and pre-tokenizer; -1 with an error), and appending
 * the ids of one word, the piece that the pre-tokenizer cuts. */
int pb_wordpiece_read(pb_tokenizer *t, const pb_json *model);
void pb_wordpiece_encode(const pb_tokenizer *t, const char *word, size_t size, pb_ids *out);
int pb_bpe_read(pb_tokenizer *t, const pb_json *model);
void pb_bpe_encode(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out);
void pb_bpe_free(pb_tokenizer *t);
int pb_unigram_read(pb_tokenizer *t, const pb_json *model);
void pb_unigram_encode(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out);
void pb_unigram_free(pb_tokenizer *t);
int pb_wordlevel_read(pb_tokenizer *t, const pb_json *model);
void pb_wordlevel_encode(const pb_tokenizer *t, const char *word, size_t size, pb_ids *out);

/* The ids of the tokens "<0x00>" to "<0xFF>", -1 where there is none. */
void pb_tokenizer_byte_ids(const pb_tokenizer *t, int id[256]);

/* GPT-2's writing of bytes as printable characters: the character of a byte, and back (-1: none). */
int32_t pb_byte_character(unsigned char byte);
int pb_character_byte(int32_t c);

/* ---- tokenizer_normalize.c */
int pb_normalizer_read(pb_tokenizer *t, const pb_json *v);
/* Appends the normalised text.  *first (or NULL) says if the text begins with this stretch, and becomes false if the
 * normalised text begins behind that beginning.  -1 with an error. */
int pb_normalizer_run(const pb_tokenizer *t, const char *text, size_t size, pb_text *out, bool *first);

/* ---- tokenizer_charsmap.c: the Precompiled normalizer, a map of characters that SentencePiece made. */
typedef struct pb_charsmap pb_charsmap;
pb_charsmap *pb_charsmap_read(const char *path, const char *base64); /* NULL with an error: not of this form */
void pb_charsmap_free(pb_charsmap *m);                               /* NULL is fine */
void pb_charsmap_run(const pb_charsmap *m, const char *text, size_t size, pb_text *out);

/* ---- tokenizer_split.c */
int pb_pretokenizer_read(pb_tokenizer *t, const pb_json *v);
/* Cuts normalised text into words and visits them.  first: the text's beginning.  -1 with an error. */
int pb_pretokenizer_run(const pb_tokenizer *t, const char *text, size_t size, bool first, pb_word_visit *visit,
                        void *ctx);

/* ---- tokenizer_decode.c */
int pb_tokenizer_decoder_read(pb_tokenizer *t, const pb_json *v);

pb_component *pb_component_list_add(pb_component_list *s, int kind);
void pb_component_list_free(pb_component_list *s);
/* Visits v, or each of a Sequence's `key` list; null is none. */
int pb_component_list_each(pb_tokenizer *t, const pb_json *v, const char *key,
                           int (*read)(pb_tokenizer *t, const pb_json *v, const char *type));

#endif
