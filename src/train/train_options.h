/* train_options: the settings of a training run. */
#ifndef PB_TRAIN_OPTIONS_H
#define PB_TRAIN_OPTIONS_H

#include "base/option.h"

/* How the learning rate goes down after the warm-up; see pb_optim_rate. */
typedef enum pb_rate_schedule { PB_LINEAR_RATE, PB_CONSTANT_RATE, PB_COSINE_RATE } pb_rate_schedule;

/* The optimizers; see optim.h. */
typedef enum pb_optimizer { PB_ADAMW, PB_SGD, PB_ADAFACTOR, PB_LION } pb_optimizer;

/* The section [train] of an experiment file.  pb_train_table documents each setting. */
typedef struct pb_train_options {
    int epochs, batch, max_tokens;
    int accumulate;                /* micro-batches of a step; see micro_batches.h */
    int examples;                  /* of the training split that are used; 0: all */
    int patience;                  /* epochs; see stopping.h */
    double target;                 /* validation score; see stopping.h */
    double max_flops, max_seconds; /* budgets of training; 0: none */
    double lr, warmup, decay, clip, dropout;
    int optimizer;                 /* pb_optimizer */
    double beta1, beta2, eps;      /* of AdamW */
    double momentum;               /* of SGD */
    double lion_beta1, lion_beta2; /* of Lion */
    int schedule;                  /* pb_rate_schedule */
    bool checkpoint;
} pb_train_options;

/* The option table of pb_train_options. */
extern const pb_option pb_train_table[];

/* Returns true if the optimizer o->optimizer reads the setting `name`, or if it is a setting of no single optimizer. */
bool pb_train_reads(const pb_train_options *o, const char *name);

#endif
