/* decode: texts that a causal model goes on with. */
#ifndef PB_DECODE_H
#define PB_DECODE_H

#include "model/decoding.h"

/* Goes on with n prompts, each at least one id.  out[i] belongs to prompt[i] whatever order they ran in: a text
 * that ends makes room for the next prompt at once.  What is drawn for a prompt depends on the seed and its number
 * only.  Of equals the lowest id is taken.  Beam search is that of transformers' generate (early_stopping False,
 * one text returned).  The caller frees out[i].ids; -1 with an error, and nothing to free: a prompt that leaves no
 * room, an id that the model does not have, not a causal language model, stop texts without a tokenizer. */
int pb_decode(pb_model *m, const pb_decoding *how, int n, const pb_ids *prompt, pb_continuation *out);

/* Appends a continuation's text, without special tokens and what begins with a stop text.  The model has a
 * tokenizer. */
void pb_continuation_text(const pb_model *m, const pb_decoding *how, const pb_continuation *c, pb_text *out);

#endif
