/* lesson: batches to pretrain on: what is shown, what is asked, what a teacher thinks of it. */
#ifndef PB_COLLATOR_H
#define PB_COLLATOR_H

#include "model/apply.h"
#include "model/config_writer.h"
#include "train/corpus.h"

typedef struct pb_scale {
    pb_real *mean, *rate; /* [width] of the teacher's states, rate = 1 / deviation */
} pb_scale;

typedef struct pb_collator {
    pb_objective objective;
    const pb_tokenizer *tokenizer;
    double pieces, masked;     /* share of the pieces with masks, and of the words in them (masked models) */
    double state_weight;       /* of the teacher's states in the loss                        */
    pb_model *teacher;         /* NULL: none.  Bare, its tokenizer cuts words as the student's does */
    pb_apply *apply;           /* the teacher at work                                        */
    pb_arena *arena;           /* of one batch                                               */
    int begin, end, mask, low; /* [CLS] or <|endoftext|>, [SEP], [MASK]; the lowest id that is a word's */
    pb_scale word, text;       /* of the teacher's means over words and over texts           */
    size_t unmatched;          /* texts in which teacher and student saw different words     */
} pb_collator;

/* -1 with an error: a tokenizer without the special tokens that the objective needs. */
int pb_collator_start(pb_collator *l);
void pb_collator_stop(pb_collator *l);

/* Measures the teacher's states on `n` pieces, before the first lesson with states.  -1 with an error. */
int pb_collator_calibrate(pb_collator *l, const pb_stream *s, const int *piece, int n);

/* Makes the batch of `n` pieces of a stream; it lives until the next one.  Masks are a pure function of
 * `key`.  masks, states: is this part of the lesson wanted.  -1 with an error. */
typedef struct pb_pretrain_batch {
    const int *piece;
    int pieces;
    uint64_t key;
    bool masks, states;
} pb_pretrain_batch;
int pb_collator_batch(pb_collator *l, const pb_stream *s, const pb_pretrain_batch *of, pb_batch *out);

#endif
