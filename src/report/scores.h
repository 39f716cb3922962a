/* scores: the primary metric by seed and example, as a database has it. */
#ifndef PB_SCORES_H
#define PB_SCORES_H

#include "stats/stats.h"
#include "results/store.h"
#include "train/metric.h"

/* Values x [seeds, examples, stats], whose sums over examples `pb_scores_value` turns into the metric. */
typedef struct pb_scores {
    const pb_text_metric *metric; /* NULL: accuracy, stats {right}    */
    int seeds, examples, stats;   /* examples 0: no predictions are stored */
    double *x;
} pb_scores;

/* Of the n runs on a split.  -1 with an error: runs whose predictions do not fit each other. */
int pb_scores_read(pb_store *store, const pb_task *task, const long long *run, int n, pb_split split, pb_scores *out);
void pb_scores_free(pb_scores *s);

/* The metric by the sums [stats] of `count` examples. */
double pb_scores_value(const pb_scores *s, const double *sums, double count);

/* As src/stats takes them; valid as long as the scores. */
pb_crossed pb_scores_crossed(const pb_scores *s);

/* The interval cut to where values of the metric lie (pair: differences of two of them).  One of no width, of seeds
 * that happen to score alike, says nothing: its low and high become NaN. */
pb_interval pb_score_within(const pb_metric_info *metric, bool pair, pb_interval v);

/* A point of a metric whose scores are like this one: 0.01, or 1 of those that go to 100. */
double pb_score_point(double score);

#endif
