/* retention: what a model has kept of its base, measured on text that is not the task's.
 *
 * The text is a file with a text on each line.  A decoder reads it as lm-evaluation-harness does for rolling
 * log-likelihoods: in windows of `tokens` tokens, so that every token of a text is predicted once, the first one after
 * the token that begins a text.  An encoder reads disjoint pieces, each with the tokenizer's special tokens, and
 * predicts every seventh token, from the fourth on, which is replaced by the mask token. */
#ifndef PB_RETENTION_H
#define PB_RETENTION_H

#include "base/option.h"
#include "model/model.h"

/* [retention] of an experiment's file. */
typedef struct pb_retention_options {
    const char *text; /* a file, see pb_data_find; "": nothing is measured */
    int limit;        /* texts that are used, the first ones; 0: all */
    int tokens;       /* of a window, special tokens included */
} pb_retention_options;
extern const pb_option pb_retention_table[];

/* The texts of such a file. */
typedef struct pb_retention_text {
    char *path;
    char *content;
    const char **text; /* [texts] lines of `content` */
    int texts, tokens; /* tokens: as in the options */
    char *identity;    /* "SHA-256 of the file, texts=N, tokens=N": what measured values belong to */
} pb_retention_text;

/* Reads a file.  Lines without text are left out.  The caller frees the result with pb_retention_text_free.  Returns
 * NULL with "FILE:LINE: what is wrong" if the file cannot be read, has a line that is not UTF-8, or has no text. */
pb_retention_text *pb_retention_text_read(const char *path, const pb_retention_options *o);
void pb_retention_text_free(pb_retention_text *t); /* NULL is allowed */

/* What was measured. */
typedef struct pb_retention {
    double loss[2]; /* of the base and of the tuned model: of a decoder, bits for each byte of the texts; of an encoder,
                       bits for each masked token; NaN without a language modelling head */
    double drift;   /* mean over the predicted tokens of KL(base || tuned) of the predicted distributions, in nats; NaN
                       without such a head */
    double cka;     /* linear CKA (pb_linear_cka) of the last hidden states of both models at the predicted tokens of a
                       decoder, at all tokens of the text of an encoder; NaN if it was not asked for */
} pb_retention;

/* Runs both models over the texts.  They are models of one checkpoint with its own head, or without a head if it has
 * none of a language model.  Without `states` the CKA is not computed.  Returns -1 with an error if a text cannot be
 * read, if a window does not fit into a model's context, if a decoder has no token that begins a text, or if an output
 * is not finite. */
int pb_retention_measure(pb_model *base, pb_model *tuned, const pb_retention_text *t, bool states, pb_retention *out);

#endif
