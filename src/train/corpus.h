/* corpus: plain text to pretrain on, as tokens.
 *
 * A source is a file with a document a line.  Documents that share eight words in a row with a text
 * that a model will be tested on are left out. */
#ifndef PB_CORPUS_H
#define PB_CORPUS_H

#include "base/rng.h"
#include "tokenizer/bpe_train.h"
#include "train/decontamination.h"
#include "tokenizer/tokenizer.h"

typedef struct pb_source {
    const char *name, *file, *heldout, *licence; /* heldout: a file that is never trained on; "": none */
    int repeat;                                  /* times a document is seen in an epoch               */
    size_t documents, overlapping;               /* found, and of these left out                       */
    size_t bytes, tokens;                        /* of the documents that stay                         */
} pb_source;

typedef enum pb_begins { PB_NO_WORD, PB_WORD, PB_SENTENCE } pb_begins;

/* Documents' tokens one after the other. */
typedef struct pb_stream {
    pb_ids ids;
    char *begins; /* [ids.count] what the token begins: pb_begins */
    size_t begins_capacity;
    size_t bytes; /* of the text                             */
    struct pb_piece {
        size_t at; /* in ids                                  */
        int count;
        int source;         /* its number                              */
        bool opens, closes; /* is it its document's first, last piece */
    } * document, *piece;   /* whole documents, and what pb_stream_cut made of them */
    size_t documents, document_capacity, pieces, piece_capacity;
} pb_stream;

typedef struct pb_corpus {
    pb_source *source;
    int sources;
    pb_stream train, heldout;
} pb_corpus;

/* Counts the words of all training documents that `exclude` does not hit.  -1 with an error. */
int pb_corpus_count(pb_corpus *c, const pb_decontamination *exclude, pb_bpe_trainer *t);

/* Fills the streams and the sources' numbers.  -1 with an error. */
int pb_corpus_encode(pb_corpus *c, const pb_decontamination *exclude, const pb_tokenizer *t);
void pb_corpus_free(pb_corpus *c); /* the streams */

/* Cuts documents into pieces of at most `length` tokens, in front of sentences where one begins in the second
 * half, else of words.  A piece's length is drawn from length/4 .. length, so that short texts are met
 * too; equal: all as long as can be, cut in front of words. */
void pb_stream_cut(pb_stream *s, int length, bool equal, uint64_t seed);

/* The pieces of an epoch in their order, with repetitions: a pure function of seed and epoch.  Caller
 * frees. */
int *pb_corpus_order(const pb_corpus *c, uint64_t seed, int epoch, int *count);

#endif
