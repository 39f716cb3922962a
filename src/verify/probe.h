/* probe: a small model with methods attached, and one batch through it, to look at closely. */
#ifndef PB_PROBE_H
#define PB_PROBE_H

#include "model/model.h"

typedef struct pb_probe {
    pb_model *model;
    pb_attached part[8];
    int parts;
    pb_arena *arena;
    pb_machine *machine;
    pb_graph *graph; /* of the last batch */
    pb_outputs out;
    pb_plan plan;
} pb_probe;

/* `spec`: "lora:rank=4,alpha=8+prefix:length=3"; "": no method.  classes 0: the head that the model has.  Weights from
 * the folder, or `random`.  -1 with an error, and nothing open. */
int pb_probe_open(pb_probe *p, const char *path, bool random, const char *spec, int classes, uint64_t seed);
void pb_probe_close(pb_probe *p);

/* One method with its settings: "lora:rank=4,alpha=8" (written over).  part->conf is the caller's to release.  -1 with
 * an error. */
int pb_probe_method(pb_attached *part, char *text);

/* Builds and plans; gradients get memory when the graph trains.  -1 with an error. */
int pb_probe_plan(pb_probe *p, const pb_batch *batch, bool training, double dropout);
/* The same, and runs it forward. */
int pb_probe_forward(pb_probe *p, const pb_batch *batch, bool training, double dropout);

/* Element i of a parameter's gradient; tables hold touched rows only. */
double pb_probe_gradient(const pb_param *p, size_t i);

/* Makes every trainable parameter different from its start, so that nothing is zero by luck. */
void pb_probe_stir(pb_probe *p, double scale);

/* Five ragged texts of a vocabulary of 96, with labels of three classes, and the next token wanted everywhere. */
extern const pb_batch pb_probe_texts, pb_probe_tokens;

#endif
