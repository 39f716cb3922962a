/* profile: what the examples of a task are like, before anything is trained on them: how many each class has, which
 * texts occur more than once, how the numbers to predict are spread, and how long texts are.  A pair of texts counts as
 * one text. */
#ifndef PB_PROFILE_H
#define PB_PROFILE_H

#include "train/task.h"

/* An example of the data. */
typedef struct pb_place {
    pb_split split;
    int example;
} pb_place;

enum { PB_PLACES_SHOWN = 3 };

/* Examples whose texts occur more than once, of one sort. */
typedef struct pb_repeats {
    int examples[PB_SPLITS];
    int texts;                          /* different texts of these examples         */
    pb_place shown[PB_PLACES_SHOWN][2]; /* two examples of each of the first `count` */
    int count;
} pb_repeats;

/* Statistics of the targets of a split, which are numbers. */
typedef enum pb_target_stat {
    PB_TARGET_MIN,
    PB_TARGET_P5, /* A quantile is the smallest target that at least this share of the targets does not exceed. */
    PB_TARGET_MEDIAN,
    PB_TARGET_P95,
    PB_TARGET_MAX,
    PB_TARGET_MEAN,
    PB_TARGET_DEVIATION, /* sqrt(sum (x - mean)^2 / n): the rmse of the mean as a prediction */
    PB_TARGET_STATS
} pb_target_stat;

typedef struct pb_targets {
    int count; /* of targets; 0: no examples, or the answers are no numbers, and then there are no statistics */
    double stat[PB_TARGET_STATS];
} pb_targets;

/* What pb_profile_of counts.  The examples of a text are ordered by split and position. */
typedef struct pb_profile {
    int *of_class[PB_SPLITS];     /* [classes] examples of each class                                      */
    pb_targets target[PB_SPLITS]; /* of each split */
    int *of_count[PB_SPLITS]; /* [classes+1] examples with so many labels, if the answers are sets of labels, or with so
                                 many choices; or NULL */
    pb_repeats within;        /* examples whose text an earlier one of their split has                 */
    pb_repeats across;        /* examples whose text another split has, too                            */
    int later[PB_SPLITS];     /* of these, those whose text a later split has: overlap = drop removes them */
    pb_repeats conflicts;     /* examples whose text has several labels, or several targets           */
} pb_profile;

/* Counts the examples of the data.  The caller frees the result with pb_profile_free. */
pb_profile pb_profile_of(const pb_data *d);
void pb_profile_free(pb_profile *p);

/* ---- lengths ------------------------------------------------------------------------------------------------ */

/* Lengths of texts, in tokens or in words. */
typedef struct pb_lengths {
    int count;
    int *sorted;   /* [count] ascending                                          */
    int *position; /* [count] the number that each of them had before, ascending among equals */
} pb_lengths;

/* Sorts `count` lengths.  The caller frees the result with pb_lengths_free. */
pb_lengths pb_lengths_of(int count, const int *length);
void pb_lengths_free(pb_lengths *l);

/* Returns the rank, from 0, of the smallest length that at least this share of the lengths does not exceed; share 0
 * stands for the shortest.  There must be a length. */
int pb_lengths_rank(const pb_lengths *l, double share);

/* Returns the number of words of a text, which white space separates. */
int pb_count_words(const char *text);

enum { PB_MOST_BINS = 12 };

/* How many lengths are in from + i * width .. from + (i + 1) * width - 1; the last bin has all that are longer, too. */
typedef struct pb_histogram {
    int from, width, bins;
    int count[PB_MOST_BINS];
} pb_histogram;

/* Returns a histogram whose bins have a width of 1, 2 or 5 times a power of ten, chosen so that the shortest 95 % of
 * the lengths are in front of the last bin.  There must be a length. */
pb_histogram pb_histogram_of(const pb_lengths *l);

#endif
