/* tokenizer: converts text to token ids and back, as a tokenizer.json describes.
 *
 * tokenizer.c reads the file and finds the added tokens.  The text between them passes the normalizers
 * (tokenizer_normalize.c) and the pre-tokenizers, which split it into words (tokenizer_split.c).  One model per file
 * converts a word to ids (tokenizer_wordpiece.c, _bpe.c, _unigram.c, _wordlevel.c) by the vocabulary
 * (tokenizer_vocabulary.c).  The post-processor adds special tokens (tokenizer_template.c) and combines pairs of texts
 * (tokenizer_pair.c).  tokenizer_decode.c converts ids to text. */
#ifndef PB_TOKENIZER_H
#define PB_TOKENIZER_H

#include "base/base.h"

/* A tokenizer caches words, so that two threads must not use one at a time. */
typedef struct pb_tokenizer pb_tokenizer;

/* Read a tokenizer from DIR/tokenizer.json, and from the text of such a file, for which `name` stands in messages.
 * Return NULL with "PATH: what is wrong; want what would be right" (PATH:LINE:COLUMN for malformed JSON).  A
 * normalizer, pre-tokenizer, model, post-processor or decoder that is not supported is refused by name and never
 * ignored.  The caller closes the tokenizer; NULL is allowed in pb_tokenizer_close. */
pb_tokenizer *pb_tokenizer_open(const char *dir);
pb_tokenizer *pb_tokenizer_open_text(const char *name, const char *json);
void pb_tokenizer_close(pb_tokenizer *t);

/* Returns the number of ids, added tokens included: the largest id + 1. */
int pb_tokenizer_vocab(const pb_tokenizer *t);

/* Returns the text of a token, or NULL if there is no such id.  The text of an added token that is searched in
 * normalized text is the normalized one.  It is owned by the tokenizer. */
const char *pb_tokenizer_token(const pb_tokenizer *t, int id);

/* Returns the id of a token as the file writes it, or -1 if there is no such token. */
int pb_tokenizer_id(const pb_tokenizer *t, const char *token);

/* Returns whether an id is that of an added token, which is found in a text before the text is split. */
bool pb_tokenizer_is_added(const pb_tokenizer *t, int id);

/* A growing list of ids; it starts as {0}. */
typedef struct pb_ids {
    int *id;
    size_t count, capacity;
} pb_ids;

/* Append an id, and free the list and leave it empty. */
void pb_ids_add(pb_ids *ids, int id);
void pb_ids_free(pb_ids *ids);

/* Appends the ids of `size` bytes of UTF-8 text to `out`; an invalid byte is read as U+FFFD.  If `special` is true,
 * the template's tokens (such as [CLS] and [SEP]) are added.  If `limit` > 0, the ids of the text are truncated so
 * that at most `limit` ids are appended in all; the truncation that the file itself describes is NOT applied.  Returns
 * -1 with an error if an expression of the file takes too many steps on this text (pattern.h); the appended ids are
 * then meaningless. */
int pb_tokenizer_encode(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit, pb_ids *out);

/* Does the same and appends to `word`, unless it is NULL, the number of the word that each id belongs to.  Words (see
 * pb_word_visit) are numbered from 0; the tokens of the template have -1.  Two tokenizers with the same normalizer,
 * pre-tokenizer and added tokens number the words of a text alike. */
int pb_tokenizer_encode_words(const pb_tokenizer *t, const char *text, size_t size, bool special, int limit,
                              pb_ids *out, pb_ids *word);

/* Appends the ids of a sentence that is split into words already, as Hugging Face's tokenizers do with
 * is_split_into_words=True: each word is encoded by itself, as a text of its own.  If the file's only pre-tokenizer is
 * ByteLevel (GPT-2, RoBERTa), a space is put in front of each word, as with add_prefix_space=True, which such a
 * tokenizer is used with for words.  Appends to `of` the number of the word that each id belongs to, counted from 0;
 * the template's tokens, which are added if `special` is true, have -1.  A word may have no id.  Returns -1 with an
 * error as pb_tokenizer_encode does. */
int pb_tokenizer_encode_split(const pb_tokenizer *t, const char *const *word, int words, bool special, pb_ids *out,
                              pb_ids *of);

/* Returns whether the file says how a pair of texts is encoded. */
bool pb_tokenizer_has_pair(const pb_tokenizer *t);
/* Returns 0 if it does, otherwise -1 with an error that says what is missing. */
int pb_tokenizer_check_pair(const pb_tokenizer *t);

/* Appends the ids of a pair of texts in UTF-8, with the special tokens that the file's post-processor gives a pair, to
 * `out`, and the token type (segment) of each to `type`.  If `limit` > 0, the texts are truncated so that at most
 * `limit` ids are appended, by pb_longest_first.  Returns -1 with an error as pb_tokenizer_encode does, if the file has
 * no form for pairs, or if the special tokens alone exceed the limit. */
int pb_tokenizer_encode_pair(const pb_tokenizer *t, const char *first, const char *second, int limit, pb_ids *out,
                             pb_ids *type);

/* Reduces the sizes of two texts until they are at most `most` tokens together: the longer one loses tokens first, as
 * with truncation=True (longest_first) of Hugging Face's tokenizers. */
void pb_longest_first(size_t size[2], size_t most);

/* Is called with a word: `size` bytes of normalized text that the pre-tokenizer split off, with added = -1, or an added
 * token that was found in the text, with added = its id. */
typedef void pb_word_visit(void *ctx, const char *text, size_t size, int added);

/* Visits the words of a text in order, as encoding sees them.  Returns -1 with an error as pb_tokenizer_encode does. */
int pb_tokenizer_each_word(const pb_tokenizer *t, const char *text, size_t size, pb_word_visit *visit, void *ctx);

/* Appends the text of n ids.  If `plain` is true, special tokens are left out.  Ids without a token are skipped. */
void pb_tokenizer_decode(const pb_tokenizer *t, const int *ids, size_t n, bool plain, pb_text *out);

#endif
