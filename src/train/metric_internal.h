/* metric_internal: tokens of texts and counts of their n-grams, for the metrics only.
 *
 * A metric's tokens are called pieces, to keep them apart from the tokens of a model. */
#ifndef PB_METRIC_INTERNAL_H
#define PB_METRIC_INTERNAL_H

#include "base/interner.h"
#include "train/metric.h"

/* The metrics, each defined in its own file. */
extern const pb_text_metric pb_metric_bleu, pb_metric_bleu_e2e, pb_metric_nist, pb_metric_rouge_l, pb_metric_cider,
    pb_metric_chrf, pb_metric_chrf_words, pb_metric_exact_match, pb_metric_answer_match, pb_metric_no_answer,
    pb_metric_distinct_1, pb_metric_distinct_2, pb_metric_slot_error, pb_metric_slot_missing;

/* ---- pieces -------------------------------------------------------------------------------------------- */

/* Words with one space between them, or characters with nothing between them.  Either way, n consecutive pieces are
 * one range of `text`.  Starts as {0}. */
typedef struct pb_pieces {
    pb_text text;
    struct {
        size_t begin, end;
    } * at; /* [count] the range of each piece in `text` */
    int count;
    size_t capacity;
} pb_pieces;

/* Appends a word of n bytes. */
void pb_pieces_add_word(pb_pieces *p, const char *word, size_t n);
/* Appends a character of n bytes. */
void pb_pieces_add_character(pb_pieces *p, const char *character, size_t n);
/* Frees the pieces and leaves them empty. */
void pb_pieces_free(pb_pieces *p);

/* A function that splits a text.  The caller frees the pieces. */
typedef pb_pieces (*pb_cutter)(const char *text);

/* The splits: at white space, as Python's str.split(); into characters, without white space; into the words of
 * mteval-v13a; the same in lower case, where a text without words has one, ""; and into the words of the Penn
 * Treebank, in lower case and without its punctuation. */
pb_pieces pb_cut_blanks(const char *text);
pb_pieces pb_cut_characters(const char *text);
pb_pieces pb_cut_13a(const char *text);
pb_pieces pb_cut_13a_lower(const char *text);
pb_pieces pb_cut_treebank(const char *text);

/* Splits each of `count` texts.  Returns an array [count], which the caller frees with pb_pieces_free_each. */
pb_pieces *pb_cut_each(pb_cutter cut, const char *const *text, int count);
/* Frees an array of pb_cut_each. */
void pb_pieces_free_each(pb_pieces *p, int count);

/* Returns the length in bytes of the white space character at `text`, as Python defines it, or 0 if there is none. */
size_t pb_white_space_length(const char *text);
/* Returns where the text begins without white space at its ends, and sets *n to its size. */
const char *pb_trimmed(const char *text, size_t *n);
/* Returns the text in lower case, converted character by character.  The caller frees it. */
char *pb_lower(const char *text);

/* ---- n-grams ------------------------------------------------------------------------------------------- */

/* Different n-grams, each with a number: its count or a weight.  Starts as {0}. */
typedef struct pb_grams {
    pb_interner which;
    double *number; /* [which.count] */
    size_t capacity;
} pb_grams;

/* Frees the n-grams and leaves them empty. */
void pb_grams_free(pb_grams *g);
/* Returns the number of an n-gram of `size` bytes, which is added as 0 if it is new.  Valid until the next is added. */
double *pb_grams_at(pb_grams *g, const char *gram, size_t size);
/* Returns the number of an n-gram, or 0 if it is not there. */
double pb_grams_get(const pb_grams *g, const char *gram, size_t size);
/* Adds 1 to each of the n-grams of the pieces, for a given n. */
void pb_grams_count(pb_grams *g, const pb_pieces *p, int n);
/* Returns the counts of the n-grams of one text.  The caller frees them, as those of the next function. */
pb_grams pb_grams_of(const pb_pieces *p, int n);
/* Returns for each n-gram the largest of its counts in the texts p [count]. */
pb_grams pb_grams_most(const pb_pieces *p, int count, int n);
/* Returns the sum of the numbers. */
double pb_grams_sum(const pb_grams *g);
/* Returns the sum of the smaller of the two numbers of each n-gram. */
double pb_grams_common(const pb_grams *a, const pb_grams *b);

/* Returns the number of n-grams among `pieces` pieces: pieces - n + 1, but at least 0. */
int pb_rows_of(int pieces, int n);

/* Returns the number of pieces of the text whose length is nearest to `length`; of two, the shorter. */
int pb_nearest_length(const pb_pieces *p, int count, int length);

#endif
