/* train: see train.h.  The order of the examples comes from the random stream "order.EPOCH", the dropout masks from
 * "dropout". */
#include "train/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/waits.h"
#include "numeric/kernel.h"
#include "train/costs.h"
#include "train/micro_batches.h"
#include "train/optim.h"
#include "train/runner.h"
#include "train/score.h"
#include "train/stopping.h"
#include "train/trace.h"

#define CURVE_POINTS 100 /* of the training loss */

/* ---- the order of the examples: a pure function of seed and epoch ------------------------------------- */

static void epoch_order(int *order, int n, uint64_t seed, int epoch)
{
    char name[32];
    snprintf(name, sizeof name, "order.%d", epoch);
    pb_rng r = pb_rng_named(seed, name);
    for (int i = 0; i < n; i++)
        order[i] = i;
    pb_rng_shuffle(&r, order, n);
}

static int steps_per_epoch(const pb_encoded *f, const pb_train_options *o)
{
    return (f->items[PB_TRAIN] + o->batch - 1) / o->batch;
}

static int batch_size(const pb_encoded *f, const pb_train_options *o, int batch)
{
    int left = f->items[PB_TRAIN] - batch * o->batch;
    return left < o->batch ? left : o->batch;
}

static int count_trainable(const pb_model *m)
{
    int count = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        count += pb_model_param(m, i)->trainable;
    return count;
}

static int epochs_of(const pb_model *m, const pb_train_options *o)
{
    return count_trainable(m) ? o->epochs : 0; /* a method whose parameters have a closed form takes no steps */
}

/* ---- planning the whole run --------------------------------------------------------------------------- */

static size_t gradient_bytes(const pb_param *p, int touched)
{
    return pb_arena_size((size_t)(p->slot ? touched : p->rows) * (size_t)p->cols * sizeof(pb_real));
}

/* Raises most [params] to the rows that the current step touches in each table with sparse gradients. */
static void note_touched(const pb_model *m, int *most)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        if (p->trainable && p->slot && p->touched > most[i])
            most[i] = p->touched;
    }
}

static double base_dropout(const pb_runner *r, const pb_train_options *o)
{
    return o->dropout < 0 ? pb_model_config(r->model)->dropout : o->dropout;
}

/* The n examples of a step. */
static pb_step_parts step_of(const pb_runner *r, const pb_train_options *o, const int *item, int n, uint64_t key,
                             const int *touched)
{
    return (pb_step_parts){
        .batch =
            {.split = PB_TRAIN, .item = item, .count = n, .training = true, .dropout = base_dropout(r, o), .key = key},
        .accumulate = o->accumulate,
        .touched = touched};
}

/* Returns the stream of the steps' keys, one a step, by which masks and structure are drawn. */
static pb_rng step_keys(uint64_t seed)
{
    return pb_rng_named(seed, "dropout");
}

/* Whether the steps so far have reached the budget of FLOPs. */
static bool is_spent(const pb_effort *e, const pb_train_options *o)
{
    return o->max_flops > 0 && e->steps && (double)pb_effort_flops(e) >= o->max_flops;
}

/* Plans the steps of an epoch with the keys with which they will run: a method may draw its structure by them. */
static int plan_epoch(pb_runner *r, const pb_train_options *o, const int *order, pb_rng *keys, int *most,
                      pb_effort *effort)
{
    for (int b = 0; b < steps_per_epoch(r->encoded, o) && !is_spent(effort, o); b++) {
        const pb_step_parts step =
            step_of(r, o, order + b * o->batch, batch_size(r->encoded, o, b), pb_rng_next(keys), most);
        if (pb_step_plan(r, &step, effort))
            return -1;
        note_touched(r->model, most);
    }
    return 0;
}

static int plan_scoring(pb_runner *r, pb_split split, int batch)
{
    int count = r->encoded->items[split], rc = 0;
    int *item = pb_alloc((size_t)count * sizeof *item);
    for (int i = 0; i < count; i++)
        item[i] = i;
    for (int from = 0; from < count && !rc; from += batch) {
        int n = count - from < batch ? count - from : batch;
        rc =
            pb_runner_plan(r, &(pb_runner_batch){.split = split, .item = item + from, .count = n}, r->feature_size > 0);
    }
    free(item);
    bool calibrates = r->encoded->mode == PB_BY_VERBALIZER && r->encoded->calibrate;
    return rc || (calibrates && pb_runner_plan_content_free(r)) ? -1 : 0;
}

static int plan_features(pb_runner *r, const pb_train_options *o, pb_footprint *f)
{
    static const pb_split split[] = {PB_TRAIN, PB_VALIDATION};
    for (size_t i = 0; r->feature_size && i < PB_COUNT(split); i++) {
        if (pb_runner_features(r, split[i], pb_micro_batch_size(o), NULL,
                               split[i] == PB_TRAIN ? &f->effort.forward_flops : NULL))
            return -1;
        f->features += pb_runner_feature_bytes(r, split[i]);
    }
    return 0;
}

/* ---- the preparation -------------------------------------------------------------------------------------- */

/* The training split as the preparation reads it (model/start.h). */
static pb_batch make_samples(const void *encoded, pb_arena *arena, const int *item, int n)
{
    return pb_encoded_batch(encoded, arena, PB_TRAIN, item, n, true);
}

/* The caller frees class_count. */
static pb_samples samples_of(const pb_encoded *set, const pb_train_options *o, int **class_count)
{
    *class_count = pb_data_count_classes(set->data, PB_TRAIN);
    return (pb_samples){.classes = pb_data_outputs(set->data),
                        .class_count = *class_count,
                        .label_sets = set->data->answer_kind == PB_ANSWER_LABELS,
                        .numbers = set->data->answer_kind == PB_ANSWER_NUMBER,
                        .mean_number = pb_data_mean(set->data),
                        .count = set->items[PB_TRAIN],
                        .batch = pb_micro_batch_size(o),
                        .make = make_samples,
                        .ctx = set};
}

/* Plans what the methods want to know before the first step and, if `runs`, computes it and starts them. */
static int start_methods(pb_model *m, const pb_encoded *set, const pb_train_options *o, bool runs, pb_footprint *f)
{
    int *class_count;
    pb_samples samples = samples_of(set, o, &class_count);
    pb_model_checkpoint(m, o->checkpoint);
    *f = (pb_footprint){0};
    int rc = pb_model_plan_start(m, &samples, &f->prepare) || (runs && pb_model_start(m, &samples, &f->prepare)) ? -1
                                                                                                                 : 0;
    f->effort.prepare_flops = f->prepare.flops;
    free(class_count);
    return rc;
}

/* ---- the steps --------------------------------------------------------------------------------------------- */

/* Fills the rest of the footprint, and most [params] with the largest number of rows that a batch touches in each
 * table. */
static int plan_run(pb_runner *r, const pb_train_options *o, uint64_t seed, int *most, pb_footprint *f)
{
    int count = r->encoded->items[PB_TRAIN], epochs = epochs_of(r->model, o), rc = 0;
    int *order = pb_alloc((size_t)count * sizeof *order);
    pb_rng keys = step_keys(seed);
    f->weights = pb_model_weight_bytes(r->model);
    f->optimizer = pb_optim_bytes(r->model, o);
    f->best = pb_stopping_bytes(r->model, o);
    if (epochs)
        rc = plan_features(r, o, f);
    for (int e = 0; e < epochs && !rc && !is_spent(&f->effort, o); e++) {
        epoch_order(order, count, seed, e);
        rc = plan_epoch(r, o, order, &keys, most, &f->effort);
    }
    free(order);
    if (rc || plan_scoring(r, PB_VALIDATION, pb_micro_batch_size(o)))
        return -1;
    for (int i = 0; i < pb_model_params(r->model); i++)
        if (pb_model_param(r->model, i)->trainable)
            f->gradients += gradient_bytes(pb_model_param(r->model, i), most[i]);
    f->activations = r->activations;
    f->workspace = r->workspace;
    return 0;
}

int pb_train_plan(pb_model *m, const pb_encoded *set, const pb_train_options *o, uint64_t seed, pb_footprint *out)
{
    pb_runner r = pb_runner_start(m, set, epochs_of(m, o) > 0);
    int *most = pb_alloc((size_t)pb_model_params(m) * sizeof *most);
    int rc = start_methods(m, set, o, false, out) || plan_run(&r, o, seed, most, out) ? -1 : 0;
    free(most);
    pb_runner_stop(&r);
    return rc;
}

/* ---- the loop --------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct trainer {
    pb_runner runner;
    const pb_task *task;
    const pb_train_options *options;
    int together; /* examples that run together, pb_micro_batch_size */
    uint64_t seed;
    const pb_progress *progress;
    pb_result *out;
    pb_arena *arena; /* holds the gradients, moments and features of the run */
    pb_optim *optim;
    pb_stopping stopping;
    char score[64]; /* key of the value by which epochs are compared */
    pb_footprint footprint;
    pb_effort done; /* of the steps so far */
    int *touched;   /* [params] the rows for which the gradient of a table has memory */
    pb_trace trace;
    pb_rng keys;     /* one key per step */
    double *seconds; /* [steps] */
    double *losses;  /* [steps] */
    double prepare_seconds, feature_seconds;
    double seconds_used; /* of these and the steps so far, without validation */
    double loss_sum;     /* since the last point of the curve */
    int loss_count;
} trainer;

static void allocate_gradients(trainer *t)
{
    pb_model *m = t->runner.model;
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        if (p->trainable)
            p->g = pb_arena_alloc(t->arena, PB_GRADIENTS, gradient_bytes(p, t->touched[i]));
    }
}

/* Forgets what the arena of the run owns. */
static void forget_gradients(pb_model *m)
{
    pb_model_close_state(m);
    for (int i = 0; i < pb_model_params(m); i++)
        pb_model_param(m, i)->g = NULL;
}

/* Plans and runs the preparation. */
static int start_run(trainer *t)
{
    double start = pb_clock();
    if (start_methods(t->runner.model, t->runner.encoded, t->options, true, &t->footprint))
        return -1;
    t->done.prepare_flops = t->footprint.prepare.flops;
    t->prepare_seconds = t->seconds_used = t->done.prepare_flops ? pb_clock() - start : 0;
    return 0;
}

/* Plans the steps and allocates all that they need before the first one. */
static int prepare_run(trainer *t)
{
    pb_runner *r = &t->runner;
    t->touched = pb_arena_alloc(t->arena, PB_META, (size_t)pb_model_params(r->model) * sizeof *t->touched);
    int rc = plan_run(r, t->options, t->seed, t->touched, &t->footprint);
    if (!rc) {
        allocate_gradients(t);
        t->optim = pb_optim_new(r->model, t->options, t->arena);
        bool higher = pb_score_selector(r->encoded, t->task, PB_VALIDATION, t->score);
        t->stopping = pb_stopping_start(r->model, t->options, higher, t->arena);
        t->losses = pb_arena_alloc(t->arena, PB_META, (size_t)(t->footprint.effort.steps + 1) * sizeof *t->losses);
        t->seconds = pb_arena_alloc(t->arena, PB_META, (size_t)(t->footprint.effort.steps + 1) * sizeof *t->seconds);
    }
    if (rc || !r->feature_size)
        return rc;
    double start = pb_clock();
    rc = pb_runner_features(r, PB_TRAIN, t->together, t->arena, &t->done.forward_flops);
    t->feature_seconds = pb_clock() - start;
    t->seconds_used += t->feature_seconds;
    return rc || pb_runner_features(r, PB_VALIDATION, t->together, t->arena, NULL) ? -1 : 0;
}

/* Ends a point of the learning curve: the mean loss since the point before. */
static void end_point(trainer *t)
{
    if (t->loss_count)
        pb_result_put(t->out, PB_TRAIN, t->done.steps, t->loss_sum / t->loss_count, "train.loss");
    t->loss_sum = t->loss_count = 0;
}

/* Adds a step to the learning curve, which gets about CURVE_POINTS points. */
static void extend_curve(trainer *t, double loss)
{
    int steps = t->footprint.effort.steps, every = steps > CURVE_POINTS ? steps / CURVE_POINTS : 1;
    t->loss_sum += loss;
    t->loss_count++;
    if (t->done.steps % every == 0)
        end_point(t);
}

/* Takes one step.  Returns 1 if the run has diverged, -1 with an error. */
static int take_step(trainer *t, const int *item, int n)
{
    double start = pb_clock();
    const pb_step_parts step = step_of(&t->runner, t->options, item, n, pb_rng_next(&t->keys), t->touched);
    int steps = t->footprint.effort.steps, number = t->done.steps;
    double loss;
    if (pb_step_run(&t->runner, &step, &t->done, &loss))
        return -1;
    const pb_step at = {
        .step = number, .steps = steps, .epoch = t->stopping.epochs, .rate = pb_optim_rate(t->options, number, steps)};
    double norm = pb_optim_step(t->optim, t->runner.graph, &at);
    if (*pb_error_text())
        return pb_error_prefix("step %d", at.step); /* of a method's hook */
    t->seconds[number] = pb_clock() - start;
    t->seconds_used += t->seconds[number];
    t->losses[number] = loss;
    extend_curve(t, loss);
    if (pb_trace_step(&t->trace, t->done.steps, loss, norm))
        return -1;
    if (t->progress && t->progress->step)
        t->progress->step(t->progress->ctx, t->done.steps, steps, loss);
    return !isfinite(loss) || !isfinite(norm);
}

/* Scores the epoch that has ended. */
static int end_epoch(trainer *t)
{
    if (pb_score_runner(&t->runner, t->task, PB_VALIDATION, t->together, t->done.steps, t->out))
        return -1;
    if (pb_stopping_note(&t->stopping, pb_result_at(t->out, PB_VALIDATION, t->done.steps, t->score))) {
        pb_result_put(t->out, -1, -1, t->seconds_used, "compute.seconds_to_target");
        pb_result_put(t->out, -1, -1, (double)pb_effort_flops(&t->done), "compute.flops_to_target");
    }
    return 0;
}

/* Whether all that the methods have changed are numbers.  The loss of the next step would tell, but after the last one
 * there is none. */
static bool is_finite(const pb_model *m)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        size_t n = p->x && (p->trainable || p->kind == PB_ADDED) ? (size_t)p->rows * (size_t)p->cols : 0;
        for (size_t k = 0; k < n; k++)
            if (!isfinite(p->x[k]))
                return false;
    }
    return true;
}

/* Whether the clock has ended the run: the steps so far have used up the budget of seconds, and there would be more. */
static bool is_out_of_time(const trainer *t)
{
    double most = t->options->max_seconds;
    return most > 0 && t->done.steps && t->done.steps < t->footprint.effort.steps && t->seconds_used >= most;
}

/* Whether the run has taken its last step: that of all epochs, or the one that reaches a budget. */
static bool is_over(const trainer *t)
{
    return t->done.steps >= t->footprint.effort.steps || is_out_of_time(t);
}

/* Returns 1 if the run has diverged, -1 with an error. */
static int run_epochs(trainer *t)
{
    const pb_encoded *f = t->runner.encoded;
    const pb_train_options *o = t->options;
    int *order = pb_alloc((size_t)f->items[PB_TRAIN] * sizeof *order), rc = 0;
    int epochs = t->footprint.effort.steps ? o->epochs : 0;
    for (int e = 0; e < epochs && !rc && !is_over(t) && !pb_stopping_due(&t->stopping); e++) {
        epoch_order(order, f->items[PB_TRAIN], t->seed, e);
        for (int b = 0; b < steps_per_epoch(f, o) && !rc && !is_over(t); b++)
            rc = take_step(t, order + b * o->batch, batch_size(f, o, b));
        if (!rc)
            rc = is_finite(t->runner.model) ? end_epoch(t) : 1;
    }
    free(order);
    return rc;
}

/* What the run has used must be what was planned.  This holds for every run, not only in tests. */
static void check_plan(const trainer *t)
{
    const pb_footprint *f = &t->footprint;
    PB_CHECK(pb_arena_high(t->arena, PB_GRADIENTS) == f->gradients);
    PB_CHECK(pb_arena_high(t->arena, PB_OPTIMIZER) == f->optimizer && pb_arena_high(t->arena, PB_BEST) == f->best);
    PB_CHECK(pb_arena_high(t->arena, PB_ACTIVATIONS) == f->features);
    PB_CHECK(t->runner.activations == f->activations && t->runner.workspace == f->workspace);
    if (t->done.steps < f->effort.steps)
        return; /* the run has ended early */
    PB_CHECK(t->done.steps == f->effort.steps && t->done.tokens == f->effort.tokens);
    PB_CHECK(t->done.forward_flops == f->effort.forward_flops && t->done.backward_flops == f->effort.backward_flops);
    PB_CHECK(t->done.recompute_flops == f->effort.recompute_flops);
}

static void put_times(trainer *t)
{
    int steps = t->done.steps;
    double sum = t->seconds_used;
    pb_result_put(t->out, -1, -1, sum, "compute.train_seconds");
    if (!steps)
        return;
    qsort(t->seconds, (size_t)steps, sizeof *t->seconds, by_value);
    pb_result_put(t->out, -1, -1, 1000 * t->seconds[steps / 2], "compute.step_ms");
    pb_result_put(t->out, -1, -1, (double)t->done.tokens / (sum - t->prepare_seconds), "compute.tokens_per_s");
}

static double mean_of(int n, const double *x)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] / n;
    return sum;
}

/* Puts the mean loss of the first and the last epoch, or of the two halves of a run of one epoch. */
static void put_losses(const trainer *t)
{
    int steps = t->done.steps, n = steps_per_epoch(t->runner.encoded, t->options);
    n = n > steps / 2 ? steps / 2 : n;
    if (!n)
        return;
    pb_result_put(t->out, -1, -1, mean_of(n, t->losses), "train.first_loss");
    pb_result_put(t->out, -1, -1, mean_of(n, t->losses + steps - n), "train.last_loss");
}

/* Puts the number of steps of a run that a budget has ended. */
static void put_budget(const trainer *t)
{
    if (is_out_of_time(t))
        pb_result_put(t->out, -1, -1, t->done.steps, "train.clock_steps");
    long long all = (long long)t->options->epochs * steps_per_epoch(t->runner.encoded, t->options);
    int steps = t->footprint.effort.steps;
    if (steps && steps < all && t->done.steps == steps)
        pb_result_put(t->out, -1, -1, steps, "train.steps");
}

static void put_epochs(const pb_stopping *s, pb_result *out)
{
    pb_result_put(out, -1, -1, s->epochs, "train.epochs");
    if (s->best)
        pb_result_put(out, -1, -1, s->best, "train.best_epoch");
}

/* Scores the result of the training on validation. */
static int score_result(trainer *t)
{
    pb_stopping_restore(&t->stopping);
    return pb_score_runner(&t->runner, t->task, PB_VALIDATION, t->together, -1, t->out);
}

static int train_and_score(trainer *t)
{
    if (start_run(t) || prepare_run(t) ||
        pb_trace_start(&t->trace, &t->runner, t->together, t->footprint.effort.steps, t->out))
        return -1;
    pb_waits waits = pb_waits_now();
    int rc = run_epochs(t);
    if (rc < 0)
        return -1;
    if (t->done.steps)
        pb_result_put(t->out, -1, -1, pb_waits_since(&waits), "compute.step_contention");
    end_point(t);
    if (rc > 0)
        snprintf(t->out->status, sizeof t->out->status, "diverged");
    else if (score_result(t))
        return -1;
    check_plan(t);
    pb_costs_storage(t->runner.model, t->out);
    pb_costs_footprint(&t->footprint, t->out);
    pb_costs_preparation(&t->footprint, t->out);
    pb_costs_effort(&t->done, t->out);
    put_epochs(&t->stopping, t->out);
    put_budget(t);
    put_losses(t);
    put_times(t);
    if (!rc && pb_costs_change(t->runner.model, t->runner.encoded->prefix_cached, t->out)) /* after the peak was read */
        return -1;
    return pb_trace_end(&t->trace, rc > 0);
}

int pb_train(pb_model *m, const pb_encoded *set, const pb_task *task, const pb_train_options *o, uint64_t seed,
             const pb_progress *progress, pb_result *out)
{
    trainer t = {.runner = pb_runner_start(m, set, epochs_of(m, o) > 0),
                 .task = task,
                 .options = o,
                 .together = pb_micro_batch_size(o),
                 .seed = seed,
                 .progress = progress,
                 .out = out,
                 .arena = pb_arena_new("run"),
                 .keys = step_keys(seed)};
    int rc = train_and_score(&t);
    forget_gradients(m);
    pb_runner_stop(&t.runner);
    pb_arena_free(t.arena);
    return rc;
}
