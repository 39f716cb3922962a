/* result: what one cell found out, in long form, before it is stored. */
#ifndef PB_RESULT_H
#define PB_RESULT_H

#include "base/base.h"
#include "train/task.h"

typedef struct pb_value {
    int split;    /* pb_split, or -1                                     */
    int step;     /* optimizer step of a curve's point; -1: of the whole run */
    char key[64]; /* "memory.train.activations"                          */
    double value;
} pb_value;

typedef struct pb_sample {
    char key[64]; /* "prefill.b1.unmerged"                               */
    int round;
    double seconds;
} pb_sample;

/* What a metric over a whole split needs to know of one example (train/metric.h). */
typedef struct pb_statistic {
    pb_split split;
    int example;
    const char *metric; /* its name, static */
    double *x;          /* [count] */
    int count;
} pb_statistic;

/* A list of numbers of a run: "loss", "gradient_norm" (of each step, under step -1), "logits", "logits.merged". */
typedef struct pb_series {
    char name[32];
    int step;  /* after so many steps; -1: of the whole run, or at its end */
    double *x; /* [count] */
    int count;
} pb_series;

/* What is kept of a trainable tensor at one point of training, to be held against another run. */
typedef struct pb_print {
    uint32_t values, gradient; /* hashes of the bits; 0 where there is no gradient */
    float norm;                /* of the values */
} pb_print;

/* The prints of all trainable tensors at one point. */
typedef struct pb_fingerprint {
    int step;        /* after so many steps; -1: of the model that training has led to */
    pb_print *print; /* [tensors] */
} pb_fingerprint;

typedef struct pb_result {
    char status[16];    /* "done", "diverged", "failed"                        */
    pb_digest artifact; /* of the file of trained parameters; "": none      */
    pb_value *value;
    size_t values, values_capacity;
    pb_prediction *prediction;
    size_t predictions, predictions_capacity;
    pb_sample *sample;
    size_t samples, samples_capacity;
    pb_statistic *statistic;
    size_t statistics, statistics_capacity;
    pb_series *series; /* these are for the regression gate, see trace.h */
    size_t series_count, series_capacity;
    char **tensor; /* [tensors] names of all that trains */
    int tensors;
    pb_fingerprint *fingerprint;
    size_t fingerprints, fingerprints_capacity;
} pb_result;

void pb_result_init(pb_result *r); /* status "done", empty */
void pb_result_free(pb_result *r);
void pb_result_put(pb_result *r, int split, int step, double value, const char *key, ...) PB_PRINTF(5, 6);
void pb_result_predict(pb_result *r, const pb_prediction *p); /* takes its text over */
void pb_result_statistic(pb_result *r, pb_split split, int example, const char *metric, int count, const double *x);
void pb_result_sample(pb_result *r, int round, double seconds, const char *key);
/* Both copy what they are given; x has as many prints as the result has tensors. */
void pb_result_series(pb_result *r, int step, const char *name, int count, const double *x);
void pb_result_fingerprint(pb_result *r, int step, const pb_print *x);
/* The series of that name and step; NULL: there is none. */
const pb_series *pb_result_find(const pb_result *r, int step, const char *name);
/* The value under `key` at a step, or of the whole run; NaN: there is none. */
double pb_result_at(const pb_result *r, int split, int step, const char *key);
double pb_result_get(const pb_result *r, int split, const char *key);

#endif
