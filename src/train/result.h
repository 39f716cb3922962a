/* result: everything that one cell measures, in long form, before it is stored. */
#ifndef PB_RESULT_H
#define PB_RESULT_H

#include "base/base.h"
#include "train/task.h"

typedef struct pb_result_value {
    int split;    /* pb_split; -1: of no split                                      */
    int step;     /* optimizer steps before a point of a curve; -1: of the whole run */
    char key[64]; /* "memory.train.activations"                                      */
    double value;
} pb_result_value;

/* One timing. */
typedef struct pb_sample {
    char key[64]; /* "prefill.b1.unmerged" */
    int round;
    double seconds;
} pb_sample;

/* What a corpus metric needs to know of one example, so that examples can be resampled (metric.h). */
typedef struct pb_statistic {
    pb_split split;
    int example;
    const char *metric; /* the metric's name, a constant */
    double *x;          /* [count] */
    int count;
} pb_statistic;

/* The statistics of a set of labels, each [classes]: 1 for the labels that a text has and 0 for the others, and the
 * probabilities.  They are the rows of pb_prediction.label_set. */
enum { PB_LABEL_TRUE, PB_LABEL_PROBABILITY, PB_LABEL_STATISTICS };
extern const char *const pb_label_statistic[PB_LABEL_STATISTICS]; /* "label", "probability" */

/* A list of numbers of a run: "loss" and "gradient_norm", one number per step, or "logits" and "logits.merged". */
typedef struct pb_series {
    char name[32];
    int step;  /* steps taken before; -1: of the whole run, or at its end */
    double *x; /* [count] */
    int count;
} pb_series;

/* The fingerprint of one trainable tensor at one point of training, to be compared with that of another run. */
typedef struct pb_tensor_fingerprint {
    uint32_t values, gradient; /* hashes of the bits; `gradient` is 0 if there is no gradient */
    float norm;                /* Euclidean norm of the values */
} pb_tensor_fingerprint;

/* The fingerprints of all trainable tensors at one point of training. */
typedef struct pb_fingerprint {
    int step;                     /* steps taken before; -1: of the trained model */
    pb_tensor_fingerprint *print; /* [tensors] */
} pb_fingerprint;

typedef struct pb_result {
    char status[16];    /* "done", "diverged" or "failed"                           */
    pb_digest artifact; /* of the file with the trained parameters; "": no file    */
    pb_result_value *value;
    size_t values, values_capacity;
    pb_prediction *prediction;
    size_t predictions, predictions_capacity;
    pb_sample *sample;
    size_t samples, samples_capacity;
    pb_statistic *statistic;
    size_t statistics, statistics_capacity;
    pb_series *series; /* for the regression gate, as are tensors and fingerprints; see trace.h */
    size_t series_count, series_capacity;
    char **tensor; /* [tensors] names of the trainable tensors */
    int tensors;
    pb_fingerprint *fingerprint;
    size_t fingerprints, fingerprints_capacity;
} pb_result;

/* Makes the result empty, with the status "done". */
void pb_result_init(pb_result *r);
/* Frees what the result holds. */
void pb_result_free(pb_result *r);

/* Adds a value under a formatted key, which must be one of value_keys.h.  split and step as in pb_result_value. */
void pb_result_put(pb_result *r, int split, int step, double value, const char *key, ...) PB_PRINTF(5, 6);

/* Adds a prediction.  The result takes ownership of its text. */
void pb_result_predict(pb_result *r, const pb_prediction *p);

/* Adds the statistics x [count] of one example; copies them, but not the metric's name. */
void pb_result_statistic(pb_result *r, pb_split split, int example, const char *metric, int count, const double *x);

/* Adds a timing. */
void pb_result_sample(pb_result *r, int round, double seconds, const char *key);

/* Adds a series; copies x [count]. */
void pb_result_series(pb_result *r, int step, const char *name, int count, const double *x);

/* Adds fingerprints; copies x, which has one element for each tensor of the result. */
void pb_result_fingerprint(pb_result *r, int step, const pb_tensor_fingerprint *x);

/* Returns the series of that name and step, or NULL if there is none. */
const pb_series *pb_result_find(const pb_result *r, int step, const char *name);

/* Returns the value under `key` at a step, the latest if there are several, or NaN if there is none. */
double pb_result_at(const pb_result *r, int split, int step, const char *key);

/* Returns the value under `key` of the whole run, or NaN if there is none. */
double pb_result_get(const pb_result *r, int split, const char *key);

#endif
