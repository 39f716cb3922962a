/* encoded: a task's examples as one model reads them, and how its answers are read.
 *
 * By its head: a text's tokens go in, the classes' logits come out.  In words: a template (template.h)
 * puts the text to a decoder, and the class is the one whose word it finds likeliest.  As text: the
 * decoder goes on until the text ends. */
#ifndef PB_ENCODED_H
#define PB_ENCODED_H

#include "model/decode.h"
#include "train/task.h"

typedef enum pb_reading { PB_BY_HEAD, PB_BY_WORDS, PB_BY_TEXT } pb_reading;

enum { PB_CONTENT_FREE = 3 }; /* texts without content, to calibrate by */

/* What is learned from or asked for at once: an example, or one of the answers to it. */
typedef struct pb_item {
    int example, answer;
} pb_item;

typedef struct pb_encoded {
    const pb_data *data;
    pb_reading reading;
    pb_ids prompt;            /* in front of every text; empty: nothing           */
    bool held;                /* the model holds the prompt: it is not in batches */
    pb_ids *text[PB_SPLITS];  /* [examples], without the prompt                   */
    pb_item *item[PB_SPLITS]; /* [items]                                          */
    int items[PB_SPLITS];
    pb_ids *answer[PB_SPLITS];     /* as text: [items], with the token that ends a text */
    pb_ids *word;                  /* in words: [classes]                              */
    bool single;                   /* each of them is one token                        */
    bool normalize, calibrate;     /* see pb_prompting                                 */
    pb_ids blank[PB_CONTENT_FREE]; /* without the prompt                               */
    const pb_decoding *decoding;   /* of pb_encoding                                */
    int shots, dropped;            /* examples shown in front; for which there was no room */
    double extra;                  /* tokens an example reads besides its text, mean over validation */
} pb_encoded;

typedef struct pb_encoding {
    const pb_prompting *prompting; /* NULL: none; a decoder's texts are written by the task's template */
    int max_tokens;                /* longer texts are cut                                             */
    const pb_decoding *decoding;   /* as text: how answers are generated; outlives the form            */
    uint64_t seed;                 /* of the examples that are shown                                   */
} pb_encoding;

/* How a row with these methods reads a task whose answers are `texts` or classes. */
pb_reading pb_encoded_reading(bool texts, const pb_prompting *prompting);

/* Writes and tokenizes every example for this model.  NULL with an error: a template that cannot be
 * used, a context too short for one example. */
pb_encoded *pb_encoded_new(const pb_data *d, const pb_model *m, const pb_tokenizer *t, const pb_encoding *c);
/* Examples of `tokens` ids each, enough for plans: those know lengths, not words. */
pb_encoded *pb_encoded_even(const pb_data *d, pb_reading reading, int tokens);
/* Gives the prompt to the model to hold: batches are without it from now on.  -1 with an error. */
int pb_encoded_cache_prefix(pb_encoded *f, pb_model *m);
void pb_encoded_free(pb_encoded *f); /* NULL is fine */

/* Tokens that the model reads for an item, the prompt included. */
int pb_encoded_tokens(const pb_encoded *f, pb_split split, int item);

/* What an example is answered behind: the prompt, unless the model holds it, and the text; caller frees. */
pb_ids pb_encoded_input(const pb_encoded *f, pb_split split, int example);

/* The batch of n items of a split, in memory of `arena`.  taught: with what is to be learned.  Else, in
 * words, it asks for every class of each item (pb_encoded_scores reads the answer); as text, for the loss. */
pb_batch pb_encoded_batch(const pb_encoded *f, pb_arena *arena, pb_split split, const int *item, int n, bool taught);

/* The same of the blanks, in words. */
pb_batch pb_encoded_content_free(const pb_encoded *f, pb_arena *arena);

/* log P(id) by one row of logits, in nats. */
double pb_log_probability(const pb_node *logits, int row, int id);

/* In words: log-probability of class c's word behind text i of a batch of n, by its logits; divided by the
 * word's tokens where normalised.  score [n,classes]. */
void pb_encoded_scores(const pb_encoded *f, const pb_node *logits, int n, double *score);

#endif
