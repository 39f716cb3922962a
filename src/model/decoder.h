/* decoder: what greedy decoding, sampling and beam search share.  Not for other rooms. */
#ifndef PB_DECODER_H
#define PB_DECODER_H

#include "model/decode_step.h"
#include "model/decoding.h"
#include "model/stop_texts.h"

typedef struct pb_decoder {
    pb_model *model;
    const pb_decoding *how;
    int n;
    const pb_ids *prompt;
    pb_continuation *out;
    pb_decode_step *step;
    pb_stops stops;
    bool *seen; /* [vocabulary] scratch of the repetition penalty; NULL: there is none */
    int next;   /* the first prompt that nobody has taken yet */
} pb_decoder;

/* Tokens that may be added to a prompt: max_new, or what the model's positions leave. */
int pb_decoder_limit(const pb_decoder *d, int example);

/* Puts a held prompt's and the prompt's ids into text: all that repetitions are looked for in.  Returns how many
 * are the held prompt's. */
int pb_decoder_begin(const pb_decoder *d, int example, pb_ids *text);

/* x [vocabulary]: logits become logarithms of probabilities; then those of tokens that would repeat n tokens of
 * `text` become -infinity. */
void pb_decoder_score(const pb_decoder *d, const pb_ids *text, int vocabulary, pb_real *x);

/* Applies the repetition penalty to x [vocabulary], logits or logarithms of probabilities; nothing if there is none. */
void pb_decoder_penalise(const pb_decoder *d, const pb_ids *text, pb_real *x);
/* What the logarithm of this token's probability was multiplied by: the penalty if the text has it, else 1. */
pb_real pb_decoder_penalty(const pb_decoder *d, const pb_ids *text, int id);

/* Does a continuation end with its last token, and why: true with *why set. */
bool pb_decoder_ends(const pb_decoder *d, int example, const int *added, int count, pb_ending *why);

int pb_decode_tokens(pb_decoder *d); /* greedy, sample (decode_token.c) */
int pb_decode_beams(pb_decoder *d);  /* decode_beam.c                   */

#endif
