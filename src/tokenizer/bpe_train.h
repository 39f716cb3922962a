/* bpe_train: a byte-level byte-pair encoding learned from text, written as a tokenizer.json.
 * Sennrich et al. 2016, arXiv:1508.07909; over bytes as in Radford et al. 2019 (GPT-2).
 *
 * Words are counted as text comes, cut by the very pipeline (tokenizer.h) that will encode with the
 * file.  Memory: every different word once. */
#ifndef PB_BPE_TRAIN_H
#define PB_BPE_TRAIN_H

#include "base/base.h"

typedef enum pb_bpe_kind {
    PB_BPE_WORDS, /* for encoders: BERT's words, lower case, accents off, each mark of punctuation a word;
                   * [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4; "[CLS] text [SEP]"                    */
    PB_BPE_TEXT,  /* for decoders: GPT-2's pattern, nothing is lost; <|endoftext|> 0; no template         */
} pb_bpe_kind;

typedef struct pb_bpe_trainer pb_bpe_trainer;

pb_bpe_trainer *pb_bpe_trainer_new(pb_bpe_kind kind);
void pb_bpe_trainer_free(pb_bpe_trainer *t); /* NULL is fine */

/* Counts the words of one document, n bytes of UTF-8. */
int pb_bpe_trainer_feed(pb_bpe_trainer *t, const char *text, size_t n);

/* Learns from what was fed and writes the file.  `vocabulary` entries are the special tokens, the 256
 * bytes and what merges make: the most frequent pair of neighbours first, of equals the one whose ids
 * (left, then right) are lower.  Returns the number of entries, fewer than asked when no pair is left
 * that occurs twice; -1 with an error (a vocabulary without room for the bytes, a path that cannot be
 * written).  The same documents in any order give the same file. */
int pb_bpe_trainer_write(pb_bpe_trainer *t, int vocabulary, const char *path);

#endif
