/* optim: the optimizers of the trainable parameters, and learning rate schedules.
 *
 *   adamw      torch.optim.AdamW (Loshchilov and Hutter 2019): two moments of each element
 *   sgd        torch.optim.SGD with `momentum`, without dampening and Nesterov's correction: one number of each
 *              element, or none without momentum
 *   adafactor  Shazeer and Stern 2018, as transformers' Adafactor with scale_parameter=False, relative_step=False
 *              and beta1=None: the rate is that of the schedule, clip_threshold 1, decay_rate -0.8, eps[0] 1e-30;
 *              one number of each row and of each column of a matrix, and of each element of a vector
 *   lion       Chen et al. 2023, as lion-pytorch: one number of each element
 *
 * The weight decay is decoupled in all of them: a matrix is multiplied by 1 - rate * decay.  That is AdamW's,
 * Adafactor's and Lion's; torch.optim.SGD adds decay * w to the gradient instead, which its momentum then
 * accumulates. */
#ifndef PB_OPTIM_H
#define PB_OPTIM_H

#include "base/arena.h"
#include "model/model.h"
#include "train/train_options.h"

/* Returns the learning rate of a step from 0 to steps - 1.  It rises linearly from 0 during the fraction `warmup` of
 * the steps, then decreases to 0 linearly or as half a cosine, or stays constant, as the schedules of these names in
 * Hugging Face's transformers do. */
double pb_optim_rate(const pb_train_options *o, int step, int steps);

typedef struct pb_optim pb_optim;

/* Returns the optimizer o->optimizer.  Its memory, what it keeps of each trainable parameter and what the methods keep
 * between the steps (class PB_OPTIMIZER), belongs to `arena`; call pb_model_close_state before the arena is freed.  `m`
 * and `o` must outlive the optimizer. */
pb_optim *pb_optim_new(pb_model *m, const pb_train_options *o, pb_arena *arena);

/* Returns the bytes that pb_optim_new allocates. */
size_t pb_optim_bytes(const pb_model *m, const pb_train_options *o);

/* Takes one step, `at`, with the gradients that the backward pass of `g` has computed, clipped to the norm o->clip; 0
 * disables clipping.  If `g` accumulates, it is the last of the step's graphs, and what the others have reached is
 * marked already (pb_graph_mark_reached).  A parameter that no graph of the step reaches stays as it is, as one without
 * a gradient does in PyTorch: each parameter counts its own steps.  The rate of a parameter is at->rate times
 * pb_param.rate, for the decay too, as that of a group of parameters in PyTorch.  Weight decay applies to matrices, not
 * to vectors or embeddings.  Rows of a table that no batch has touched yet are skipped: what the optimizer keeps of
 * them is zero, so their update would be zero.
 *
 * The methods' before_step hooks run first; what they make of the gradients is clipped.  The after_step hooks run
 * last and see the clipped gradients beside the updated values, as what reads PyTorch's .grad after optimizer.step()
 * does.  Returns the norm of the gradients before clipping.  If it is not finite, nothing is updated and no after_step
 * hook runs.  An error that a hook has reported is pending afterwards. */
double pb_optim_step(pb_optim *opt, const pb_graph *g, const pb_step *at);

/* Visits the moments of AdamW and the numbers of steps of the trainable parameters in the model's order, for a
 * checkpoint of pretraining, which has no other optimizer.  Stops at the first nonzero return of `visit` and returns
 * it; otherwise returns 0.  No parameter may be a table with sparse gradients. */
typedef int pb_moments_visit(void *ctx, const pb_param *p, int *steps, pb_real *first, pb_real *second);
int pb_optim_each(pb_optim *opt, pb_moments_visit *visit, void *ctx);

/* Returns the number of steps taken so far. */
int pb_optim_steps(const pb_optim *opt);

/* Sets the number of steps taken so far, by each parameter too, when training continues from a checkpoint. */
void pb_optim_resume(pb_optim *opt, int steps);

#endif
