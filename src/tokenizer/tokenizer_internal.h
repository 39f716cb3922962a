/* tokenizer_internal: what the files of the tokenizer share.  Not for other files. */
#ifndef PB_TOKENIZER_INTERNAL_H
#define PB_TOKENIZER_INTERNAL_H

#include "base/interner.h"
#include "base/json.h"
#include "tokenizer/pattern.h"
#include "tokenizer/tokenizer.h"
#include "base/utf8.h"

/* A map of characters of the Precompiled normalizer (tokenizer_charsmap.c). */
typedef struct pb_charsmap pb_charsmap;

/* One component of a normalizer, a pre-tokenizer or a decoder, with the settings of its JSON object. */
typedef struct pb_component {
    int kind;          /* of the enum in the file that reads it                */
    const char *a, *b; /* texts: pattern, content, replacement; of the document */
    bool flag, flag2;
    int start, stop;
    pb_pattern *regex;     /* owned; NULL if there is none */
    pb_charsmap *charsmap; /* owned; NULL if there is none */
} pb_component;

typedef struct pb_component_list {
    pb_component *component;
    size_t count, capacity;
} pb_component_list;

/* ---- the models ------------------------------------------------------------------------------------------ */

typedef struct pb_wordpiece {
    int unknown;        /* the id of the unknown token                            */
    const char *prefix; /* of a piece that continues a word: "##"                 */
    int longest_word;   /* in characters; a longer word becomes the unknown token */
} pb_wordpiece;

typedef struct pb_bpe_merge { /* left + right -> id; the pair of the lowest rank is merged first */
    int left, right, id, rank;
} pb_bpe_merge;

typedef struct pb_bpe {
    pb_bpe_merge *merge; /* [size] a hash table by (left, right), left < 0: free; size is a power of 2 */
    size_t size;
    int unknown; /* the id of the unknown token, -1: none */
    bool byte_fallback, fuse_unknown, ignore_merges;
    bool seams;        /* no merge joins a blank to the character before it, see tokenizer_bpe.c     */
    int byte_id[256];  /* the id of each byte's character in a byte-level vocabulary, -1: none */
    int named_id[256]; /* the ids of "<0x00>" .. "<0xFF>", -1: none                            */
    struct pb_word_cache *cache;
} pb_bpe;

typedef struct pb_unigram {
    double *score;                /* [tokens] the log-probability of each piece      */
    struct pb_unigram_trie *trie; /* of the pieces                                   */
    double unknown_score;         /* of a character that no piece covers             */
    int unknown;                  /* the id of the unknown token                     */
    bool byte_fallback;
    int byte_id[256]; /* the ids of "<0x00>" .. "<0xFF>", -1: none */
} pb_unigram;

/* ---- added tokens ------------------------------------------------------------------------------------------ */

typedef struct pb_added_token {
    const char *content; /* the text that is searched; normalized if `normalized`   */
    char *owned;         /* the same text if it was normalized, otherwise NULL      */
    size_t size;
    int id;
    bool single_word, lstrip, rstrip, normalized, special;
} pb_added_token;

/* Finds added tokens in a text. */
typedef struct pb_added_token_search {
    pb_index content; /* from contents to indices into `added`       */
    size_t *size;     /* [sizes] the distinct sizes, the largest first */
    size_t sizes;
    bool begin[256]; /* whether a content begins with this byte    */
} pb_added_token_search;

/* ---- the tokenizer ------------------------------------------------------------------------------------------ */

typedef struct pb_tokenizer_model {
    const char *type; /* as in the file */
    bool listed;      /* its vocabulary is a list of tokens and scores, otherwise an object of tokens and ids */
    int (*read)(pb_tokenizer *t, const pb_json *model);
    void (*encode)(const pb_tokenizer *t, const char *word, size_t size, pb_ids *out);
} pb_tokenizer_model;

struct pb_tokenizer {
    char *path;
    pb_json_doc *doc;   /* owns the texts of the vocabulary             */
    const char **token; /* [tokens] by id; NULL if there is no such id  */
    int tokens;
    pb_index index; /* from the tokens of the model to ids          */
    const pb_tokenizer_model *kind;
    bool bytes; /* the vocabulary is byte-level (GPT-2), see pb_byte_character */
    pb_wordpiece wordpiece;
    pb_bpe bpe;
    pb_unigram unigram;
    pb_component_list normalizer, pretokenizer, decoder;
    bool origin; /* the pre-tokenizer treats the beginning of the text specially */
    pb_added_token *added;
    size_t added_count;
    int *added_of;                   /* [tokens] from ids to indices into `added`, -1: none        */
    pb_index written;                /* from the added tokens as the file writes them to their ids */
    pb_added_token_search search[2]; /* [normalized]                                               */
    pb_ids before, after;            /* the template's special tokens before and after the text    */
    pb_ids pair, pair_type;          /* of a pair: a special token's id, FIRST_TEXT or SECOND_TEXT; the types of each */
    const char *pair_problem;        /* why the form of a pair cannot be used, or NULL             */
};

/* What stands for the texts in the form of a pair. */
enum { FIRST_TEXT = -2, SECOND_TEXT = -3 };

/* ---- tokenizer_template.c */

/* Reads one post-processor, and frees what was read of all of them.  The vocabulary must have been read.  Returns -1
 * with an error. */
int pb_post_processor_read(pb_tokenizer *t, const pb_json *post, const char *type);
void pb_post_processor_free(pb_tokenizer *t);

/* ---- tokenizer_vocabulary.c */

/* Returns the model's id of a token of n bytes, or -1 if it has none.  Added tokens are not found. */
int pb_tokenizer_lookup(const pb_tokenizer *t, const char *bytes, size_t n);

/* Stores the text of an id.  Returns -1 with an error if the id has a different text already. */
int pb_tokenizer_keep(pb_tokenizer *t, const char *token, int id);

/* Returns the added token of an id, or NULL if the id belongs to none. */
const pb_added_token *pb_added_token_find(const pb_tokenizer *t, int id);

/* Looks up the ids of the tokens "<0x00>" to "<0xFF>"; -1 if the vocabulary does not have one. */
void pb_tokenizer_byte_ids(const pb_tokenizer *t, int id[256]);

/* GPT-2's mapping of bytes to printable characters (bytes_to_unicode).  Return the character of a byte, and the byte
 * of a character or -1 if it stands for none. */
int32_t pb_byte_character(unsigned char byte);
int pb_character_byte(int32_t c);

/* ---- tokenizer_added.c */

/* Reads the added tokens; the vocabulary must have been read.  Returns -1 with an error. */
int pb_added_tokens_read(pb_tokenizer *t, const pb_json *list);

/* Prepares the search for them; the normalizer must have been read.  Returns -1 with an error if normalizing fails. */
int pb_added_tokens_index(pb_tokenizer *t);

/* Returns the next added token that begins at `from` or later, or NULL if there is none.  *begin and *end receive its
 * range, which includes the white space that the token strips. */
const pb_added_token *pb_added_token_next(const pb_tokenizer *t, const char *text, size_t size, size_t from,
                                          bool normalized, size_t *begin, size_t *end);

/* Frees the added tokens. */
void pb_added_tokens_free(pb_tokenizer *t);

/* ---- tokenizer_wordpiece.c, tokenizer_bpe.c, tokenizer_unigram.c, tokenizer_wordlevel.c */

/* For each model, `read` reads its settings and returns -1 with an error; vocabulary, normalizer and pre-tokenizer must
 * have been read.  `encode` appends the ids of one word.  `free` frees what `read` allocated. */
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

/* ---- tokenizer_normalize.c */

/* Appends a component to the list and returns it.  The pointer is valid until the next one is appended. */
pb_component *pb_component_list_add(pb_component_list *s, int kind);

/* Frees the components. */
void pb_component_list_free(pb_component_list *s);

/* Calls `read` for the component v or, if v is a Sequence, for each component of its list `key`; a JSON null has none.
 * Returns -1 as soon as `read` does. */
int pb_component_list_each(pb_tokenizer *t, const pb_json *v, const char *key,
                           int (*read)(pb_tokenizer *t, const pb_json *v, const char *type));

/* Reads the normalizer.  Returns -1 with an error. */
int pb_normalizer_read(pb_tokenizer *t, const pb_json *v);

/* Appends the normalized text.  `first`, unless it is NULL, says whether this is the beginning of the whole text, and
 * becomes false if normalizing removes or moves that beginning.  Returns -1 with an error if an expression fails. */
int pb_normalizer_run(const pb_tokenizer *t, const char *text, size_t size, pb_text *out, bool *first);

/* ---- tokenizer_charsmap.c */

/* Reads a map of characters.  Returns NULL with an error if it is malformed.  The caller frees it; NULL is allowed in
 * pb_charsmap_free. */
pb_charsmap *pb_charsmap_read(const char *path, const char *base64);
void pb_charsmap_free(pb_charsmap *m);

/* Appends the text with its characters mapped. */
void pb_charsmap_run(const pb_charsmap *m, const char *text, size_t size, pb_text *out);

/* ---- tokenizer_split.c */

/* Reads the pre-tokenizer.  Returns -1 with an error. */
int pb_pretokenizer_read(pb_tokenizer *t, const pb_json *v);

/* Splits normalized text into words and visits them.  `first` says whether this is the beginning of the whole text,
 * and `spaced` whether ByteLevel puts a space in front of it although the file does not say so.  Returns -1 with an
 * error if an expression fails. */
int pb_pretokenizer_run(const pb_tokenizer *t, const char *text, size_t size, bool first, bool spaced,
                        pb_word_visit *visit, void *ctx);

/* Returns whether ByteLevel is the only pre-tokenizer. */
bool pb_pretokenizer_is_bytes(const pb_tokenizer *t);

/* ---- tokenizer_decode.c */

/* Reads the decoder.  Returns -1 with an error. */
int pb_tokenizer_decoder_read(pb_tokenizer *t, const pb_json *v);

#endif
