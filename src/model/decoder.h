/* decoder: the state of pb_decode, and what greedy decoding, sampling and beam search share.  Not for other rooms. */
#ifndef PB_DECODER_H
#define PB_DECODER_H

#include "model/decode_step.h"
#include "model/decoding.h"
#include "model/stop_texts.h"

/* One call of pb_decode. */
typedef struct pb_decoder {
    pb_model *model;
    const pb_decoding *how;
    int n;                /* prompts */
    const pb_ids *prompt; /* [n] */
    pb_continuation *out; /* [n] */
    pb_decode_step *step;
    pb_stops stops;
    bool *seen; /* [vocabulary] scratch of the repetition penalty; NULL: there is no penalty */
    int next;   /* the first prompt that has not begun */
} pb_decoder;

/* The most tokens that may be added to a prompt: max_new, or what the model's positions leave. */
int pb_decoder_limit(const pb_decoder *d, int example);

/* Replaces `text` by the ids of the cached prefix and of the prompt, which repetition is measured against.  Returns the
 * number of ids of the cached prefix. */
int pb_decoder_begin(const pb_decoder *d, int example, pb_ids *text);

/* Replaces the logits x [vocabulary] by log-probabilities, and those of tokens that would repeat an n-gram of `text`
 * (no_repeat_ngram_size) by -infinity. */
void pb_decoder_score(const pb_decoder *d, const pb_ids *text, int vocabulary, pb_real *x);

/* Applies the repetition penalty for the tokens of `text` to x [vocabulary], logits or log-probabilities.  Does nothing
 * if there is no penalty. */
void pb_decoder_penalize(const pb_decoder *d, const pb_ids *text, pb_real *x);

/* The factor that pb_decoder_penalize applies to a token's log-probability: the penalty if `text` contains the token,
 * else 1. */
pb_real pb_decoder_penalty(const pb_decoder *d, const pb_ids *text, int id);

/* Returns true, and sets *why, if a continuation of `count` tokens ends with its last one. */
bool pb_decoder_ends(const pb_decoder *d, int example, const int *added, int count, pb_ending *why);

/* The strategies.  Each continues all prompts; returns -1 with an error. */
int pb_decode_tokens(pb_decoder *d); /* greedy decoding and sampling: decode_token.c */
int pb_decode_beams(pb_decoder *d);  /* beam search: decode_beam.c */

#endif
