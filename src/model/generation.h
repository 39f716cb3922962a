/* generation: what a checkpoint's generation_config.json says about decoding. */
#ifndef PB_GENERATION_H
#define PB_GENERATION_H

#include "model/decoding.h"

/* Copies the settings of the folder's generation_config.json to `how`: do_sample, num_beams, temperature, top_k, top_p,
 * repetition_penalty, length_penalty, no_repeat_ngram_size and max_new_tokens.  As in transformers, top_k is 50 if the
 * file enables sampling and does not set it.  Without such a file `how` is unchanged.  Returns -1 with an error that
 * names the file and the field if a value has the wrong type, is out of range, or is of a setting that is not
 * supported. */
int pb_generation_settings(const pb_model *m, pb_decoding *how);

/* Writes the end-of-text tokens to end[16], with -1 after the last one: those of generation_config.json if the file
 * exists, even if it names none; otherwise those of config.json.  Returns -1 with an error. */
int pb_generation_ends(const pb_model *m, int end[16]);

#endif
