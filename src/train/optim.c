/* optim: see optim.h.  A step forks and joins the threads twice, for the norm and for the update, once more if a
 * method reads the clipped gradients, and twice more for what Adafactor computes of whole tensors. */
#include "train/optim.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "numeric/kernel.h"
#include "train/optim_internal.h"

double pb_optim_rate(const pb_train_options *o, int step, int steps)
{
    int warm = (int)lround(o->warmup * steps);
    if (step < warm)
        return o->lr * step / warm;
    double left = (steps - step) / fmax(1, steps - warm);
    return o->schedule == PB_CONSTANT_RATE ? o->lr
           : o->schedule == PB_COSINE_RATE ? o->lr * (1 - cos(M_PI * left)) / 2
                                           : o->lr * left;
}

size_t pb_optim_bytes(const pb_model *m, const pb_train_options *o)
{
    size_t bytes = pb_model_state_bytes(m), elements[PB_OPTIM_STATES];
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        if (!p->trainable)
            continue;
        pb_optim_rule_of(o)->size(o, p, elements);
        for (int k = 0; k < PB_OPTIM_STATES; k++)
            bytes += pb_arena_size(elements[k] * sizeof(pb_real));
    }
    return bytes;
}

static void add_item(pb_optim *opt, pb_param *p, pb_arena *arena)
{
    pb_optim_item *k = &opt->item[opt->items++];
    *k = (pb_optim_item){
        .param = p, .start = opt->elements, .count = pb_param_elements(p), .matrix = pb_optim_is_matrix(p)};
    opt->rule->size(opt->options, p, k->elements);
    for (int i = 0; i < PB_OPTIM_STATES; i++)
        if (k->elements[i])
            k->state[i] = pb_arena_alloc(arena, PB_OPTIMIZER, k->elements[i] * sizeof(pb_real));
    k->seen = p->slot ? pb_arena_alloc(arena, PB_META, (size_t)p->rows * sizeof *k->seen) : NULL;
    k->sums = pb_arena_alloc(arena, PB_META, (size_t)pb_threads_count() * sizeof *k->sums);
    opt->elements += k->count;
}

pb_optim *pb_optim_new(pb_model *m, const pb_train_options *o, pb_arena *arena)
{
    pb_optim *opt = pb_arena_alloc(arena, PB_META, sizeof *opt);
    opt->model = m;
    opt->options = o;
    opt->rule = pb_optim_rule_of(o);
    opt->item = pb_arena_alloc(arena, PB_META, (size_t)(pb_model_params(m) + 1) * sizeof *opt->item);
    opt->squares = pb_arena_alloc(arena, PB_META, (size_t)pb_threads_count() * sizeof *opt->squares);
    for (int i = 0; i < pb_model_params(m); i++)
        if (pb_model_param(m, i)->trainable)
            add_item(opt, pb_model_param(m, i), arena);
    pb_model_open_state(m, arena);
    return opt;
}

/* ---- the norm --------------------------------------------------------------------------------------- */

static size_t gradient_count(const pb_param *p)
{
    return (size_t)(p->slot ? p->touched : p->rows) * (size_t)p->cols;
}

static void sum_squares(void *ctx, int thread)
{
    pb_optim *opt = ctx;
    double sum = 0;
    size_t from, to;
    for (int i = 0; i < opt->items; i++) {
        const pb_optim_item *k = &opt->item[i];
        size_t n = gradient_count(k->param);
        if (!k->param->reached || !pb_optim_part(opt, k, thread, &from, &to) || from >= n)
            continue;
        sum += pb_sum_squares((to < n ? to : n) - from, k->param->g + from);
    }
    opt->squares[thread] = sum;
}

static double norm_of(pb_optim *opt)
{
    double sum = 0;
    pb_threads_run(sum_squares, opt);
    for (int t = 0; t < pb_threads_count(); t++)
        sum += opt->squares[t];
    return sqrt(sum);
}

/* ---- clipping in place, for hooks that read the gradients ------------------------------------------------ */

static void clip_part(void *ctx, int thread)
{
    const pb_optim *opt = ctx;
    size_t from, to;
    for (int i = 0; i < opt->items; i++) {
        const pb_optim_item *k = &opt->item[i];
        size_t n = gradient_count(k->param);
        if (!k->param->reached || !pb_optim_part(opt, k, thread, &from, &to))
            continue;
        for (size_t j = from; j < to && j < n; j++)
            k->param->g[j] *= (pb_real)opt->clip;
    }
}

/* Clips the gradients now instead of in the update, which then computes the same bits. */
static void clip_gradients(pb_optim *opt)
{
    if (opt->clip == 1)
        return;
    pb_threads_run(clip_part, opt);
    opt->clip = 1;
}

/* ---- the update ------------------------------------------------------------------------------------- */

static void update_range(pb_optim *opt, pb_optim_item *k, const pb_optim_range *at, int thread)
{
    (void)thread;
    opt->rule->update(opt, k, at);
}

static void update_part(void *ctx, int thread)
{
    pb_optim_ranges(ctx, thread, update_range);
}

static void mark_reached(pb_optim *opt, const pb_graph *g)
{
    for (int i = 0; i < opt->items && !pb_graph_accumulates(g); i++)
        opt->item[i].param->reached = false;
    pb_graph_mark_reached(g);
}

/* Counts the step of one reached parameter.  What the optimizer keeps begins anew if a hook wants it. */
static void count_step(pb_optim_item *k)
{
    if (k->param->restart) {
        for (int i = 0; i < PB_OPTIM_STATES && k->state[i]; i++)
            memset(k->state[i], 0, k->elements[i] * sizeof *k->state[i]);
        k->steps = 0;
        k->param->restart = false;
    }
    k->steps++;
    for (int r = 0; k->seen && r < k->param->rows; r++)
        k->seen[r] |= k->param->slot[r] >= 0;
}

static void update_all(pb_optim *opt, double rate)
{
    for (int i = 0; i < opt->items; i++) {
        pb_optim_item *k = &opt->item[i];
        k->rate = rate * k->param->rate;
        k->decay = k->matrix && k->param->kind != PB_EMBEDDING ? opt->options->decay : 0;
        if (k->param->reached)
            count_step(k);
    }
    if (opt->rule->prepare)
        opt->rule->prepare(opt);
    pb_threads_run(update_part, opt);
}

double pb_optim_step(pb_optim *opt, const pb_graph *g, const pb_step *at)
{
    const pb_train_options *o = opt->options;
    mark_reached(opt, g);
    pb_model_before_step(opt->model, at);
    double norm = norm_of(opt);
    if (!isfinite(norm))
        return norm;
    opt->step++;
    opt->clip = o->clip > 0 && norm > o->clip ? o->clip / norm : 1;
    if (pb_model_has_after_step(opt->model))
        clip_gradients(opt);
    update_all(opt, at->rate);
    pb_model_after_step(opt->model, at);
    return norm;
}

/* ---- checkpoints ------------------------------------------------------------------------------------ */

int pb_optim_each(pb_optim *opt, pb_moments_visit *visit, void *ctx)
{
    int rc = 0;
    for (int i = 0; i < opt->items && !rc; i++) {
        pb_optim_item *k = &opt->item[i];
        PB_CHECK(!k->seen && opt->options->optimizer == PB_ADAMW);
        rc = visit(ctx, k->param, &k->steps, k->state[0], k->state[1]);
    }
    return rc;
}

int pb_optim_steps(const pb_optim *opt)
{
    return opt->step;
}

void pb_optim_resume(pb_optim *opt, int steps)
{
    opt->step = steps;
    for (int i = 0; i < opt->items; i++)
        opt->item[i].steps = steps;
}
