/* decoding: see decoding.h. */
#include "model/decoding.h"

const char *const pb_ending_name[PB_ENDINGS] = {"end", "stop", "length", "window"};

const pb_option pb_decode_table[] = {
    PB_OPTION(pb_decoding, strategy, CHOICE, "greedy", "greedy|sample|beam",
              "the likeliest token; one drawn by its probability; the likeliest text that a beam search finds"),
    PB_OPTION(pb_decoding, max_new, INT, "64", 1, 1000000, "tokens added at most"),
    PB_OPTION(pb_decoding, end, BOOL, "yes", "stop at the model's own token for the end"),
    PB_OPTION(pb_decoding, temperature, REAL, "1", 0.001, 1000, "sample: what logits are divided by"),
    PB_OPTION(pb_decoding, top_k, INT, "0", 0, 10000000, "sample: among the k likeliest tokens; 0: all"),
    PB_OPTION(pb_decoding, top_p, REAL, "1", 0, 1,
              "sample: among the fewest tokens that have this much of the probability"),
    PB_OPTION(pb_decoding, seed, INT, "0", 0, 1e9, "sample: of the draws"),
    PB_OPTION(pb_decoding, beams, INT, "4", 1, 64, "beam: texts kept"),
    PB_OPTION(pb_decoding, length_penalty, REAL, "1", -10, 10,
              "beam: log-probabilities are divided by length to this power"),
    PB_OPTION(pb_decoding, no_repeat, INT, "0", 0, 1000,
              "no so many tokens in a row occur twice in prompt and continuation; 0: they may"),
    PB_OPTION(pb_decoding, repetition_penalty, REAL, "1", 0.01, 100,
              "what logits of tokens in prompt and continuation are divided by (negative ones: multiplied)"),
    PB_OPTION(pb_decoding, stop, TEXT, "",
              "texts that end a continuation, one | between two; \\n, \\t, \\| and \\\\ are read as in C"),
    PB_OPTION(pb_decoding, slots, INT, "8", 1, 4096, "texts that run side by side; beams count"),
    {0},
};
