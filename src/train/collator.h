/* collator: makes the batches of pretraining: inputs, prediction targets, and a teacher's states as distillation
 * targets.
 *
 * A masked model (BERT, Devlin et al. 2019) predicts masked words; a causal model predicts each next token.  With a
 * teacher, the student's last states are also trained towards the teacher's (Hinton et al. 2015, Distilling the
 * knowledge in a neural network): each token towards the mean of the teacher's states over its word, and the first
 * token, [CLS], towards the mean over the text.  The targets are standardized, so that no coordinate dominates. */
#ifndef PB_COLLATOR_H
#define PB_COLLATOR_H

#include "model/apply.h"
#include "model/config_writer.h"
#include "train/corpus.h"

/* Mean and inverse standard deviation of each coordinate of the teacher's states. */
typedef struct pb_scale {
    pb_real *mean, *rate; /* [width] */
} pb_scale;

/* The settings are set by the caller before pb_collator_start; the rest is the collator's. */
typedef struct pb_collator {
    pb_objective objective;
    const pb_tokenizer *tokenizer;
    double masked_segments; /* setting: fraction of the segments that have masks, for masked models        */
    double masked_words;    /* setting: fraction of the words in these segments that are targets           */
    double teacher_weight;  /* setting: of the distillation loss                                         */
    pb_model *teacher;      /* setting: NULL for none; without head and methods, its tokenizer splits text into the same
                              words as the student's */
    pb_apply *apply;        /* runs the teacher                                                          */
    pb_arena *arena;        /* holds one batch                                                           */
    int begin, end, mask;   /* ids of [CLS], [SEP] and [MASK]; of causal models <|endoftext|>            */
    int lowest_word;        /* the lowest id that is not a special token                                 */
    pb_scale word, text;    /* of the teacher's means over words and over texts                          */
    size_t unmatched;       /* texts that teacher and student split into different words                 */
} pb_collator;

/* Returns -1 with an error if the tokenizer lacks a special token that the objective needs. */
int pb_collator_start(pb_collator *c);
/* Frees what the collator owns, but not the teacher. */
void pb_collator_stop(pb_collator *c);

/* Measures the scale of the teacher's states on n segments of a stream.  To be called before the first batch with a
 * teacher.  Returns -1 with an error if the teacher cannot read a segment. */
int pb_collator_calibrate(pb_collator *c, const pb_stream *s, const int *segment, int n);

/* Which batch is to be made. */
typedef struct pb_pretrain_batch {
    const int *segment; /* [segments] numbers of segments of a stream */
    int segments;
    uint64_t key;      /* The masks are a pure function of it.     */
    bool with_targets; /* The batch has prediction targets.        */
    bool with_teacher; /* The batch has distillation targets.      */
} pb_pretrain_batch;

/* Makes a batch.  It is valid until the next call.  Returns -1 with an error if the teacher cannot read a segment. */
int pb_collator_batch(pb_collator *c, const pb_stream *s, const pb_pretrain_batch *which, pb_batch *out);

#endif
