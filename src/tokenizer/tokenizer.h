/* tokenizer: text to ids by a tokenizer.json.
 * tokenizer.c reads the file, cuts out added tokens and adds the special tokens of the template;
 * between them are the normalizers (tokenizer_normalize.c), the pre-tokenizers, which cut text into
 * words (tokenizer_split.c), and one kind of model a file, which makes ids of a word
 * (tokenizer_wordpiece.c, _bpe.c, _unigram.c, _wordlevel.c); tokenizer_decode.c goes back.  A tokenizer keeps words it
 * has seen, so two threads may not use one at a time. */
#ifndef PB_TOKENIZER_H
#define PB_TOKENIZER_H

#include "base/base.h"

typedef struct pb_tokenizer pb_tokenizer;

/* Reads DIR/tokenizer.json.  NULL with "PATH: what is wrong, what would be right" (or
 * PATH:LINE:COLUMN for malformed JSON).  Unknown normalizers, pre-tokenizers, models and
 * post-processors are refused by name, never ignored. */
pb_tokenizer *pb_tokenizer_open(const char *dir);
/* The same from the text of such a file; `name` is used in messages. */
pb_tokenizer *pb_tokenizer_open_text(const char *name, const char *json);
void pb_tokenizer_close(pb_tokenizer *t);
int pb_tokenizer_vocab(const pb_tokenizer *t); /* number of ids, added tokens included */
/* NULL: no such id.  An added token that is searched in normalised text reads as normalised. */
const char *pb_tokenizer_token(const pb_tokenizer *t, int id);
int pb_tokenizer_id(const pb_tokenizer *t, const char *token); /* as the file writes it; -1: no such token */

typedef struct pb_ids {
    int *id;
    size_t count, capacity;
} pb_ids;

/* Appends the ids of `size` bytes of UTF-8 text to out (invalid bytes are read as U+FFFD).
 * special: with the template's tokens ([CLS] .. [SEP]).  limit > 0 cuts the text's own ids
 * so that at most `limit` ids come out in all; the file's own truncation is NOT applied.
 * -1 with an error if an expression of the file takes too many steps on this text (pattern.h); what was appended
 * then means nothing. */
int pb_tokenizer_encode(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit, pb_ids *out);
/* The same, and appends to `word` which word each id is of: words (see below) are counted from 0 on, -1 is
 * a token of the template.  So two tokenizers with the same normalizer, pre-tokenizer and added tokens
 * number the words of a text alike.  word may be NULL. */
int pb_tokenizer_encode_words(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit,
                              pb_ids *out, pb_ids *word);

/* A word is a piece that the pre-tokenizer cuts, normalised, here `size` bytes of it (added: -1), or an added
 * token found in the text (added: its id). */
typedef void pb_word_visit(void *ctx, const char *text, size_t size, int added);
/* Visits the words of a text in turn, as encoding sees them.  -1 with an error, as encoding has it. */
int pb_tokenizer_each_word(const pb_tokenizer *t, const char *text, size_t size, pb_word_visit *visit, void *ctx);

/* Appends the text of n ids.  plain: special tokens are left out. */
void pb_tokenizer_decode(const pb_tokenizer *t, const int *ids, size_t n, bool plain, pb_text *out);
void pb_ids_add(pb_ids *ids, int id);
void pb_ids_free(pb_ids *ids);

#endif
