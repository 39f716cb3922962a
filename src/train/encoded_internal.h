/* encoded_internal: what the files of the encoded data set share.  Not for other files. */
#ifndef PB_ENCODED_INTERNAL_H
#define PB_ENCODED_INTERNAL_H

#include "model/chat.h"
#include "train/encoded.h"
#include "train/template.h"

/* The state of pb_encoded_new. */
typedef struct pb_encoder {
    pb_encoded *set;
    const pb_data *data;
    const pb_model *model;
    const pb_tokenizer *tokenizer;
    pb_chat *chat; /* NULL: no chat format */
    bool joined;   /* by head: a pair becomes one text by the template, as the tokenizer has no form for pairs */
    const pb_encoding *conf;
    char *source; /* the template's text, which its pieces point into */
    pb_template template;
    int positions;      /* tokens that the model can read                                      */
    int end;            /* the end token of an answer                                          */
    int limit;          /* tokens of a text that fits behind the template, without examples    */
    int longest_answer; /* tokens of the longest answer or verbalizer                          */
    int answer_room;    /* tokens that are kept free for the answer behind the present input   */
    pb_text front;      /* the few-shot examples, written before every text                    */
    pb_ids empty;       /* the input of an empty text: special tokens, front and template      */
    int *rc;            /* becomes -1 if a text cannot be encoded                              */
} pb_encoder;

/* ---- encoded_input.c */

/* Returns the ids of `size` bytes; with the special tokens of a text if `special`.  The caller frees them. */
pb_ids pb_encoder_ids(const pb_encoder *enc, const char *text, size_t size, bool special);

/* Returns the number of tokens of an example's own texts. */
int pb_encoder_count(const pb_encoder *enc, const pb_example *e);

/* Returns the input of an example without truncation, as far as `extent` says, behind the present front.  The caller
 * frees it. */
pb_ids pb_encoder_part(const pb_encoder *enc, const pb_example *e, pb_template_extent extent);

/* Returns the tokens that an answer adds to the template's middle: " positive" -> [3967].  ends: with the end token.
 * The caller frees them. */
pb_ids pb_encoder_answer(const pb_encoder *enc, const char *answer, bool ends);

/* Returns the input of an example, truncated to what fits, which the caller frees.  Appends the token types of a pair
 * that the tokenizer's file encodes to `type`, unless it is NULL.  Sets *length to the number of tokens of the whole
 * texts, as max_tokens counts them, and *cut if tokens were removed. */
pb_ids pb_encoder_input(const pb_encoder *enc, const pb_example *e, pb_ids *type, int *length, bool *cut);

/* ---- encoded_shots.c */

/* Sets the front to the template's head and the first n shots. */
void pb_encoder_front(pb_encoder *enc, const int *shot, int n);

/* Draws the shots, and sets the front to as many of them as fit behind inputs of at most `longest` tokens. */
void pb_encoder_shots(pb_encoder *enc, int longest);

/* ---- encoded_choices.c */

/* Returns whether a head reads pairs of texts. */
bool pb_encoder_reads_pairs(const pb_encoder *enc);

/* By head: sets the inputs of question i of a split, a pair for each choice.  Returns true if one was cut. */
bool pb_encoder_pairs(const pb_encoder *enc, pb_split s, int i);

/* By verbalizer: sets the tokens of all choices of the split, and longest_answer to at least those of the longest. */
void pb_encoder_choices(pb_encoder *enc, pb_split s);

/* ---- encoded_chat.c */

/* Encodes the conversations of all splits.  Returns -1 with an error. */
int pb_encoder_conversations(pb_encoder *enc);

/* ---- encoded_words.c */

/* By head, of tags: sets example i of a split to the input of its sentence.  Returns true if words were cut. */
bool pb_encoder_sentence(const pb_encoder *enc, pb_split s, int i);

#endif
