/* score: what a model says of a split, and how good that is. */
#ifndef PB_SCORE_H
#define PB_SCORE_H

#include "train/result.h"
#include "train/runner.h"

/* Predicts one split with the model as it is: predictions and accuracy.<split>.* for the whole run.  -1 with
 * an error. */
int pb_score(pb_model *m, const pb_encoded *f, const pb_task *task, pb_split split, int batch, pb_result *out);

/* The same with a runner at hand.  step >= 0, a point of the learning curve: no predictions; of tasks whose
 * answers are texts the loss only, nothing is generated. */
int pb_score_runner(pb_runner *r, const pb_task *task, pb_split split, int batch, int step, pb_result *out);

/* What the model computes for the first `count` items of a split, by the same way that pb_score goes: the classes'
 * scores of each, or the log-probability of each token of the right answers.  *x [n] is the caller's, also when -1
 * is returned with an error. */
int pb_score_first(pb_runner *r, pb_split split, int batch, int count, double **x, int *n);

/* Which of the values above decides of an epoch: puts its key into `key`, and says whether higher is better.  The
 * primary metric of classes; the perplexity, e to the loss, where answers are texts. */
bool pb_score_deciding(const pb_encoded *f, const pb_task *task, pb_split split, char key[64]);

/* Only says: fills `list` [examples], texts are the caller's. */
int pb_predict(pb_model *m, const pb_encoded *f, pb_split split, int batch, pb_prediction *list);

#endif
