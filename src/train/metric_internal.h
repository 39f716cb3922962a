/* metric_internal: texts cut into pieces, and how often pieces stand in a row.  For metric*.c alone. */
#ifndef PB_METRIC_INTERNAL_H
#define PB_METRIC_INTERNAL_H

#include "base/interner.h"
#include "train/metric.h"

extern const pb_text_metric pb_metric_bleu, pb_metric_bleu_e2e, pb_metric_nist, pb_metric_rouge_l, pb_metric_cider,
    pb_metric_chrf, pb_metric_chrf_words, pb_metric_exact_match, pb_metric_distinct_1, pb_metric_distinct_2,
    pb_metric_slot_error, pb_metric_slot_missing;

/* ---- pieces -------------------------------------------------------------------------------------------- */

/* Words with one blank between them, or characters with nothing: either way n of them in a row are one
 * stretch of `text`.  Starts as {0}. */
typedef struct pb_pieces {
    pb_text text;
    struct pb_span {
        size_t begin, end;
    } * at;
    int count;
    size_t capacity;
} pb_pieces;

void pb_pieces_add_word(pb_pieces *p, const char *word, size_t n);
void pb_pieces_add_character(pb_pieces *p, const char *character, size_t n);
void pb_pieces_free(pb_pieces *p); /* leaves an empty one */

/* Cuts a text; caller frees the pieces. */
typedef pb_pieces (*pb_cutter)(const char *text);

pb_pieces pb_cut_blanks(const char *text);     /* at white space, as Python's str.split()                      */
pb_pieces pb_cut_characters(const char *text); /* into characters, white space left out                        */
pb_pieces pb_cut_13a(const char *text);        /* mteval-v13a's words                                          */
pb_pieces pb_cut_13a_lower(const char *text);  /* the same in lower case; a text without a word is one, ""     */
pb_pieces pb_cut_treebank(const char *text);   /* Penn Treebank's words in lower case, without its punctuation */

/* Cuts `count` texts: an array [count]; freed, with what is in it, by the other. */
pb_pieces *pb_cut_each(pb_cutter cut, const char *const *text, int count);
void pb_pieces_free_each(pb_pieces *p, int count);

/* The length of white space at `text`, as Python takes it; 0 if there is none. */
size_t pb_white_space_length(const char *text);
/* The text without white space at its ends: where it begins, and its size. */
const char *pb_trimmed(const char *text, size_t *n);
/* In lower case, character by character.  Caller frees. */
char *pb_lower(const char *text);

/* ---- grams --------------------------------------------------------------------------------------------- */

/* Different stretches of pieces, each with a number: how often it is there, or a weight.  Starts as {0}. */
typedef struct pb_grams {
    pb_interner which;
    double *number; /* [which.count] */
    size_t capacity;
} pb_grams;

void pb_grams_free(pb_grams *g);
/* The number of a stretch, added as 0 if it is new; valid until the next is added. */
double *pb_grams_at(pb_grams *g, const char *gram, size_t size);
double pb_grams_get(const pb_grams *g, const char *gram, size_t size); /* 0 if it is not there */
void pb_grams_count(pb_grams *g, const pb_pieces *p, int n);           /* adds 1 for each n in a row     */
pb_grams pb_grams_of(const pb_pieces *p, int n);                       /* of one text                    */
pb_grams pb_grams_most(const pb_pieces *p, int count, int n);          /* the most that one text has     */
double pb_grams_sum(const pb_grams *g);
double pb_grams_common(const pb_grams *a, const pb_grams *b); /* the sum of the lesser numbers  */

/* n in a row among `pieces`: pieces - n + 1, at least 0. */
int pb_rows_of(int pieces, int n);

/* The number of pieces of the text that is nearest in length, the shorter of two. */
int pb_nearest_length(const pb_pieces *p, int count, int length);

#endif
