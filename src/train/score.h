/* score: predictions of a model for a split, and the metrics of these predictions. */
#ifndef PB_SCORE_H
#define PB_SCORE_H

#include "train/result.h"
#include "train/runner.h"

/* Predicts one split with the model as it is and puts the predictions and accuracy.<split>.* of the whole run (step
 * -1) into `out`.  batch: items run together.  Returns -1 with an error if an input is longer than the context, or if
 * an output of the model is NaN or infinite, from which no answer can be read. */
int pb_score(pb_model *m, const pb_encoded *set, const pb_task *task, pb_split split, int batch, pb_result *out);

/* The same with an existing runner.  A step >= 0 is a point of the learning curve: no predictions are put, and by
 * generation nothing is generated and only the perplexity is put. */
int pb_score_runner(pb_runner *r, const pb_task *task, pb_split split, int batch, int step, pb_result *out);

/* Computes for the first `count` items of a split what pb_score bases its predictions on: the scores of the classes,
 * or, by generation, the log-probability of each token of the reference answers.  Sets *x [n], which the caller
 * frees even if -1 is returned with an error. */
int pb_score_first(pb_runner *r, pb_split split, int batch, int count, double **x, int *n);

/* Copies into `key` the key of the value by which epochs are compared: the primary metric of classes, or, by
 * generation, the perplexity.  Returns true if higher is better. */
bool pb_score_selector(const pb_encoded *set, const pb_task *task, pb_split split, char key[64]);

/* Returns whether the outputs of the model that the prediction was made from are finite.  (Those of generated texts are
 * not kept.) */
bool pb_prediction_is_finite(const pb_data *d, const pb_prediction *p);

/* Predicts without scoring: fills list [examples].  The caller frees each text.  Returns -1 with an error as pb_score
 * does. */
int pb_predict(pb_model *m, const pb_encoded *set, pb_split split, int batch, pb_prediction *list);

#endif
