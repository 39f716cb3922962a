/* optim: AdamW over everything that trains, and its learning rate.  Floor 5. */
#ifndef PB_OPTIM_H
#define PB_OPTIM_H

#include "base/arena.h"
#include "train/train.h"

/* The learning rate of step 0 .. steps-1: linear warm-up from 0 over the share `warmup` of the
 * steps, then linear decay to 0 (or constant), as transformers' schedule of that name. */
double pb_optim_rate(const pb_train_options *o, int step, int steps);

typedef struct pb_optim pb_optim;

/* Takes two moments for each trainable parameter from `arena` (class PB_OPTIMIZER). */
pb_optim *pb_optim_new(pb_model *m, const pb_train_options *o, pb_arena *arena);
/* Bytes that pb_optim_new takes for moments. */
size_t pb_optim_bytes(const pb_model *m);

/* One step with the gradients that the parameters hold, clipped to the norm o->clip (0: not
 * clipped).  Matrices decay, vectors and embeddings do not.  A row of a table that no batch has
 * touched yet is skipped: with moments at zero and no decay its step is zero.  Returns the
 * norm before clipping; if that is not finite nothing was changed. */
double pb_optim_step(pb_optim *opt, double rate);

#endif
