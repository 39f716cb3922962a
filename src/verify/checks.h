/* checks: the checks of verify, one function each.  Not for other rooms. */
#ifndef PB_CHECKS_H
#define PB_CHECKS_H

#include "verify/trial.h"

/* A check returns PB_HELD, or PB_NOT_PROMISED if the methods do not promise what it checks, or PB_BROKEN after
 * pb_trial_broken. */
typedef pb_outcome pb_check(pb_trial *t);

/* ---- checks_start.c: before training ------------------------------------------------------------------------ */

pb_check pb_check_identity;  /* the logits equal the base model's, before and after the start hooks */
pb_check pb_check_positions; /* a text begins behind the rows that the methods put in front of it */
pb_check pb_check_indices;   /* integers are in their range after the start hooks */
pb_check pb_check_deviation; /* random tensors start with the standard deviations that the method declares */

/* ---- checks_counts.c ----------------------------------------------------------------------------------------- */

pb_check
    pb_check_formula; /* the methods create and train as many elements as their formulas say, with other settings too */
pb_check pb_check_counts; /* as many parameters as reported are in memory, in the artifact, and move in training */

/* ---- checks_gradient.c --------------------------------------------------------------------------------------- */

pb_check pb_check_slope;     /* the gradient equals finite differences of the loss, for each trainable tensor */
pb_check pb_check_penalty;   /* what methods add to the loss is not negative */
pb_check pb_check_kept;      /* the backward pass reads only what the plan keeps */
pb_check pb_check_plan;      /* bytes and FLOPs are those of the plan */
pb_check pb_check_recompute; /* gradient checkpointing changes no gradient, and its bytes and FLOPs are planned */

/* ---- checks_graph.c ------------------------------------------------------------------------------------------ */

pb_check pb_check_full_size; /* a matrix as large as a weight is made by the hook `weight` only, and one at a time */

/* ---- checks_batch.c ------------------------------------------------------------------------------------------ */

pb_check pb_check_alone;   /* a text has the same logits alone and in a batch */
pb_check pb_check_order;   /* the order of the texts does not matter */
pb_check pb_check_scoring; /* scoring has no dropout and changes nothing */

/* ---- checks_training.c --------------------------------------------------------------------------------------- */

pb_check pb_check_frozen;  /* frozen parameters keep their bits */
pb_check pb_check_reached; /* a step changes only the parameters that its graph reaches */
pb_check pb_check_best;    /* the best epoch is restored whole */
pb_check pb_check_run;     /* a whole run takes place, with the memory and FLOPs of its plan */
pb_check pb_check_seeds;   /* a seed gives the same bits after another seed */
pb_check pb_check_threads; /* a seed gives the same bits twice, with one thread and with two */

/* ---- checks_result.c: after training ------------------------------------------------------------------------- */

pb_check pb_check_merge;    /* merged logits equal unmerged ones */
pb_check pb_check_low_rank; /* the hooks change the weights as low_rank declares */
pb_check pb_check_artifact; /* saving, loading and saving gives the same logits and the same file */
pb_check pb_check_decoding; /* decoding with a cache gives the probabilities of the whole text */

#endif
