/* checks_training: training: see checks.h. */
#include "verify/checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "train/stopping.h"
#include "train/train.h"

/* The first parameter that the base model has or that a method has fixed and that has changed: from the base's values,
 * or from those with which the method has started.  With `hooks` the method may change what it has fixed.  NULL if
 * there is none. */
static const char *find_moved(const pb_model *opened, const pb_model *started, const pb_model *trained, bool hooks)
{
    for (int i = 0; i < pb_model_params(trained); i++) {
        const pb_param *p = pb_model_param(trained, i);
        const pb_param *q = pb_model_param(p->kind == PB_ADDED ? started : opened, i);
        if (!p->trainable && !(hooks && p->kind == PB_ADDED) && pb_param_memory(p) &&
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
    const char *moved = find_moved(opened.model, started.model, p.model, pb_trial_has_step_hooks(&p));
    if (moved)
        pb_trial_broken(t, "%s is frozen and has changed", moved);
    pb_testbed_close(&opened);
    pb_testbed_close(&started);
    pb_testbed_close(&p);
    return moved ? PB_BROKEN : PB_HELD;
}

/* ---- snapshots of all values ---------------------------------------------------------------------------------- */

/* Returns copies [params] of the values of all parameters.  The caller frees them with free_snapshot. */
static void **snapshot_of(const pb_model *m)
{
    void **copy = pb_alloc((size_t)(pb_model_params(m) + 1) * sizeof *copy);
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        copy[i] = pb_alloc(pb_param_bytes(p) + 1);
        if (!p->packed)
            memcpy(copy[i], pb_param_memory(p), pb_param_bytes(p));
    }
    return copy;
}

static bool keeps_bits(void *const *snapshot, const pb_model *m, int i)
{
    const pb_param *p = pb_model_param(m, i);
    return p->packed || !memcmp(pb_param_memory(p), snapshot[i], pb_param_bytes(p));
}

static void free_snapshot(void **snapshot, const pb_model *m)
{
    for (int i = 0; i < pb_model_params(m); i++)
        free(snapshot[i]);
    free(snapshot);
}

/* ---- one step -------------------------------------------------------------------------------------------------- */

/* Marks the parameters that the last graph reaches, apart from what the optimizer has marked. */
static void mark_reached(const pb_testbed *p)
{
    for (int i = 0; i < pb_model_params(p->model); i++)
        pb_model_param(p->model, i)->reached = false;
    pb_graph_mark_reached(p->graph);
}

/* A step updates the parameters that its graph reaches, and no others.  Which ones it reaches may be drawn.  Hooks
 * before and after a step may change all that the method has added. */
pb_outcome pb_check_reached(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 2);
    pb_trial_training r;
    pb_trial_training_start(&r, &p, 8);
    pb_testbed_perturb(&p, 0.05);
    const pb_param *odd = NULL;
    int unreached = 0;
    bool hooks = pb_trial_has_step_hooks(&p);
    for (bool trains = true; trains && r.step < r.steps && !odd;) {
        void **before = snapshot_of(p.model);
        trains = pb_trial_step(&r);
        mark_reached(&p);
        for (int i = 0; trains && i < pb_model_params(p.model); i++) {
            const pb_param *one = pb_model_param(p.model, i);
            unreached += one->trainable && !one->reached;
            if (one->trainable && !one->reached && !(hooks && one->kind == PB_ADDED) && !keeps_bits(before, p.model, i))
                odd = one;
        }
        free_snapshot(before, p.model);
    }
    if (odd)
        pb_trial_broken(t, "step %d does not reach %s, and changes it by an old gradient", r.step, odd->name);
    pb_trial_training_end(&r);
    pb_testbed_close(&p);
    return odd ? PB_BROKEN : unreached ? PB_HELD : PB_NOT_PROMISED;
}

/* ---- the best epoch -------------------------------------------------------------------------------------------- */

static void take_steps(pb_trial_training *r, int steps)
{
    while (steps-- > 0 && pb_trial_step(r))
        continue;
}

/* Training goes on after the best epoch; then all that it has is restored, also what does not train. */
pb_outcome pb_check_best(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 3);
    pb_trial_training r;
    pb_trial_training_start(&r, &p, 2 * PB_TRIAL_STEPS);
    pb_testbed_perturb(&p, 0.05);
    r.options.patience = 1;
    pb_stopping stopping = pb_stopping_start(p.model, &r.options, true, r.arena);
    take_steps(&r, PB_TRIAL_STEPS);
    while (pb_model_unfinished(p.model) && r.step < r.steps - 1)
        take_steps(&r, 1);
    pb_stopping_note(&stopping, 1);
    void **best = snapshot_of(p.model);
    double *want = pb_trial_logits(&p);
    take_steps(&r, r.steps - r.step);
    pb_stopping_note(&stopping, 0);
    pb_stopping_restore(&stopping);
    double *got = pb_trial_logits(&p), off = pb_trial_distance(PB_LOGITS, want, got);
    const pb_param *odd = NULL;
    for (int i = 0; i < pb_model_params(p.model); i++)
        if (!keeps_bits(best, p.model, i))
            odd = pb_model_param(p.model, i);
    free_snapshot(best, p.model);
    free(want);
    free(got);
    pb_trial_training_end(&r);
    pb_testbed_close(&p);
    if (odd)
        return pb_trial_broken(t, "%s is not as at the best epoch after that has been restored", odd->name);
    return off == 0
               ? PB_HELD
               : pb_trial_broken(t,
                                 "the best epoch restored: logits differ by %.2g, though all tensors are the same; "
                                 "look for something that the method keeps elsewhere",
                                 off);
}

/* ---- a whole run ----------------------------------------------------------------------------------------------- */

/* The texts of the testbed as the data of a task, the same in each split. */
static pb_encoded *encode_texts(pb_data *d)
{
    const pb_batch *texts = &pb_testbed_texts;
    for (int c = 0; c < PB_CLASSES; c++)
        pb_data_class(d, (const char[]){(char)('a' + c), 0});
    for (int split = 0; split < PB_SPLITS; split++)
        for (int i = 0; i < texts->sequences; i++)
            pb_data_add(d, (pb_split)split, "", texts->label[i], i + 1);
    pb_encoded *e = pb_encoded_uniform(d, PB_BY_HEAD, 1);
    for (int split = 0; split < PB_SPLITS; split++)
        for (int i = 0; i < texts->sequences; i++) {
            e->text[split][i].count = 0;
            for (int k = texts->offset[i]; k < texts->offset[i + 1]; k++)
                pb_ids_add(&e->text[split][i], texts->ids[k]);
        }
    return e;
}

/* Trains as `run` does: all batches of all epochs are planned first, each with the key of its step.  pb_train itself
 * stops the program if it takes anything else than its plan says. */
pb_outcome pb_check_run(pb_trial *t)
{
    pb_testbed p = pb_trial_open(t, t->spec, 4);
    pb_data *d = pb_data_new("verify");
    pb_encoded *e = encode_texts(d);
    pb_train_options o;
    pb_option_defaults(pb_train_table, &o);
    o.epochs = 3;
    o.batch = 2;
    o.patience = 3;
    pb_result out;
    pb_result_init(&out);
    int rc = pb_train(p.model, e, pb_task_find("classify"), &o, 4, NULL, &out);
    pb_result_free(&out);
    pb_option_release(pb_train_table, &o);
    pb_encoded_free(e);
    pb_data_free(d);
    pb_testbed_close(&p);
    return rc ? pb_trial_broken(t, "%s", pb_error_text()) : PB_HELD;
}

/* ---- seeds ------------------------------------------------------------------------------------------------------- */

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
        x = pb_realloc(x, (*n + pb_param_elements(one) + 1) * sizeof *x);
        for (size_t k = 0; k < pb_param_elements(one); k++)
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
