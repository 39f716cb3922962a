/* decoding: see decoding.h. */
#include "model/decoding.h"

const char *const pb_ending_name[PB_ENDINGS] = {"end", "stop", "length", "window"};

const pb_option pb_decode_table[] = {
    PB_OPTION(pb_decoding, strategy, CHOICE, "greedy", "greedy|sample|beam",
              "greedy decoding, sampling, or beam search"),
    PB_OPTION(pb_decoding, max_new, INT, "64", 1, 1000000, "maximum number of generated tokens"),
    PB_OPTION(pb_decoding, end, BOOL, "yes", "stop at an end-of-text token of the model"),
    PB_OPTION(pb_decoding, temperature, REAL, "1", 0.001, 1000, "sample: temperature, by which the logits are divided"),
    PB_OPTION(pb_decoding, top_k, INT, "0", 0, 10000000, "sample: from the k most likely tokens; 0: from all"),
    PB_OPTION(pb_decoding, top_p, REAL, "1", 0, 1,
              "sample: from the fewest tokens whose probabilities sum to this (nucleus sampling)"),
    PB_OPTION(pb_decoding, seed, INT, "0", 0, 1e9, "sample: the seed of the random draws"),
    PB_OPTION(pb_decoding, beams, INT, "4", 1, 64, "beam: number of beams"),
    PB_OPTION(pb_decoding, length_penalty, REAL, "1", -10, 10,
              "beam: log-probabilities are divided by length to this power"),
    PB_OPTION(pb_decoding, no_repeat, INT, "0", 0, 1000,
              "no_repeat_ngram_size: no n-gram of this length occurs twice in prompt and continuation; 0 disables it"),
    PB_OPTION(pb_decoding, repetition_penalty, REAL, "1", 0.01, 100,
              "divide the logits of tokens in prompt and continuation by this (multiply negative ones); 1 disables it"),
    PB_OPTION(pb_decoding, stop, TEXT, "",
              "texts that end a continuation, separated by |; \\n, \\t, \\| and \\\\ are escape sequences"),
    PB_OPTION(pb_decoding, slots, INT, "8", 1, 4096, "sequences decoded at the same time; each beam counts"),
    {0},
};
