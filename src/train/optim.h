/* optim: AdamW over everything that trains, and its learning rate. */
#ifndef PB_OPTIM_H
#define PB_OPTIM_H

#include "base/arena.h"
#include "train/train.h"

/* The learning rate of step 0 .. steps-1: linear warm-up from 0 over the share `warmup` of the
 * steps, then linear decay to 0 (or half a cosine, or constant), as transformers' schedules of those
 * names. */
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

/* The moments of every parameter that trains, for a checkpoint: visits them in the model's order; stops at
 * the first nonzero return and returns it.  Tables with sparse gradients are refused: PB_BUG. */
typedef int pb_moments_visit(void *ctx, const pb_param *p, pb_real *first, pb_real *second);
int pb_optim_each(pb_optim *opt, pb_moments_visit *visit, void *ctx);
int pb_optim_steps(const pb_optim *opt);        /* taken so far                         */
void pb_optim_resume(pb_optim *opt, int steps); /* as if so many had been taken already */

#endif
