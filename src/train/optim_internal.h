/* optim_internal: the parts of an optimizer: optim.c drives a step, optim_rules.c has the rules of the optimizers, and
 * optim_ranges.c divides the work among threads. */
#ifndef PB_TRAIN_OPTIM_INTERNAL_H
#define PB_TRAIN_OPTIM_INTERNAL_H

#include "train/optim.h"

enum { PB_OPTIM_STATES = 2 }; /* arrays that an optimizer keeps of a parameter, at most */

/* One trainable parameter, and what the optimizer keeps of it. */
typedef struct pb_optim_item {
    pb_param *param;
    size_t start, count;              /* its range in the concatenation of all trainable parameters */
    pb_real *state[PB_OPTIM_STATES];  /* NULL: the optimizer keeps no such array of this parameter */
    size_t elements[PB_OPTIM_STATES]; /* of each array */
    int steps;                        /* that have updated it */
    bool matrix;                      /* weight decay applies, or Adafactor factors its second moment */
    bool *seen;          /* of a table with sparse gradients: the rows that a batch has touched; else NULL */
    double rate, decay;  /* of the current step */
    double bias1, bias2; /* AdamW: what corrects the moments' start at zero */
    double beta2, row_mean, divisor,
        *sums; /* Adafactor, see pb_adafactor; sums [threads] of the squares of the update */
} pb_optim_item;

struct pb_optim {
    pb_model *model;
    const pb_train_options *options;
    const struct pb_optim_rule *rule;
    pb_optim_item *item;
    int items;
    size_t elements;
    int step;
    double clip;     /* of the current step: the factor of the gradients */
    double *squares; /* [threads] sums of the squares of the gradients */
};

/* A part of one row of a table or of a matrix by rows, else of the whole parameter: n elements from element `from`
 * on. */
typedef struct pb_optim_range {
    size_t from, n;
    const pb_real *g; /* [n] the gradient; NULL: zero */
} pb_optim_range;

/* One optimizer. */
typedef struct pb_optim_rule {
    /* Sets the number of elements of each array that it keeps of a parameter; 0: no such array. */
    void (*size)(const pb_train_options *o, const pb_param *p, size_t elements[PB_OPTIM_STATES]);
    /* What it computes of whole tensors in front of the update, by all threads; NULL: nothing. */
    void (*prepare)(pb_optim *opt);
    /* Updates a range of one parameter. */
    void (*update)(const pb_optim *opt, const pb_optim_item *k, const pb_optim_range *at);
    bool by_rows; /* a range of a matrix is in one row */
} pb_optim_rule;

/* Returns the rule of o->optimizer. */
const pb_optim_rule *pb_optim_rule_of(const pb_train_options *o);

/* Returns true if the parameter is a matrix, even if it has one row, such as A of a LoRA of rank 1 or the weight of a
 * head with one output; an embedding table is one too. */
bool pb_optim_is_matrix(const pb_param *p);

/* Sets the thread's part [*from, *to) of one parameter, relative to its start.  Returns false if it has none. */
bool pb_optim_part(const pb_optim *opt, const pb_optim_item *k, int thread, size_t *from, size_t *to);

/* Calls `each` for the ranges of all parameters with a gradient that the thread works on. */
typedef void pb_optim_each_range(pb_optim *opt, pb_optim_item *k, const pb_optim_range *at, int thread);
void pb_optim_ranges(pb_optim *opt, int thread, pb_optim_each_range *each);

#endif
