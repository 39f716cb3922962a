/* checks_gradient: gradients and plans: see checks.h. */
#include "verify/checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/op_softmax.h"

/* ---- slopes ------------------------------------------------------------------------------------------------------ */

/* The tolerance of finite differences relative to the slope, their step for all tensors at once, their steps for one
 * tensor, and the error of a slope by rounding. */
#ifdef PB_REAL_DOUBLE
#define SLOPE 1e-6
#define STEP 1e-5
#define ROUNDING 1e-9
enum { LONG_STEPS = false };
static const double steps[] = {1e-3, 1e-4, 1e-5, 1e-6, 1e-7}; /* the shortest: a wide layer has a kink nearby */
#else
#define SLOPE 3e-2
#define STEP 1e-2
#define ROUNDING 2e-5
enum { LONG_STEPS = true };
static const double steps[] = {1e-2, 2.5e-3, 4e-2};
#endif

static void forward(pb_testbed *p)
{
    pb_trial_forward(p, &pb_testbed_texts, true, 0.1); /* the dropout masks are always the same */
}

static double loss_of(pb_testbed *p)
{
    forward(p);
    return (double)pb_graph_loss(p->graph)->x[0];
}

/* Moves all trainable parameters along `direction` by x. */
static void move(pb_testbed *p, const double *direction, double x)
{
    size_t at = 0;
    for (int i = 0; i < pb_model_params(p->model); i++) {
        pb_param *one = pb_model_param(p->model, i);
        for (size_t k = 0; one->trainable && k < pb_param_elements(one); k++)
            one->x[k] += (pb_real)(x * direction[at++]);
    }
}

/* A random direction of length 1 in n dimensions. */
static double *random_direction(size_t n)
{
    double *d = pb_alloc((n + 1) * sizeof *d), sum = 0;
    pb_rng rng = pb_rng_named(4, "direction");
    for (size_t i = 0; i < n; i++) {
        d[i] = pb_rng_normal(&rng);
        sum += d[i] * d[i];
    }
    for (size_t i = 0; i < n; i++)
        d[i] /= sqrt(sum);
    return d;
}

static double product(size_t n, const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The slope of the loss along a direction of all trainable parameters. */
static double slope(pb_testbed *p, const double *d, double step)
{
    move(p, d, step);
    double up = loss_of(p);
    move(p, d, -2 * step);
    double got = (up - loss_of(p)) / (2 * step);
    move(p, d, step);
    return got;
}

/* Compares the gradient g of all trainable parameters with finite differences along one random direction.  A long step
 * may cross the kink of a ReLU, so shorter ones are tried too. */
static bool has_slope(pb_trial *t, pb_testbed *p, size_t n, const double *g)
{
    double *d = random_direction(n), want = product(n, g, d), got = 0;
    bool equal = false;
    for (double step = STEP; step > STEP / 20 && !equal; step /= 4) {
        got = slope(p, d, step);
        equal = fabs(got - want) <= SLOPE * fmax(fabs(want), 0.02);
    }
    free(d);
    if (!equal)
        pb_trial_broken(t, "the directional derivative is %.6g, finite differences give %.6g", want, got);
    return equal;
}

/* Moves one tensor, which begins as `start`, by x along a direction, and returns the loss. */
static double loss_at(pb_testbed *p, pb_param *one, const pb_real *start, const double *d, double x)
{
    for (size_t k = 0; k < pb_param_elements(one); k++)
        one->x[k] = start[k] + (pb_real)(x * d[k]);
    return loss_of(p);
}

/* The slope of the loss along a direction of one tensor, by differences of fourth order. */
static double tensor_slope(pb_testbed *p, pb_param *one, const double *d, double step)
{
    static const double factor[] = {1. / 12, -8. / 12, 8. / 12, -1. / 12};
    static const int at[] = {-2, -1, 1, 2};
    size_t bytes = pb_param_elements(one) * sizeof *one->x;
    pb_real *start = pb_alloc(bytes);
    double sum = 0;
    memcpy(start, one->x, bytes);
    for (size_t i = 0; i < PB_COUNT(at); i++)
        sum += factor[i] * loss_at(p, one, start, d, at[i] * step) / step;
    memcpy(one->x, start, bytes);
    free(start);
    return sum;
}

/* The slope between two points, one step away on either side, and in *want the mean of the slopes that the gradient has
 * at points between them.  Both are equal whatever kinks of a ReLU are there. */
static double slope_between(pb_testbed *p, pb_param *one, const double *d, double step, double *want)
{
    enum { POINTS = 16 };
    size_t n = pb_param_elements(one);
    pb_real *start = pb_alloc(n * sizeof *start);
    memcpy(start, one->x, n * sizeof *start);
    double up = loss_at(p, one, start, d, step), down = loss_at(p, one, start, d, -step);
    *want = 0;
    for (int i = 0; i < POINTS; i++) {
        loss_at(p, one, start, d, step * ((2 * i + 1.) / POINTS - 1));
        pb_executor_backward(p->executor, p->graph);
        for (size_t k = 0; k < n; k++)
            *want += d[k] * pb_testbed_gradient(one, k) / POINTS;
    }
    memcpy(one->x, start, n * sizeof *start);
    free(start);
    return (up - down) / (2 * step);
}

/* Compares the slope along one direction.  Tries several steps, since a long one may cross the kink of a ReLU, and the
 * difference of a short one is rounded; then the slope over an interval. */
static bool tensor_has_slope(pb_trial *t, pb_testbed *p, pb_param *one, const double *g, const double *d,
                             double tolerance)
{
    double want = product(pb_param_elements(one), g, d), got = 0;
    for (size_t i = 0; i < PB_COUNT(steps); i++) {
        got = tensor_slope(p, one, d, steps[i]);
        if (fabs(got - want) <= tolerance + ROUNDING)
            return true;
    }
    got = slope_between(p, one, d, steps[0], &want);
    if (fabs(got - want) <= tolerance + ROUNDING)
        return true;
    pb_trial_broken(t, "%s: the directional derivative is %.6g, finite differences give %.6g", one->name, want, got);
    return false;
}

/* Compares the gradient g of one tensor with finite differences along two directions.  One is random, and the slope
 * along it is about |g| / sqrt(n).  The other one has the signs of the gradient, so that the slopes of all elements
 * add up. */
static bool tensor_has_slopes(pb_trial *t, pb_testbed *p, pb_param *one, const double *g)
{
    size_t n = pb_param_elements(one);
    double *d = random_direction(n);
    bool good = tensor_has_slope(t, p, one, g, d, 3 * SLOPE * sqrt(product(n, g, g) / (double)n));
    for (size_t k = 0; k < n; k++)
        d[k] = g[k] * d[k] < 0 ? -d[k] : d[k];
    good = good && tensor_has_slope(t, p, one, g, d, SLOPE * product(n, g, d));
    free(d);
    return good;
}

/* Compares the gradient with differences for all parameters together and for each tensor, because the slope of a small
 * tensor, or of one behind a scale near zero, disappears in the sum.  The parameters are moved away from their start,
 * since a scale that is zero hides the gradients of all that it multiplies.  The steps of single precision would cross
 * the jumps of a choice of the largest elements; the double build checks these methods. */
pb_outcome pb_check_slope(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    pb_testbed_perturb(&p, 0.05);
    forward(&p); /* a graph in which nothing trains has no loss */
    bool jumps = LONG_STEPS && pb_graph_chooses_largest(p.graph), good = true;
    bool promised = pb_model_counts(p.model).trainable && !pb_graph_stops_gradient(p.graph) && !jumps;
    if (promised) {
        size_t n, at = 0;
        pb_executor_backward(p.executor, p.graph);
        double *g = pb_testbed_gradients(&p, &n);
        good = has_slope(t, &p, n, g);
        for (int i = 0; i < pb_model_params(p.model) && good; i++) {
            pb_param *one = pb_model_param(p.model, i);
            good = !one->trainable || tensor_has_slopes(t, &p, one, g + at);
            at += one->trainable ? pb_param_elements(one) : 0;
        }
        free(g);
    }
    pb_testbed_close(&p);
    return !promised ? PB_NOT_PROMISED : good ? PB_HELD : PB_BROKEN;
}

/* ---- penalties --------------------------------------------------------------------------------------------------- */

/* Writes what the methods add to the loss of a training batch; returns false if it is nothing. */
static bool penalty_of(pb_testbed *p, double *value)
{
    pb_arena_reset(p->arena);
    p->graph = pb_graph_new(p->arena, true);
    if (pb_model_build(p->model, p->graph, &pb_testbed_texts, 0.1, p->key, &p->out))
        PB_BUG("%s", pb_error_text());
    if (!p->out.penalty)
        return false;
    if (pb_graph_plan(p->graph, p->out.penalty, NULL, &p->plan))
        PB_BUG("%s", pb_error_text());
    pb_executor_bind(p->executor, p->graph, &p->plan);
    pb_executor_forward(p->executor, p->graph);
    *value = (double)pb_graph_output(p->graph)->x[0];
    return true;
}

/* That the gradient of a penalty is its slope is a part of pb_check_slope, since it is a part of the loss.  Its sign is
 * not: training would increase what is to be penalized.  A penalty is never less than 0. */
pb_outcome pb_check_penalty(pb_trial *t)
{
    static const char *const when[] = {"at the start", "after three steps", "away from the start"};
    pb_testbed p = pb_trial_start(t, 1);
    pb_outcome outcome = PB_NOT_PROMISED;
    double value;
    for (size_t i = 0; i < PB_COUNT(when) && outcome != PB_BROKEN && penalty_of(&p, &value); i++) {
        outcome = value >= -ROUNDING
                      ? PB_HELD
                      : pb_trial_broken(t,
                                        "%s the penalty is %.3g; it rewards instead, look at the sign of "
                                        "its weight in pb_penalty, or of the hook `consistency`",
                                        when[i], value);
        if (i == 0)
            pb_trial_train(&p);
        else
            pb_testbed_perturb(&p, 0.5);
    }
    pb_testbed_close(&p);
    return outcome;
}

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

pb_outcome pb_check_kept(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    size_t n;
    double *g[2];
    pb_testbed_perturb(&p, 0.05);
    for (int turn = 0; turn < 2; turn++) {
        pb_trial_forward(&p, &pb_testbed_texts, true, 0.1);
        if (turn && pb_graph_loss(p.graph))
            pb_executor_poison(p.executor, p.graph);
        if (pb_graph_loss(p.graph))
            pb_executor_backward(p.executor, p.graph);
        g[turn] = pb_testbed_gradients(&p, &n);
    }
    bool good = !memcmp(g[0], g[1], n * sizeof **g);
    free(g[0]);
    free(g[1]);
    pb_testbed_close(&p);
    return good ? PB_HELD : pb_trial_broken(t, "a gradient reads a value that the plan does not keep");
}

/* A plan rounds the size of each tensor up to 64 bytes. */
static bool is_planned(size_t touched, const pb_plan *plan)
{
    return touched <= plan->activations && touched + 64 > plan->activations;
}

/* Runs a training batch with the testbed's key and compares what it takes with the plan of a graph that was built by
 * the same key before, as training does. */
static bool runs_as_planned(pb_trial *t, pb_testbed *p)
{
    if (pb_testbed_plan(p, &pb_testbed_texts, true, 0.1))
        PB_BUG("%s", pb_error_text());
    const pb_plan plan = p->plan;
    pb_executor_watch(p->executor, true);
    pb_trial_forward(p, &pb_testbed_texts, true, 0.1);
    uint64_t there = pb_executor_flops(p->executor), back = 0;
    if (pb_graph_loss(p->graph)) {
        pb_executor_backward(p->executor, p->graph);
        back = pb_executor_flops(p->executor);
    }
    size_t touched = pb_executor_touched(p->executor);
    uint64_t planned = plan.backward_flops + plan.recompute_flops;
    bool again = p->plan.nodes == plan.nodes && p->plan.forward_flops == plan.forward_flops &&
                 p->plan.activations == plan.activations;
    if (!again)
        pb_trial_broken(
            t,
            "built twice with one key, the graph has %d and %d operations, %zu and %zu bytes; look for a hook "
            "that draws otherwise than by pb_draw, or that remembers something",
            plan.nodes, p->plan.nodes, plan.activations, p->plan.activations);
    else if (there != plan.forward_flops || back != planned || !is_planned(touched, &plan))
        pb_trial_broken(
            t,
            "%zu bytes and %llu + %llu FLOPs; the plan has %zu and %llu + %llu; look at `reads` and `flops` of "
            "the method's own operations",
            touched, (unsigned long long)there, (unsigned long long)back, plan.activations,
            (unsigned long long)plan.forward_flops, (unsigned long long)planned);
    else
        return true;
    return false;
}

/* The structure of the graph may be drawn by the key of a step, so several are tried. */
pb_outcome pb_check_plan(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    bool good = true;
    for (p.key = 1; p.key <= 4 && good; p.key++)
        good = runs_as_planned(t, &p);
    pb_testbed_close(&p);
    return good ? PB_HELD : PB_BROKEN;
}

/* Gradient checkpointing: identical gradients, bytes and FLOPs as planned, and only kept values are read. */
pb_outcome pb_check_recompute(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    size_t n;
    double *g[3];
    bool good = true;
    pb_testbed_perturb(&p, 0.05);
    for (int turn = 0; turn < 3;
         turn++) { /* without checkpoints; with them; and with all memory overwritten that they do not keep */
        pb_model_checkpoint(p.model, turn > 0);
        pb_executor_watch(p.executor, turn == 1);
        pb_trial_forward(&p, &pb_testbed_texts, true, 0.1);
        bool trains = pb_graph_loss(p.graph) != NULL;
        if (turn == 2 && trains)
            pb_executor_poison(p.executor, p.graph);
        if (trains)
            pb_executor_backward(p.executor, p.graph);
        g[turn] = pb_testbed_gradients(&p, &n);
        if (turn == 1 && trains)
            good = pb_executor_flops(p.executor) == p.plan.backward_flops + p.plan.recompute_flops &&
                   is_planned(pb_executor_touched(p.executor), &p.plan);
    }
    good = good && !memcmp(g[0], g[1], n * sizeof **g) && !memcmp(g[0], g[2], n * sizeof **g);
    for (int turn = 0; turn < 3; turn++)
        free(g[turn]);
    pb_testbed_close(&p);
    return good ? PB_HELD
                : pb_trial_broken(
                      t, "gradient checkpointing changes gradients, or its bytes or FLOPs differ from the plan");
}
