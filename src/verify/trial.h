/* trial: what the checks of verify share: a fixture, the methods that are checked, and the reason of a failure.  Not
 * for other rooms. */
#ifndef PB_TRIAL_H
#define PB_TRIAL_H

#include "train/optim.h"
#include "verify/fixture.h"
#include "verify/testbed.h"

/* The tolerance between two ways to compute the same value, and the largest difference after values were stored in
 * files, which hold floats. */
#ifdef PB_REAL_DOUBLE
#define PB_EXACT 1e-12
#define PB_IN_FILES 1e-5
#else
#define PB_EXACT 2e-5
#define PB_IN_FILES 0
#endif

/* The texts of pb_testbed_texts, their classes, and the logits of all of them. */
enum { PB_TEXTS = 5, PB_CLASSES = 3, PB_LOGITS = PB_TEXTS * PB_CLASSES };

typedef struct pb_trial {
    const pb_fixture *fixture;
    const char *spec;
    char why[200]; /* the reason if the check fails */
} pb_trial;

/* Writes the reason and returns PB_BROKEN. */
pb_outcome pb_trial_broken(pb_trial *t, const char *fmt, ...) PB_PRINTF(2, 3);

/* Returns a testbed with the methods of a spec attached, in which no start hook has run.  Cannot fail, because
 * pb_verify has opened the same model before.  The caller closes it. */
pb_testbed pb_trial_open(const pb_trial *t, const char *spec, uint64_t seed);

/* Returns a testbed of the trial's methods as they are when training starts: the start hooks have run.  The
 * caller closes it. */
pb_testbed pb_trial_start(const pb_trial *t, uint64_t seed);

/* Builds the graph of a batch and runs the forward pass.  An error ends the program. */
void pb_trial_forward(pb_testbed *p, const pb_batch *batch, bool training, double dropout);

/* Returns the outputs of a batch without dropout, and those of the testbed's texts [PB_LOGITS].  The caller frees
 * them. */
double *pb_trial_outputs(pb_testbed *p, const pb_batch *batch);
double *pb_trial_logits(pb_testbed *p);

/* Returns the largest absolute difference between a[n] and b[n], infinity if an element is not finite. */
double pb_trial_distance(int n, const double *a, const double *b);

/* Training by AdamW, as `run` does it: each step has its own key, and the methods' hooks run before and after it. */
typedef struct pb_trial_training {
    pb_testbed *testbed;
    pb_train_options options;
    pb_optim *optim;
    pb_arena *arena;
    int step, steps; /* taken so far, and of the whole training */
} pb_trial_training;

/* Starts a training of so many steps; `out` must stay where it is until pb_trial_training_end. */
void pb_trial_training_start(pb_trial_training *out, pb_testbed *p, int steps);

/* Takes a step.  Returns false if nothing trains. */
bool pb_trial_step(pb_trial_training *r);
void pb_trial_training_end(pb_trial_training *r);

/* Trains PB_TRIAL_STEPS steps. */
enum { PB_TRIAL_STEPS = 3 };
void pb_trial_train(pb_testbed *p);

/* Returns true if a method has a hook before or after a step, which may change all that the method has added. */
bool pb_trial_has_step_hooks(const pb_testbed *p);

#endif
