/* scores: the primary metric by seed and example, as stored in a database. */
#ifndef PB_SCORES_H
#define PB_SCORES_H

#include "stats/stats.h"
#include "results/store.h"
#include "train/metric.h"

/* Statistics x [seeds, examples, stats].  pb_scores_value computes the metric from their sums over examples. */
typedef struct pb_scores {
    const pb_metric_info *metric;
    const pb_text_metric *of_texts; /* the same if the answers are texts; else NULL */
    bool stored;                    /* the statistics are stored, under the metric's name, and not the predictions' */
    bool of_sets;                   /* the answers are sets of labels               */
    pb_scoring scoring;             /* of answers that are no texts                 */
    int seeds, examples, stats;     /* examples is 0 if no predictions are stored   */
    double *x;
} pb_scores;

/* Reads the scores of n runs on a split by a metric of their kind of task.  The caller frees them with pb_scores_free.
 * Returns -1 with an error if the numbers of their predictions differ, or if an old database lacks what the metric
 * needs. */
int pb_scores_read(pb_store *store, const pb_task *task, const pb_metric_info *metric, const long long *run, int n,
                   pb_split split, pb_scores *out);
void pb_scores_free(pb_scores *s);

/* Returns whether the metric is the mean of one number of each example, as accuracy is. */
bool pb_scores_is_mean(const pb_scores *s);

/* Returns the metric from the sums [stats] over `count` examples. */
double pb_scores_value(const pb_scores *s, const double *sums, double count);

/* Returns the scores in the form that src/stats uses.  It refers to the scores and is valid as long as they are. */
pb_crossed pb_scores_crossed(const pb_scores *s);

/* Returns the interval clipped to the range of the metric, or of differences of two of its values if `pair`.  An
 * interval of zero width, which occurs if all seeds score alike, carries no information: its low and high become
 * NaN. */
pb_interval pb_score_within(const pb_metric_info *metric, bool pair, pb_interval v);

/* Returns one point on the scale of a score: 0.01, or 1 if the score is above 1 and the scale therefore ends at 100;
 * of a metric without limits, a hundredth of the score. */
double pb_score_point(const pb_metric_info *metric, double score);

#endif
