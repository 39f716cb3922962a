/* checks_training: training: see checks.h. */
#include "verify/checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/threads.h"

/* The first parameter that the base model has or that a method has fixed and that has changed: from the base's values,
 * or from those with which the method has started.  NULL if there is none. */
static const char *find_moved(const pb_model *opened, const pb_model *started, const pb_model *trained)
{
    for (int i = 0; i < pb_model_params(trained); i++) {
        const pb_param *p = pb_model_param(trained, i);
        const pb_param *q = pb_model_param(p->kind == PB_ADDED ? started : opened, i);
        if (!p->trainable && pb_param_memory(p) &&
            memcmp(pb_param_memory(p), pb_param_memory(q), pb_param_bytes(p)) != 0)
            return p->name;
    }
    return NULL;
}

pb_outcome pb_check_frozen(pb_trial *t)
{
    pb_testbed opened = pb_trial_open(t, t->spec, 6), started = pb_trial_start(t, 6), p = pb_trial_start(t, 6);
    pb_trial_train(&p);
    free(pb_trial_logits(&p)); /* scoring must not change them either */
    const char *moved = find_moved(opened.model, started.model, p.model);
    if (moved)
        pb_trial_broken(t, "%s is frozen and has changed", moved);
    pb_testbed_close(&opened);
    pb_testbed_close(&started);
    pb_testbed_close(&p);
    return moved ? PB_BROKEN : PB_HELD;
}

/* What an artifact stores after training with a seed, which must not depend on what ran before. */
static double *trained(const pb_trial *t, uint64_t seed, int threads, size_t *n)
{
    if (threads)
        pb_threads_start(threads);
    pb_testbed p = pb_trial_start(t, seed);
    pb_trial_train(&p);
    double *x = pb_alloc(1);
    *n = 0;
    for (int i = 0; i < pb_model_params(p.model); i++) {
        const pb_param *one = pb_model_param(p.model, i);
        if (!pb_model_stores(one))
            continue;
        x = pb_realloc(x, (*n + pb_trial_elements(one) + 1) * sizeof *x);
        for (size_t k = 0; k < pb_trial_elements(one); k++)
            x[(*n)++] = one->index ? one->index[k] : (double)one->x[k];
    }
    pb_testbed_close(&p);
    if (threads)
        pb_threads_stop();
    return x;
}

static pb_outcome same_bits(pb_trial *t, int threads_first, uint64_t between, int threads, const char *what)
{
    size_t n, m;
    double *one = trained(t, 1, threads_first, &n);
    free(trained(t, between, threads, &m));
    double *two = trained(t, 1, threads_first, &m);
    bool good = n == m && !memcmp(one, two, n * sizeof *one);
    free(one);
    free(two);
    return good ? PB_HELD : pb_trial_broken(t, "%s: the parameters differ", what);
}

pb_outcome pb_check_seeds(pb_trial *t)
{
    return same_bits(t, 0, 0, 0, "the same seed after another one");
}

pb_outcome pb_check_threads(pb_trial *t)
{
    pb_outcome with_two = same_bits(t, 2, 1, 1, "the same seed twice with two threads");
    return with_two == PB_HELD ? same_bits(t, 1, 1, 2, "the same seed twice with one thread") : with_two;
}
