/* lesson: batches to pretrain on: what is shown, what is asked, what a teacher thinks of it. */
#ifndef PB_LESSON_H
#define PB_LESSON_H

#include "model/apply.h"
#include "model/config_writer.h"
#include "train/corpus.h"

typedef struct pb_scale {
    pb_real *mean, *rate; /* [width] of the teacher's states, rate = 1 / deviation */
} pb_scale;

typedef struct pb_lessons {
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
} pb_lessons;

/* -1 with an error: a tokenizer without the special tokens that the objective needs. */
int pb_lessons_start(pb_lessons *l);
void pb_lessons_stop(pb_lessons *l);

/* Measures the teacher's states on `n` pieces, before the first lesson with states.  -1 with an error. */
int pb_lessons_calibrate(pb_lessons *l, const pb_stream *s, const int *piece, int n);

/* Makes the batch of `n` pieces of a stream; it lives until the next one.  Masks are a pure function of
 * `key`.  masks, states: is this part of the lesson wanted.  -1 with an error. */
typedef struct pb_lesson {
    const int *piece;
    int pieces;
    uint64_t key;
    bool masks, states;
} pb_lesson;
int pb_lessons_batch(pb_lessons *l, const pb_stream *s, const pb_lesson *of, pb_batch *out);

#endif
