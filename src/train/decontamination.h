/* decontamination: finds texts that share eight consecutive words with texts they must not share.
 *
 * The data that a model is pretrained on must not contain the data that it is tested on.  A word is a run of letters
 * and digits in lower case; everything else separates words.  Contractions are split as in the Penn Treebank (don't
 * = do + n't, it's = it + 's) and its brackets (-lrb-) are ignored, so that tokenized data is found in ordinary
 * text. */
#ifndef PB_DECONTAMINATION_H
#define PB_DECONTAMINATION_H

#include "base/base.h"

/* The length of the word sequences, and of the shortest excluded text, in words. */
enum { PB_DECONTAMINATION_GRAM = 8, PB_DECONTAMINATION_SHORTEST = 5 };

/* A set of 64-bit hashes of word sequences.  A comparison is wrong with a probability of (sequences) / 2^64. */
typedef struct pb_decontamination pb_decontamination;

/* Returns an empty set.  The caller frees it with pb_decontamination_free. */
pb_decontamination *pb_decontamination_new(void);
/* Frees the set.  NULL is allowed. */
void pb_decontamination_free(pb_decontamination *o);

/* Adds every eight consecutive words of an excluded text.  A text of five to seven words is added as a whole.  A
 * shorter text is ignored, because it could occur anywhere. */
void pb_decontamination_add(pb_decontamination *o, const char *text);

/* Adds the texts of a data file: the fields of each line, which tabs and `||` separate, without a number as the first
 * word, which is a label.  Returns -1 with an error if the file cannot be read. */
int pb_decontamination_add_file(pb_decontamination *o, const char *path);

/* Returns true if the text contains a word sequence of the set.  Threads may call it at the same time. */
bool pb_decontamination_hits(const pb_decontamination *o, const char *text);

/* Returns the number of different word sequences in the set. */
size_t pb_decontamination_count(const pb_decontamination *o);

#endif
