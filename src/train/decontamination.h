/* decontamination: does a text share eight words in a row with texts it must not share?
 *
 * What a model is pretrained on must not hold what it is tested on.  Words are runs of letters
 * and digits in lower case; all else only parts them.  Contractions are split as the Penn
 * Treebank splits them (don't = do + n't, it's = it + 's) and its brackets (-lrb-) are left
 * out, so that data that was tokenised that way is found in ordinary text. */
#ifndef PB_DECONTAMINATION_H
#define PB_DECONTAMINATION_H

#include "base/base.h"

enum { PB_DECONTAMINATION_GRAM = 8, PB_DECONTAMINATION_SHORTEST = 5 };

/* A set of 64-bit hashes of word sequences: what one in 2^64 / (grams) comparisons gets wrong. */
typedef struct pb_decontamination pb_decontamination;

pb_decontamination *pb_decontamination_new(void);
void pb_decontamination_free(pb_decontamination *o);

/* Adds every 8 words in a row of an excluded text.  A text of 5 to 7 words is added whole; one
 * of fewer says nothing about where it came from and is left out. */
void pb_decontamination_add(pb_decontamination *o, const char *text);

/* Adds the texts of a data file: each line, or what tabs and `||` part in it, without a first
 * word that is a number (a label).  -1 with "PATH: cannot read: reason". */
int pb_decontamination_add_file(pb_decontamination *o, const char *path);

/* Is anything that was added in this text?  Reads only: threads may ask at once. */
bool pb_decontamination_hits(const pb_decontamination *o, const char *text);

/* Different word sequences in the set. */
size_t pb_decontamination_count(const pb_decontamination *o);

#endif
