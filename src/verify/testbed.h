/* testbed: a small model with methods attached, and one batch through it, to look at closely. */
#ifndef PB_TESTBED_H
#define PB_TESTBED_H

#include "model/method_spec.h"

typedef struct pb_testbed {
    pb_model *model;
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_arena *arena;
    pb_executor *executor;
    pb_graph *graph; /* of the last batch */
    pb_outputs out;
    pb_plan plan;
} pb_testbed;

/* Opens the model of folder `path` and attaches the methods of a spec (method_spec.h) without variants; "" has none.
 * classes 0 keeps the head that the model has.  The weights are those of the folder, or `random`.  Returns -1 with an
 * error, and nothing is open then.  The caller closes it with pb_testbed_close. */
int pb_testbed_open(pb_testbed *p, const char *path, bool random, const char *spec, int classes, uint64_t seed);
void pb_testbed_close(pb_testbed *p);

/* Builds and plans; gradients get memory when the graph trains.  -1 with an error. */
int pb_testbed_plan(pb_testbed *p, const pb_batch *batch, bool training, double dropout);
/* The same, and runs it forward. */
int pb_testbed_forward(pb_testbed *p, const pb_batch *batch, bool training, double dropout);

/* Element i of a parameter's gradient; tables hold touched rows only. */
double pb_testbed_gradient(const pb_param *p, size_t i);

/* Makes every trainable parameter different from its start, so that nothing is zero by luck. */
void pb_testbed_perturb(pb_testbed *p, double scale);

/* Five ragged texts of a vocabulary of 96, with labels of three classes, and the next token wanted everywhere. */
extern const pb_batch pb_testbed_texts, pb_testbed_tokens;

#endif
