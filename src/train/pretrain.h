/* pretrain: trains a base model on plain text. */
#ifndef PB_PRETRAIN_H
#define PB_PRETRAIN_H

#include "train/collator.h"
#include "train/pretrain_state.h"

/* The section [pretrain] of a pretraining file.  pb_pretrain_table documents each setting. */
typedef struct pb_pretrain_options {
    const char *output, *state; /* folder of the model, file of the checkpoint */
    const char *teacher, *exclude;
    int objective; /* pb_objective */
    int vocabulary, batch, length, seed;
    double tokens;
    double masked_segments, masked, teacher_weight;
    int teacher_layers;
    double lr, warmup, decay, clip, dropout, beta2;
    double save; /* minutes */
    bool equal, bf16;
} pb_pretrain_options;

/* The option table of pb_pretrain_options. */
extern const pb_option pb_pretrain_table[];

/* What a pretraining run has measured. */
typedef struct pb_pretrained {
    pb_pretrain_curve curve;
    int steps;
    uint64_t parameters;  /* without the head */
    double bits_per_byte; /* causal: of all held-out text, the end of a document counted as a byte; else 0 */
    double heldout;       /* nats per target on all held-out text                                          */
    size_t unmatched;     /* texts that teacher and student split into different words                     */
} pb_pretrained;
/* Frees the learning curve. */
void pb_pretrained_free(pb_pretrained *p);

/* Functions that are called during a run; each may be NULL.  share: the fraction of the tokens processed so far. */
typedef struct pb_pretrain_watch {
    void (*step)(void *ctx, double share, double loss);                 /* after each step       */
    void (*point)(void *ctx, const pb_pretrain_point *p, double share); /* after each checkpoint */
    void *ctx;
} pb_pretrain_watch;

/* Trains the network in the folder o->output, which has a config.json (config_writer.h) and a tokenizer.json, on an
 * encoded corpus.  Continues from the checkpoint o->state if it exists.  Every o->save minutes and at the end it
 * writes the checkpoint and the folder's model.safetensors (bf16).  Returns -1 with an error if a file cannot be
 * read or written, or if the run diverges. */
int pb_pretrain(const pb_pretrain_options *o, pb_corpus *c, const pb_pretrain_watch *watch, pb_pretrained *out);

#endif
