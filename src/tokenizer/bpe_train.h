/* bpe_train: learns a byte-level byte-pair encoding from text and writes it as a tokenizer.json.
 * Sennrich et al. 2016, arXiv:1508.07909; over bytes as in Radford et al. 2019 (GPT-2).
 *
 * Words are counted while the text is read, after the same normalizer and pre-tokenizer that the written file contains.
 * Each distinct word is kept in memory once. */
#ifndef PB_BPE_TRAIN_H
#define PB_BPE_TRAIN_H

#include "base/base.h"

typedef enum pb_bpe_kind {
    PB_BPE_WORDS, /* for encoders: BERT's normalization (lower case, no accents) and words, punctuation separate;
                   * ids [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4; template "[CLS] text [SEP]"        */
    PB_BPE_TEXT,  /* for decoders: GPT-2's pattern, lossless; id <|endoftext|> 0; no template              */
} pb_bpe_kind;

typedef struct pb_bpe_trainer pb_bpe_trainer;

/* Returns a trainer without text; the caller frees it.  NULL is allowed in pb_bpe_trainer_free. */
pb_bpe_trainer *pb_bpe_trainer_new(pb_bpe_kind kind);
void pb_bpe_trainer_free(pb_bpe_trainer *t);

/* Counts the words of one document of n bytes of UTF-8.  Returns -1 with an error if the pre-tokenizer fails. */
int pb_bpe_trainer_feed(pb_bpe_trainer *t, const char *text, size_t n);

/* Learns from the text so far and writes the tokenizer to `path`.  The `vocabulary` entries are the special tokens, the
 * 256 bytes and the products of merges.  The most frequent pair is merged first; of equally frequent pairs the one with
 * the lower ids (left, then right).  The order of the documents does not change the file.  Returns the number of
 * entries, which is smaller than `vocabulary` if no pair occurs twice any more.  Returns -1 with an error if the
 * vocabulary has no room for the bytes or the file cannot be written. */
int pb_bpe_trainer_write(pb_bpe_trainer *t, int vocabulary, const char *path);

#endif
