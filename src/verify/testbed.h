/* testbed: a small model with methods attached, and a batch to run it on, for the checks of verify. */
#ifndef PB_TESTBED_H
#define PB_TESTBED_H

#include "model/method_spec.h"

/* A model and the graph of its last batch. */
typedef struct pb_testbed {
    pb_model *model;
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_arena *values; /* holds the random values of base tensors that were constant */
    pb_arena *arena;  /* of the last batch */
    pb_executor *executor;
    uint64_t key;    /* of the dropout masks and of drawn structure; the caller may change it */
    pb_graph *graph; /* of the last batch */
    pb_outputs out;
    pb_plan plan;
} pb_testbed;

/* Opens the model of folder `path` and attaches the methods of a spec (method_spec.h) without variants; "" has none.
 * classes 0 keeps the head that the model has.  The weights are those of the folder, or `random`.  Tensors of the base
 * and of the head whose elements are all equal, such as biases of 0 and gains of 1, then get random values, which are
 * the same in every testbed: a method that forgets one of them would compute the right outputs otherwise.  Returns -1
 * with an error, and nothing is open then.  The caller closes it with pb_testbed_close. */
int pb_testbed_open(pb_testbed *p, const char *path, bool random, const char *spec, int classes, uint64_t seed);
/* Does the same with a model that is opened in another way. */
int pb_testbed_open_as(pb_testbed *p, const pb_opening *how, const char *spec);
void pb_testbed_close(pb_testbed *p);

/* Computes what the methods ask for of pb_testbed_texts, or of pb_testbed_tokens if the model has no classification
 * head, in batches of two, and calls the start hooks, as training does.  Returns -1 with an error. */
int pb_testbed_start(pb_testbed *p);

/* Builds and plans the graph of a batch, and gives the gradients memory if `training`.  Returns -1 with an error. */
int pb_testbed_plan(pb_testbed *p, const pb_batch *batch, bool training, double dropout);

/* Does the same and runs the forward pass.  Returns -1 with an error. */
int pb_testbed_forward(pb_testbed *p, const pb_batch *batch, bool training, double dropout);

/* Returns element i of the gradient of a parameter, which may be sparse. */
double pb_testbed_gradient(const pb_param *p, size_t i);

/* Returns the gradients of all *n trainable parameters, one after the other, after a backward pass.  The caller frees
 * them. */
double *pb_testbed_gradients(pb_testbed *p, size_t *n);

/* Adds normal noise with standard deviation `scale` to all trainable parameters, so that none of them is zero. */
void pb_testbed_perturb(pb_testbed *p, double scale);

/* Five ragged texts with a vocabulary of 96: with labels of three classes, and with the next token as the target of
 * every position. */
extern const pb_batch pb_testbed_texts, pb_testbed_tokens;

#endif
