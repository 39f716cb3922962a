/* decoding: settings and results of decoding with a causal language model. */
#ifndef PB_DECODING_H
#define PB_DECODING_H

#include "model/model.h"

typedef enum pb_strategy { PB_GREEDY, PB_SAMPLE, PB_BEAM } pb_strategy;

/* [decode] of an experiment file. */
typedef struct pb_decoding {
    int strategy;              /* pb_strategy */
    int max_new;               /* max_new_tokens: the most tokens added to a prompt */
    bool end;                  /* stop at the model's end-of-text tokens */
    double temperature, top_p; /* of sampling */
    int top_k, seed;           /* of sampling; top_k 0 disables it */
    int beams;                 /* num_beams */
    double length_penalty;     /* beam search: scores are divided by length ^ length_penalty */
    int no_repeat;             /* no_repeat_ngram_size; 0 disables it */
    double repetition_penalty; /* > 1 makes tokens that the text contains less likely (Keskar et al. 2019,
                                  arXiv:1909.05858); 1 disables it */
    const char *stop;          /* stop texts, separated by |, such as "\n|Text:"; "" for none */
    int slots;                 /* sequences decoded at the same time */
} pb_decoding;
extern const pb_option pb_decode_table[];

/* Why a continuation ended. */
typedef enum pb_ending {
    PB_BY_END,    /* an end-of-text token, which is in ids */
    PB_BY_STOP,   /* a stop text, which is in ids */
    PB_BY_LENGTH, /* max_new tokens */
    PB_BY_WINDOW, /* the model has no more positions */
    PB_ENDINGS
} pb_ending;
extern const char *const pb_ending_name[PB_ENDINGS];

/* The continuation of one prompt. */
typedef struct pb_continuation {
    pb_ids ids;             /* the added tokens */
    double log_probability; /* of ids given the prompt, under the model at temperature 1 and without penalties */
    pb_ending ending;
} pb_continuation;

#endif
