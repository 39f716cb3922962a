/* decode: continuations of texts by a causal language model. */
#ifndef PB_DECODE_H
#define PB_DECODE_H

#include "model/decoding.h"

/* Continues n prompts of at least one id each.  out[i] belongs to prompt[i] in whatever order they run: a finished
 * sequence frees its slot for the next prompt.  The random draws of a prompt depend on the seed and the prompt's index
 * only.  Among equal logits the lowest id is chosen.  Beam search is that of transformers' generate with
 * early_stopping=False and num_return_sequences=1.  The caller frees out[i].ids.  Returns -1 with an error, and nothing
 * to free, if a prompt is too long to be continued, an id is outside the vocabulary, the model is not a causal language
 * model, or there are stop texts and no tokenizer. */
int pb_decode(pb_model *m, const pb_decoding *how, int n, const pb_ids *prompt, pb_continuation *out);

/* Appends the text of a continuation to `out`, without special tokens, and up to the first stop text if it ended by
 * one. The model must have a tokenizer. */
void pb_continuation_text(const pb_model *m, const pb_decoding *how, const pb_continuation *c, pb_text *out);

#endif
