/* corpus: plain text for pretraining, as tokens.
 *
 * A source is a file with one document per line.  Documents that share eight consecutive words with a test text are
 * left out (decontamination.h). */
#ifndef PB_CORPUS_H
#define PB_CORPUS_H

#include "base/rng.h"
#include "tokenizer/bpe_train.h"
#include "tokenizer/tokenizer.h"
#include "train/decontamination.h"

typedef struct pb_source {
    const char *name, *file, *licence;
    const char *heldout;            /* a file that is never trained on; "": none                */
    int repeat;                     /* how often each document occurs in an epoch               */
    size_t documents, contaminated; /* documents found, and those of them that are left out     */
    size_t bytes, tokens;           /* of the documents that are used                           */
} pb_source;

/* What a token begins. */
typedef enum pb_begins { PB_NO_WORD, PB_WORD, PB_SENTENCE } pb_begins;

/* The tokens of documents, one document after the other, and their division into segments. */
typedef struct pb_stream {
    pb_ids ids;
    char *begins; /* [ids.count] pb_begins of each token */
    size_t begins_capacity;
    size_t bytes; /* of the text */
    struct pb_segment {
        size_t at;          /* index of the first token in `ids` */
        int count;          /* tokens */
        int source;         /* number of its source */
        bool opens, closes; /* It is the first, the last segment of its document. */
    } * document, *segment; /* whole documents, and the segments that pb_stream_cut has made of them */
    size_t documents, document_capacity, segments, segment_capacity;
} pb_stream;

typedef struct pb_corpus {
    pb_source *source; /* [sources] */
    int sources;
    pb_stream train, heldout;
} pb_corpus;

/* Feeds the training documents that `exclude` does not hit to the training of a tokenizer.  Returns -1 with an error
 * if a file cannot be read. */
int pb_corpus_count(pb_corpus *c, const pb_decontamination *exclude, pb_bpe_trainer *t);

/* Encodes the documents into the streams and counts those of each source.  Returns -1 with an error if a file cannot
 * be read or encoded. */
int pb_corpus_encode(pb_corpus *c, const pb_decontamination *exclude, const pb_tokenizer *t);

/* Frees the streams. */
void pb_corpus_free(pb_corpus *c);

/* Divides the documents of a stream into segments of at most `length` tokens, which begin at a sentence if one begins
 * in the second half of the segment before, and at a word otherwise.  Their lengths are drawn from length/4 to length,
 * so that short texts occur, too.  With `equal`, all segments are as long as possible and begin at words. */
void pb_stream_cut(pb_stream *s, int length, bool equal, uint64_t seed);

/* Returns the order of the segments in an epoch [*count], with repetitions, as a pure function of seed and epoch.  The
 * caller frees it. */
int *pb_corpus_order(const pb_corpus *c, uint64_t seed, int epoch, int *count);

#endif
