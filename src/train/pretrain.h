/* pretrain: a base model from text. */
#ifndef PB_PRETRAIN_H
#define PB_PRETRAIN_H

#include "train/collator.h"
#include "train/pretrain_state.h"

/* [pretrain] of a pretraining file. */
typedef struct pb_pretrain_options {
    const char *output; /* the folder to write                                                 */
    const char *state;  /* the checkpoint file                                                 */
    const char *teacher, *exclude;
    int objective; /* pb_objective */
    int vocabulary, batch, length, seed;
    double tokens; /* of all steps                                                        */
    double pieces, masked, teacher_weight;
    int teacher_layers;
    double lr, warmup, decay, clip, dropout, beta2;
    double save; /* minutes between checkpoints                                         */
    bool equal;  /* pieces as long as can be                                            */
    bool bf16;   /* products of rounded operands                                        */
} pb_pretrain_options;
extern const pb_option pb_pretrain_table[];

typedef struct pb_pretrained {
    pb_pretrain_curve curve;
    int steps;
    uint64_t parameters;
    double bits_per_byte; /* causal: of all held-out text, the ends of documents as a byte each; else 0 */
    double heldout;       /* nats a token on all held-out text                                          */
    size_t unmatched;     /* texts whose words the teacher cut in another way                           */
} pb_pretrained;
void pb_pretrained_free(pb_pretrained *p);

typedef struct pb_pretrain_watch {
    void (*step)(void *ctx, double share, double loss);                 /* after each step       */
    void (*point)(void *ctx, const pb_pretrain_point *p, double share); /* after each checkpoint */
    void *ctx;
} pb_pretrain_watch;

/* Trains the network whose folder is o->output (config_writer.h, with a tokenizer.json) on the encoded corpus,
 * from its checkpoint if there is one.  Every o->save minutes, and at the end, the checkpoint and the
 * folder's model.safetensors (bf16) are written.  -1 with an error; a diverged run is one. */
int pb_pretrain(const pb_pretrain_options *o, pb_corpus *c, const pb_pretrain_watch *watch, pb_pretrained *out);

#endif
