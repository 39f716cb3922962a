/* trial: see trial.h. */
#include "verify/trial.h"

#include <math.h>

pb_outcome pb_trial_broken(pb_trial *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->why, sizeof t->why, fmt, args);
    va_end(args);
    return PB_BROKEN;
}

pb_testbed pb_trial_open(const pb_trial *t, const char *spec, uint64_t seed)
{
    pb_testbed p;
    if (pb_testbed_open(&p, t->fixture->path, t->fixture->random, spec, PB_CLASSES, seed))
        PB_BUG("%s", pb_error_text());
    return p;
}

pb_testbed pb_trial_start(const pb_trial *t, uint64_t seed)
{
    pb_testbed p = pb_trial_open(t, t->spec, seed);
    if (pb_testbed_start(&p))
        PB_BUG("%s", pb_error_text());
    return p;
}

void pb_trial_forward(pb_testbed *p, const pb_batch *batch, bool training, double dropout)
{
    if (pb_testbed_forward(p, batch, training, dropout))
        PB_BUG("%s", pb_error_text());
}

double *pb_trial_outputs(pb_testbed *p, const pb_batch *batch)
{
    pb_trial_forward(p, batch, false, 0);
    const pb_node *n = pb_graph_output(p->graph);
    double *x = pb_alloc((size_t)(n->rows * n->cols) * sizeof *x);
    for (int i = 0; i < n->rows * n->cols; i++)
        x[i] = (double)n->x[i];
    return x;
}

double *pb_trial_logits(pb_testbed *p)
{
    return pb_trial_outputs(p, &pb_testbed_texts);
}

double pb_trial_distance(int n, const double *a, const double *b)
{
    double worst = 0;
    for (int i = 0; i < n; i++)
        worst = fmax(worst, isfinite(a[i]) && isfinite(b[i]) ? fabs(a[i] - b[i]) : INFINITY);
    return worst;
}

void pb_trial_training_start(pb_trial_training *out, pb_testbed *p, int steps)
{
    *out = (pb_trial_training){.testbed = p, .steps = steps, .arena = pb_arena_new("training")};
    pb_option_defaults(pb_train_table, &out->options);
    out->optim = pb_optim_new(p->model, &out->options, out->arena);
}

bool pb_trial_step(pb_trial_training *r)
{
    pb_testbed *p = r->testbed;
    uint64_t key = p->key;
    p->key = pb_mix(key, (uint64_t)r->step + 1);
    pb_trial_forward(p, &pb_testbed_texts, true, 0.1);
    p->key = key;
    if (!pb_graph_loss(p->graph))
        return false;
    pb_executor_backward(p->executor, p->graph);
    pb_optim_step(r->optim, p->graph,
                  &(pb_step){.step = r->step, .steps = r->steps, .epoch = r->step / PB_TRIAL_STEPS, .rate = 0.01});
    r->step++;
    return true;
}

void pb_trial_training_end(pb_trial_training *r)
{
    pb_option_release(pb_train_table, &r->options);
    pb_model_close_state(r->testbed->model);
    pb_arena_free(r->arena);
}

void pb_trial_train(pb_testbed *p)
{
    pb_trial_training r;
    pb_trial_training_start(&r, p, PB_TRIAL_STEPS);
    while (r.step < PB_TRIAL_STEPS && pb_trial_step(&r))
        continue;
    pb_trial_training_end(&r);
}

bool pb_trial_has_step_hooks(const pb_testbed *p)
{
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].method->hooks.before_step || p->part[i].method->hooks.after_step)
            return true;
    return false;
}
