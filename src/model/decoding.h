/* decoding: how a causal model continues texts, and what a continuation consists of. */
#ifndef PB_DECODING_H
#define PB_DECODING_H

#include "model/model.h"

typedef enum pb_strategy { PB_GREEDY, PB_SAMPLE, PB_BEAM } pb_strategy;

/* [decode] of an experiment file. */
typedef struct pb_decoding {
    int strategy; /* pb_strategy                                                      */
    int max_new;  /* tokens added at most                                             */
    bool end;     /* the token that ends a text in this model ends it here            */
    double temperature, top_p;
    int top_k, seed;
    int beams;
    double length_penalty;
    int no_repeat;             /* no so many tokens in a row occur twice in a text; 0: they may    */
    double repetition_penalty; /* > 1: tokens that are in the text so far become less likely, as in transformers */
    const char *stop;          /* texts that end a continuation, "\n|Text:", or ""                 */
    int slots;                 /* texts that run side by side                                      */
} pb_decoding;
extern const pb_option pb_decode_table[];

typedef enum pb_ending {
    PB_BY_END,    /* the model's own token, which is in ids */
    PB_BY_STOP,   /* a stop text, which is in ids           */
    PB_BY_LENGTH, /* max_new                                */
    PB_BY_WINDOW, /* the model has no more positions        */
    PB_ENDINGS
} pb_ending;
extern const char *const pb_ending_name[PB_ENDINGS];

typedef struct pb_continuation {
    pb_ids ids;             /* what was added                                                 */
    double log_probability; /* sum over ids, under the model itself: of temperature 1         */
    pb_ending ending;
} pb_continuation;

#endif
