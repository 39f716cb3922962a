/* generation: what a checkpoint's generation_config.json says of how texts go on. */
#ifndef PB_GENERATION_H
#define PB_GENERATION_H

#include "model/decoding.h"

/* Sets in `how` what the folder's generation_config.json sets: do_sample, num_beams, temperature, top_k, top_p,
 * repetition_penalty, length_penalty, no_repeat_ngram_size, max_new_tokens.  As in transformers, a file that draws and
 * says nothing of top_k draws from 50.  Nothing happens where there is no such file.  Returns -1 with an error that
 * names the file and the field: of the wrong type, out of range, or of a setting that is not supported. */
int pb_generation_settings(const pb_model *m, pb_decoding *how);

/* The tokens that end a text: those of generation_config.json where there is one, even if it names none, else those of
 * config.json.  Writes them into end[16], -1 behind the last.  -1 with an error. */
int pb_generation_ends(const pb_model *m, int end[16]);

#endif
