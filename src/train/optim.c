/* optim: see optim.h.  A step forks and joins the threads twice, for the norm and for the update, and once more if a
 * method reads the clipped gradients. */
#include "train/optim.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "numeric/kernel.h"

typedef struct moments {
    pb_param *param;
    size_t start, count; /* its range in the concatenation of all trainable parameters */
    pb_real *first, *second;
    int steps; /* that have updated it */
    double bias1, bias2;
    bool *seen; /* of a table with sparse gradients: the rows that have moments; else NULL */
} moments;

struct pb_optim {
    pb_model *model;
    const pb_train_options *options;
    moments *item;
    int items;
    size_t elements;
    int step;
    pb_adamw rule;   /* of the current step */
    double *squares; /* [threads] sums of the squares of the gradients */
};

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

size_t pb_optim_bytes(const pb_model *m)
{
    size_t bytes = pb_model_state_bytes(m);
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        bytes += p->trainable ? 2 * pb_arena_size(pb_param_elements(p) * sizeof(pb_real)) : 0;
    }
    return bytes;
}

static void add_item(pb_optim *opt, pb_param *p, pb_arena *arena)
{
    moments *k = &opt->item[opt->items++];
    *k = (moments){.param = p, .start = opt->elements, .count = pb_param_elements(p)};
    k->first = pb_arena_alloc(arena, PB_OPTIMIZER, k->count * sizeof(pb_real));
    k->second = pb_arena_alloc(arena, PB_OPTIMIZER, k->count * sizeof(pb_real));
    k->seen = p->slot ? pb_arena_alloc(arena, PB_META, (size_t)p->rows * sizeof *k->seen) : NULL;
    opt->elements += k->count;
}

pb_optim *pb_optim_new(pb_model *m, const pb_train_options *o, pb_arena *arena)
{
    pb_optim *opt = pb_arena_alloc(arena, PB_META, sizeof *opt);
    opt->model = m;
    opt->options = o;
    opt->item = pb_arena_alloc(arena, PB_META, (size_t)(pb_model_params(m) + 1) * sizeof *opt->item);
    opt->squares = pb_arena_alloc(arena, PB_META, (size_t)pb_threads_count() * sizeof *opt->squares);
    for (int i = 0; i < pb_model_params(m); i++)
        if (pb_model_param(m, i)->trainable)
            add_item(opt, pb_model_param(m, i), arena);
    pb_model_open_state(m, arena);
    return opt;
}

/* ---- division among threads ---------------------------------------------------------------------- */

#define GRAIN 1024 /* elements */

/* Sets the thread's part [*from, *to) of one parameter, relative to its start.  Returns false if it has none. */
static bool part_of(const pb_optim *opt, const moments *k, int thread, size_t *from, size_t *to)
{
    int units = (int)((opt->elements + GRAIN - 1) / GRAIN), a, b;
    pb_threads_share(units, 1, thread, &a, &b);
    size_t low = (size_t)a * GRAIN, high = (size_t)b * GRAIN, end = k->start + k->count;
    if (low >= end || high <= k->start)
        return false;
    *from = low > k->start ? low - k->start : 0;
    *to = (high < end ? high : end) - k->start;
    return *from < *to;
}

static size_t gradient_count(const pb_param *p)
{
    return (size_t)(p->slot ? p->touched : p->rows) * (size_t)p->cols;
}

/* ---- the norm --------------------------------------------------------------------------------------- */

static void sum_squares(void *ctx, int thread)
{
    pb_optim *opt = ctx;
    double sum = 0;
    size_t from, to;
    for (int i = 0; i < opt->items; i++) {
        const moments *k = &opt->item[i];
        size_t n = gradient_count(k->param);
        if (!k->param->reached || !part_of(opt, k, thread, &from, &to) || from >= n)
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
        const moments *k = &opt->item[i];
        size_t n = gradient_count(k->param);
        if (!k->param->reached || !part_of(opt, k, thread, &from, &to))
            continue;
        for (size_t j = from; j < to && j < n; j++)
            k->param->g[j] *= (pb_real)opt->rule.clip;
    }
}

/* Clips the gradients now instead of in the update, which then computes the same bits. */
static void clip_gradients(pb_optim *opt)
{
    if (opt->rule.clip == 1)
        return;
    pb_threads_run(clip_part, opt);
    opt->rule.clip = 1;
}

/* ---- the update ------------------------------------------------------------------------------------- */

/* A matrix decays even if it has one row, such as A of a LoRA of rank 1 or the weight of a head with one output. */
static bool decays(const pb_param *p)
{
    bool known = p->kind == PB_ADDED || p->kind == PB_HEAD;
    return known ? !p->vector : p->rows > 1 && p->kind != PB_EMBEDDING;
}

static void update_range(const pb_adamw *rule, const moments *k, size_t from, size_t n, const pb_real *g)
{
    pb_adamw_step(rule, n, k->param->x + from, g, k->first + from, k->second + from);
}

/* Updates a table row by row.  The first and the last row may be shared with another thread. */
static void update_table(const pb_adamw *rule, const moments *k, size_t from, size_t to)
{
    const pb_param *p = k->param;
    size_t cols = (size_t)p->cols;
    for (size_t at = from, next; at < to; at = next) {
        size_t row = at / cols, column = at % cols;
        next = (row + 1) * cols < to ? (row + 1) * cols : to;
        if (k->seen[row])
            update_range(rule, k, at, next - at, p->slot[row] < 0 ? NULL : p->g + (size_t)p->slot[row] * cols + column);
    }
}

static void update_part(void *ctx, int thread)
{
    const pb_optim *opt = ctx;
    size_t from, to;
    for (int i = 0; i < opt->items; i++) {
        const moments *k = &opt->item[i];
        if (!k->param->reached || !part_of(opt, k, thread, &from, &to))
            continue;
        pb_adamw rule = opt->rule;
        rule.lr *= k->param->rate;
        rule.decay = decays(k->param) ? rule.decay : 0;
        rule.bias1 = k->bias1;
        rule.bias2 = k->bias2;
        if (k->seen)
            update_table(&rule, k, from, to);
        else
            update_range(&rule, k, from, to - from, k->param->g + from);
    }
}

static void mark_reached(pb_optim *opt, const pb_graph *g)
{
    for (int i = 0; i < opt->items; i++)
        opt->item[i].param->reached = false;
    pb_graph_mark_reached(g);
}

/* Counts the step of one reached parameter, and corrects for its moments' start at zero.  They begin anew if a hook
 * wants it. */
static void count_step(const pb_train_options *o, moments *k)
{
    if (k->param->restart) {
        memset(k->first, 0, k->count * sizeof *k->first);
        memset(k->second, 0, k->count * sizeof *k->second);
        k->steps = 0;
        k->param->restart = false;
    }
    k->steps++;
    k->bias1 = 1 - pow(o->beta1, k->steps);
    k->bias2 = 1 - pow(o->beta2, k->steps);
    for (int r = 0; k->seen && r < k->param->rows; r++)
        k->seen[r] |= k->param->slot[r] >= 0;
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
    opt->rule = (pb_adamw){.lr = at->rate,
                           .beta1 = o->beta1,
                           .beta2 = o->beta2,
                           .eps = o->eps,
                           .decay = o->decay,
                           .clip = o->clip > 0 && norm > o->clip ? o->clip / norm : 1};
    if (pb_model_has_after_step(opt->model))
        clip_gradients(opt);
    for (int i = 0; i < opt->items; i++)
        if (opt->item[i].param->reached)
            count_step(o, &opt->item[i]);
    pb_threads_run(update_part, opt);
    pb_model_after_step(opt->model, at);
    return norm;
}

/* ---- checkpoints ------------------------------------------------------------------------------------ */

int pb_optim_each(pb_optim *opt, pb_moments_visit *visit, void *ctx)
{
    int rc = 0;
    for (int i = 0; i < opt->items && !rc; i++) {
        PB_CHECK(!opt->item[i].seen);
        rc = visit(ctx, opt->item[i].param, &opt->item[i].steps, opt->item[i].first, opt->item[i].second);
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
