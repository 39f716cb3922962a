/* testbed: a small model with methods attached, and one batch through it, to look at closely. */
#ifndef PB_TESTBED_H
#define PB_TESTBED_H

#include "model/model.h"

typedef struct pb_testbed {
    pb_model *model;
    pb_attached part[8];
    int parts;
    pb_arena *arena;
    pb_executor *machine;
    pb_graph *graph; /* of the last batch */
    pb_outputs out;
    pb_plan plan;
} pb_testbed;

/* `spec`: "lora:rank=4,alpha=8+prefix:length=3"; "": no method.  classes 0: the head that the model has.  Weights from
 * the folder, or `random`.  -1 with an error, and nothing open. */
int pb_testbed_open(pb_testbed *p, const char *path, bool random, const char *spec, int classes, uint64_t seed);
void pb_testbed_close(pb_testbed *p);

/* One method with its settings: "lora:rank=4,alpha=8" (written over).  part->conf is the caller's to release.  -1 with
 * an error. */
int pb_testbed_method(pb_attached *part, char *text);

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
