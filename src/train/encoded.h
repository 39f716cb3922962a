/* encoded: the examples of a task, tokenized for one model, and how the model's outputs become answers.
 *
 * There are three answer modes.  By head: the model reads the text and a classification head gives one logit for each
 * class.  By verbalizer: a template (template.h) presents the text to a decoder, and the predicted class is the one
 * whose verbalizer, a word or a few tokens, has the highest log-probability (Schick and Schütze 2021, PET).  By
 * generation: the decoder continues the text, and the continuation is the answer.
 *
 * Of a question with choices, a head reads a pair of texts for each choice, the question and the choice, and gives each
 * pair one score.  By verbalizer, the template presents the question, and the score of a choice is its log-likelihood
 * as the continuation.
 *
 * The tokens that all inputs of a decoder begin with form a shared prefix.  It is stored once, and the model can keep
 * its keys and values (prefix caching). */
#ifndef PB_ENCODED_H
#define PB_ENCODED_H

#include "model/decode.h"
#include "train/task.h"

typedef enum pb_answer_mode { PB_BY_HEAD, PB_BY_VERBALIZER, PB_BY_GENERATION } pb_answer_mode;

enum { PB_CONTENT_FREE = 3 }; /* number of content-free inputs, which calibration uses */

/* The unit of training: an example, or, by generation, one of the reference answers of an example. */
typedef struct pb_item {
    int example, answer;
} pb_item;

typedef struct pb_encoded {
    const pb_data *data;
    pb_data *part; /* the same, if it has some of the training examples only (pb_data_part) */
    pb_answer_mode mode;
    pb_ids prefix;                        /* the shared prefix; empty by head                            */
    bool prefix_cached;                   /* The model holds the prefix, so batches do not contain it.   */
    pb_ids *text[PB_SPLITS];              /* [inputs] the inputs without the shared prefix: one for each example, or,
                                             by head, one for each choice of each question               */
    pb_ids *type[PB_SPLITS];              /* [inputs] token types of pairs, by head; NULL: all 0         */
    int *length[PB_SPLITS];               /* [examples] tokens of a whole text, as max_tokens counts them; of a
                                             question by head those of the longest pair                  */
    int *first[PB_SPLITS];                /* [examples+1] of questions: the number of the first choice of each among
                                             all choices of the split; else NULL                         */
    pb_ids *choice[PB_SPLITS];            /* [choices] of questions by verbalizer: the tokens of each; else NULL */
    int cut[PB_SPLITS];                   /* texts that were truncated                                   */
    pb_item *item[PB_SPLITS];             /* [items]                                                     */
    int items[PB_SPLITS];                 /* items in each split                                         */
    pb_ids *answer[PB_SPLITS];            /* by generation: [items] answers, each with its end token     */
    pb_ids *verbalizer;                   /* by verbalizer: [classes]; NULL if the answers are choices   */
    bool single_token;                    /* Every verbalizer is one token.                              */
    bool normalize, calibrate;            /* as in pb_prompting                                          */
    pb_ids content_free[PB_CONTENT_FREE]; /* inputs without content, without the shared prefix           */
    pb_ids *said[PB_SPLITS];              /* [examples] of conversations: 1 for tokens of the input that the
                                             assistant says, which are trained too; else NULL            */
    const pb_decoding *decoding;          /* the generation settings of pb_encoding                      */
    pb_decoding *stopping;                /* of conversations: these with the end of a turn as a stop text; else NULL */
    char *stop;                           /* its stop texts                                              */
    int shots, shots_dropped;             /* few-shot examples shown, and those that did not fit         */
    double extra_tokens;                  /* tokens an input has beyond its text, mean over validation   */
    pb_ids *target[PB_SPLITS]; /* of tags: [examples] the class of each token, -1 for those whose class is not read   */
    pb_ids *scored[PB_SPLITS]; /* of tags: [examples] the words of the tokens whose class is read, ascending          */
    int lost[PB_SPLITS];       /* of tags: words without such a token, since they are cut or have no token; their tag
                                  is predicted as O */
    int *handles;              /* how many pb_encoded share the examples                      */
} pb_encoded;

typedef struct pb_encoding {
    const pb_prompting *prompting; /* The task's template presents texts to a decoder if this is NULL.            */
    int max_tokens;                /* Longer texts are truncated to this many tokens; see pb_encoded_new.         */
    const pb_decoding *decoding;   /* by generation: the settings; must outlive the encoded data set              */
    uint64_t seed;                 /* seed of the selection of few-shot examples and of training examples         */
    int examples;                  /* number of training examples that are used; 0: all                           */
} pb_encoding;

/* Returns the answer mode of a task whose answers are texts (`texts`) or classes, for methods with this prompting,
 * which may be NULL. */
pb_answer_mode pb_answer_mode_of(bool texts, const pb_prompting *prompting);

/* Returns what the outputs of a head mean for answers of this kind. */
pb_problem pb_problem_of(pb_answer_kind answers);

/* Returns -1 with an error if a classification head of the model cannot read the data's texts: pairs, for an encoder
 * whose tokenizer has no form for them. */
int pb_encoded_check(const pb_data *d, const pb_model *m);

/* Returns -1 with an error if methods with this prompting, which is NULL for a head, do not go with the data: a
 * verbalizer's loss has no weights of classes and no smoothed labels, and `calibrate` is for classes, not for
 * choices. */
int pb_encoded_check_prompting(const pb_data *d, const pb_prompting *p);

/* Sets ids to those of a pair of texts and type to their token types, none if the model has none, as pb_encoded_new
 * does by head; limit 0: without truncation.  The caller frees both.  The model must have a tokenizer.  Returns -1 with
 * an error as pb_encoded_new and pb_encoded_check do. */
int pb_encoded_pair(const pb_model *m, const char *first, const char *second, int limit, pb_ids *ids, pb_ids *type);

/* Sets ids to those of a sentence of words, each encoded by itself (pb_tokenizer_encode_split), and `of` to the word
 * whose class the model gives at each token, -1 for the others: that of an encoder at the first token of a word, that
 * of a decoder, which does not see what follows, at the last.  If there are more than `limit` tokens, words are left
 * out from the end, whole; 0: without a limit.  *length becomes the number of tokens without a limit.  The caller frees
 * both lists.  The model must have a tokenizer.  Returns -1 with an error as pb_tokenizer_encode does. */
int pb_encoded_words(const pb_model *m, const char *const *word, int words, int limit, pb_ids *ids, pb_ids *of,
                     int *length);

/* Encodes every example of the data for model `m`.  A text that is too long is truncated: tokens are removed from
 * its end, and the special tokens, the few-shot examples and the template stay whole.  By head, max_tokens counts
 * the special tokens, as in Hugging Face's tokenizers with truncation=True; with a template it counts the text's own
 * tokens.  An input also leaves room in the model's context for the longest answer.  Training examples whose texts
 * would be truncated are not selected as few-shot examples.
 *
 * Of a pair of texts, the longer one loses tokens first (pb_longest_first).  By head, a pair is encoded as the
 * tokenizer's file says, with token types if the model has some.  If the file does not say how, an encoder is refused,
 * and a decoder reads both texts with a new line between them.
 *
 * A conversation is presented by its chat template (model/chat.h).  max_tokens counts all tokens of its prompt; a
 * longer one loses its oldest turns, up to the next message of the user, until it fits.  The system message stays, and
 * a conversation whose last message does not fit is refused.  All that the assistant says is trained; the loss and the
 * predictions of validation and test are of the last answer.
 *
 * The caller frees the result with pb_encoded_free; `d` must outlive it.  Returns NULL with an error if the model has
 * no tokenizer, the template is invalid, or the model's context is too short for one example. */
pb_encoded *pb_encoded_new(const pb_data *d, const pb_model *m, const pb_encoding *c);

/* Returns a data set in which every input has `tokens` ids, all 0.  It suffices for planning, which depends on
 * lengths only.  The caller frees it with pb_encoded_free. */
pb_encoded *pb_encoded_uniform(const pb_data *d, pb_answer_mode mode, int tokens);

/* Returns a second handle to the same examples, so that they are encoded once for several models that read them
 * alike.  Only `prefix_cached` belongs to the handle; the new one has it false.  The caller frees it with
 * pb_encoded_free. */
pb_encoded *pb_encoded_share(pb_encoded *set);

/* Frees the handle, and the examples with the last handle.  NULL is allowed. */
void pb_encoded_free(pb_encoded *set);

/* Lets the model cache the keys and values of the shared prefix; batches made afterwards do not contain the prefix.
 * Does nothing if there is no prefix or it is cached already.  Returns -1 with an error if the model cannot cache
 * it. */
int pb_encoded_cache_prefix(pb_encoded *set, pb_model *m);

/* Returns the number of tokens that the model reads for an item in training, including the prefix unless it is
 * cached. */
int pb_encoded_tokens(const pb_encoded *set, pb_split split, int item);

/* Returns the number of the first input of an example; behind the last example, the number of inputs. */
int pb_encoded_first(const pb_encoded *set, pb_split split, int example);

/* Returns the input ids of an example: the prefix, unless it is cached, and the text; of a question by head, those of
 * the pair with the right choice.  The caller frees them. */
pb_ids pb_encoded_input(const pb_encoded *set, pb_split split, int example);

/* Returns the batch of n items of a split, allocated in `arena`.  With targets, the batch contains what the model is
 * trained to predict.  Without targets, a batch by verbalizer asks for every class of each item (pb_encoded_scores
 * reads the logits), and a batch by generation still has the reference answers as targets, for the loss. */
pb_batch pb_encoded_batch(const pb_encoded *set, pb_arena *arena, pb_split split, const int *item, int n,
                          bool with_targets);

/* Returns the batch of the content-free inputs, allocated in `arena`.  By verbalizer only. */
pb_batch pb_encoded_content_free(const pb_encoded *set, pb_arena *arena);

/* Returns log P(id) under one row of logits, in nats. */
double pb_log_probability(const pb_node *logits, int row, int id);

/* By verbalizer: fills score [n,classes] with the log-probability, in nats, of each class's verbalizer after each of
 * the n texts of a batch.  With `normalize` it is divided by the number of the verbalizer's tokens. */
void pb_encoded_scores(const pb_encoded *set, const pb_node *logits, int n, double *score);

/* Of questions: fills score with a score for each choice of n items, one item after the other, from the logits of their
 * batch without targets: those of the head, or the log-likelihoods of the choices in nats. */
void pb_encoded_choice_scores(const pb_encoded *set, const pb_node *logits, pb_split split, const int *item, int n,
                              double *score);

#endif
