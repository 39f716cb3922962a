/* start: see start.h. */
#include "model/start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "model/internal.h"

/* A tensor whose gradient is asked for. */
typedef struct watched {
    pb_param *param;
    pb_real *sum, *squares; /* of the gradients, or NULL: not asked for; without values in a plan */
} watched;

typedef struct preparation {
    pb_model *m;
    const pb_samples *data;
    bool runs;       /* or only plans */
    unsigned asks;   /* of all methods */
    int examples;    /* that are drawn */
    int *order;      /* [data->count] the first `examples` are drawn */
    bool *trainable; /* [params] as it was */
    watched *watched;
    int count;       /* of watched */
    pb_arena *arena; /* holds the statistics and gradients */
    pb_arena *step;  /* holds the graph of the current batch */
    pb_executor *executor;
    double targets;                                /* predictions that the examples so far ask for */
    pb_gram **gram;                                /* [sites] */
    const pb_real **inputs, **gradient, **squares; /* [sites] as in pb_training_stats, for all methods together */
    pb_preparation used;
} preparation;

/* ---- what is asked --------------------------------------------------------------------------------------- */

static unsigned asks_of(const pb_attached *part)
{
    return part->method->hooks.asks ? part->method->hooks.asks(part->conf) : 0;
}

/* The bits that the methods which target the site ask for. */
static unsigned asks_at(const pb_model *m, const pb_site *site)
{
    unsigned asks = 0;
    for (int part = 0; part < m->parts && site->w; part++)
        if (pb_model_targets(m, part, site))
            asks |= asks_of(&m->part[part]);
    return asks;
}

/* Returns the method's setting `samples`. */
static int samples_of(const pb_attached *part)
{
    const pb_option *o = pb_option_find(part->method->settings.options, "samples");
    if (!o || o->type != PB_INT)
        PB_BUG("%s: a method that asks for statistics has an integer setting 'samples'", part->method->name);
    return *(const int *)(const void *)((const char *)part->conf + o->offset);
}

/* Sets asks and examples.  All methods see the same examples. */
static int read_wishes(preparation *p)
{
    const pb_attached *first = NULL;
    for (int i = 0; i < p->m->parts; i++) {
        const pb_attached *part = &p->m->part[i];
        if (!asks_of(part))
            continue;
        if (first && samples_of(part) != samples_of(first))
            return pb_error("%s and %s: samples: %d and %d; want one number for both", first->method->name,
                            part->method->name, samples_of(first), samples_of(part));
        first = part;
        p->asks |= asks_of(part);
        p->examples = samples_of(part) < p->data->count ? samples_of(part) : p->data->count;
    }
    return !p->asks || p->examples ? 0
                                   : pb_error("%s: there is no training example to start from", first->method->name);
}

static void draw_examples(preparation *p)
{
    pb_rng rng = pb_rng_named(p->m->seed, "samples");
    p->order = pb_arena_alloc(p->arena, PB_META, (size_t)p->data->count * sizeof *p->order);
    for (int i = 0; i < p->data->count; i++)
        p->order[i] = i;
    pb_rng_shuffle(&rng, p->order, p->data->count);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

/* Counts, and where the preparation runs allocates, a matrix of zeros. */
static pb_real *new_matrix(preparation *p, pb_memory_class class, int rows, int cols)
{
    size_t bytes = (size_t)rows * (size_t)cols * sizeof(pb_real);
    *(class == PB_GRADIENTS ? &p->used.gradients : &p->used.statistics) += pb_arena_size(bytes);
    return p->runs ? pb_arena_alloc(p->arena, class, bytes) : NULL;
}

static watched *watch(preparation *p, pb_param *param, unsigned asks)
{
    watched *w = &p->watched[p->count++];
    w->param = param;
    param->trainable = true;
    param->g = new_matrix(p, PB_GRADIENTS, param->rows, param->cols);
    w->sum = asks & PB_ASK_GRADIENT ? new_matrix(p, PB_STATISTICS, param->rows, param->cols) : NULL;
    w->squares = asks & PB_ASK_SQUARES ? new_matrix(p, PB_STATISTICS, param->rows, param->cols) : NULL;
    return w;
}

/* Lets the graphs that are built from now on observe the inputs that are asked for. */
static void watch_inputs(preparation *p)
{
    for (int i = 0; i < pb_model_sites(p->m); i++) {
        const pb_site *site = pb_model_site(p->m, i);
        if (!(asks_at(p->m, site) & PB_ASK_INPUTS))
            continue;
        p->gram[i] = pb_arena_alloc(p->arena, PB_META, sizeof *p->gram[i]);
        p->inputs[i] = p->gram[i]->sum = new_matrix(p, PB_STATISTICS, site->in, site->in);
    }
    p->m->gram = p->gram;
}

static void watch_site(preparation *p, int i)
{
    unsigned asks = asks_at(p->m, pb_model_site(p->m, i));
    if (!(asks & (PB_ASK_GRADIENT | PB_ASK_SQUARES)))
        return;
    const watched *w = watch(p, pb_model_site(p->m, i)->w, asks);
    p->gradient[i] = w->sum;
    p->squares[i] = w->squares;
}

/* Only what is watched trains: the weights, and if gradients are asked for, the methods' own tensors. */
static void watch_tensors(preparation *p)
{
    pb_model *m = p->m;
    for (size_t i = 0; i < m->params; i++) {
        p->trainable[i] = m->param[i]->trainable;
        m->param[i]->trainable = false;
    }
    for (int i = 0; i < pb_model_sites(m); i++)
        watch_site(p, i);
    for (size_t i = 0; i < m->params && p->asks & PB_ASK_GRADIENT; i++)
        if (p->trainable[i] && m->param[i]->kind == PB_ADDED)
            watch(p, m->param[i], PB_ASK_GRADIENT);
}

static void restore_trainable(preparation *p)
{
    for (size_t i = 0; i < p->m->params; i++)
        p->m->param[i]->trainable = p->trainable[i];
}

static int open_preparation(preparation *p, pb_model *m, const pb_samples *s, bool runs)
{
    size_t sites = (size_t)pb_model_sites(m), most = sites + m->params;
    *p = (preparation){.m = m, .data = s, .runs = runs, .arena = pb_arena_new("start"), .step = pb_arena_new("step")};
    p->executor = pb_executor_new();
    p->watched = pb_arena_alloc(p->arena, PB_META, most * sizeof *p->watched);
    p->trainable = pb_arena_alloc(p->arena, PB_META, m->params * sizeof *p->trainable);
    p->gram = pb_arena_alloc(p->arena, PB_META, sites * sizeof(pb_gram *));
    p->inputs = pb_arena_alloc(p->arena, PB_META, sites * sizeof(pb_real *));
    p->gradient = pb_arena_alloc(p->arena, PB_META, sites * sizeof(pb_real *));
    p->squares = pb_arena_alloc(p->arena, PB_META, sites * sizeof(pb_real *));
    if (read_wishes(p))
        return -1;
    if (p->asks)
        draw_examples(p);
    return 0;
}

static void close_preparation(preparation *p)
{
    for (int i = 0; i < p->count; i++)
        p->watched[i].param->g = NULL; /* the arena owns them */
    pb_executor_free(p->executor);
    pb_arena_free(p->step);
    pb_arena_free(p->arena);
}

/* ---- sums over the examples ------------------------------------------------------------------------------ */

/* The gradients of a batch on their way into the sums. */
typedef struct addition {
    const preparation *p;
    pb_real weight; /* of the batch in the sums of gradients */
} addition;

static void add_tensor(const addition *a, const watched *w, int from, int to)
{
    const pb_real *g = w->param->g;
    for (int i = from; i < to && w->sum; i++)
        w->sum[i] += a->weight * g[i];
    for (int i = from; i < to && w->squares; i++)
        w->squares[i] += g[i] * g[i];
}

static void add_share(void *ctx, int thread)
{
    const addition *a = ctx;
    for (int i = 0, from, to; i < a->p->count; i++) {
        const watched *w = &a->p->watched[i];
        pb_threads_share(w->param->rows * w->param->cols, 1024, thread, &from, &to);
        if (w->param->reached)
            add_tensor(a, w, from, to);
    }
}

/* Adds the gradients of the batch that has run.  `targets`: its loss is the mean of so many predictions' losses. */
static void add_gradients(preparation *p, const pb_graph *g, double targets)
{
    for (int i = 0; i < p->count; i++)
        p->watched[i].param->reached = false;
    pb_graph_mark_reached(g);
    pb_threads_run(add_share, &(addition){p, (pb_real)targets});
    p->targets += targets;
}

static void divide(size_t n, pb_real *x, double by)
{
    for (size_t i = 0; i < n && x; i++)
        x[i] = (pb_real)((double)x[i] / by);
}

/* Turns the sums into means. */
static void divide_sums(preparation *p)
{
    for (int i = 0; i < p->count; i++) {
        const watched *w = &p->watched[i];
        size_t n = (size_t)w->param->rows * (size_t)w->param->cols;
        divide(n, w->sum, p->targets);
        divide(n, w->squares, p->examples);
    }
    for (int i = 0; i < pb_model_sites(p->m); i++)
        if (p->gram[i]) {
            size_t in = (size_t)pb_model_site(p->m, i)->in;
            divide(in * in, p->gram[i]->sum, (double)p->gram[i]->rows);
        }
}

static int check_matrix(const char *what, const char *name, size_t n, const pb_real *x)
{
    for (size_t i = 0; i < n && x; i++)
        if (!isfinite(x[i]))
            return pb_error("%s of '%s' over the training examples is not finite", what, name);
    return 0;
}

/* A choice by numbers that are not finite would be any. */
static int check_statistics(const preparation *p)
{
    for (int i = 0; i < p->count; i++) {
        const watched *w = &p->watched[i];
        size_t n = (size_t)w->param->rows * (size_t)w->param->cols;
        if (check_matrix("the mean gradient", w->param->name, n, w->sum) ||
            check_matrix("the mean square of the gradient", w->param->name, n, w->squares))
            return -1;
    }
    for (int i = 0; i < pb_model_sites(p->m); i++) {
        const pb_site *site = pb_model_site(p->m, i);
        if (p->gram[i] && check_matrix("the Gram matrix of the inputs", site->w->name,
                                       (size_t)site->in * (size_t)site->in, p->gram[i]->sum))
            return -1;
    }
    return 0;
}

/* ---- the passes ------------------------------------------------------------------------------------------- */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void count_batch(preparation *p, const pb_plan *plan)
{
    p->used.activations = larger(p->used.activations, plan->activations);
    p->used.workspace = larger(p->used.workspace, plan->workspace);
    p->used.flops += plan->forward_flops + plan->backward_flops + plan->recompute_flops;
}

/* Plans the batch of the drawn examples from .. from+n-1 and runs it, if the preparation does.  A batch for gradients
 * is a `training` batch. */
static int pass_batch(preparation *p, int from, int n, bool training)
{
    pb_outputs out;
    pb_plan plan;
    pb_arena_reset(p->step);
    pb_batch batch = p->data->make(p->data->ctx, p->step, p->order + from, n);
    pb_graph *g = pb_graph_new(p->step, training);
    if (pb_model_build(p->m, g, &batch, 0, 0, &out) || pb_graph_plan(g, out.logits, training ? out.loss : NULL, &plan))
        return -1;
    count_batch(p, &plan);
    if (!p->runs)
        return 0;
    pb_executor_bind(p->executor, g, &plan);
    pb_executor_forward(p->executor, g);
    if (!training || !pb_graph_loss(g))
        return 0;
    pb_executor_backward(p->executor, g);
    add_gradients(p, g, pb_model_loss_terms(p->m, &batch));
    return 0;
}

static int pass_all(preparation *p, int batch, bool training)
{
    for (int from = 0; from < p->examples; from += batch)
        if (pass_batch(p, from, p->examples - from < batch ? p->examples - from : batch, training))
            return -1;
    return 0;
}

/* The squares are those of single examples' gradients, so the batches are of one. */
static int pass_for_gradients(preparation *p)
{
    watch_tensors(p);
    int rc = p->count ? pass_all(p, p->asks & PB_ASK_SQUARES ? 1 : p->data->batch, true) : 0;
    restore_trainable(p);
    return rc;
}

/* Computes all that is asked for. */
static int collect(preparation *p)
{
    watch_inputs(p);
    p->m->preparing = true;
    int rc = p->asks & PB_ASK_INPUTS ? pass_all(p, p->data->batch, false) : 0;
    p->m->gram = NULL;
    rc = rc || (p->asks & (PB_ASK_GRADIENT | PB_ASK_SQUARES) && pass_for_gradients(p)) ? -1 : 0;
    p->m->preparing = false;
    if (rc || !p->runs)
        return rc;
    divide_sums(p);
    return check_statistics(p);
}

/* ---- the hooks --------------------------------------------------------------------------------------------- */

/* The matrices of the sites that the method targets; NULL if it does not ask for them. */
static const pb_real *const *for_method(preparation *p, int part, unsigned ask, const pb_real **all)
{
    int sites = pb_model_sites(p->m);
    if (!(asks_of(&p->m->part[part]) & ask))
        return NULL;
    const pb_real **own = pb_arena_alloc(p->arena, PB_META, (size_t)sites * sizeof(pb_real *));
    for (int i = 0; i < sites; i++)
        own[i] = pb_model_targets(p->m, part, pb_model_site(p->m, i)) ? all[i] : NULL;
    return own;
}

/* Returns -1 with an error if a tensor of the methods has a value that is no number or no place. */
static int check_values(const pb_model *m)
{
    for (size_t i = 0; i < m->params; i++) {
        const pb_param *p = m->param[i];
        size_t n = p->kind == PB_ADDED ? (size_t)p->rows * (size_t)p->cols : 0;
        for (size_t k = 0; k < n; k++) {
            if (p->x && !isfinite((double)p->x[k]))
                return pb_error("%s: element %zu is %g, want a finite number", p->name, k, (double)p->x[k]);
            if (p->index && (p->index[k] < 0 || p->index[k] >= p->below))
                return pb_error("%s: integer %zu is %d, want 0..%d", p->name, k, p->index[k], p->below - 1);
        }
    }
    return 0;
}

/* Calls the hooks, with the means in the methods' own tensors' g.  Returns -1 with the error of a hook. */
static int call_hooks(preparation *p)
{
    pb_build b = pb_build_start(p->m, NULL, 0, 0);
    for (int i = 0; i < p->count; i++)
        p->watched[i].param->g = p->watched[i].param->kind == PB_ADDED ? p->watched[i].sum : NULL;
    for (b.part = 0; b.part < p->m->parts; b.part++) {
        const pb_training_stats stats = {
            .classes = p->data->classes,
            .class_count = p->data->class_count,
            .label_sets = p->data->label_sets,
            .count = p->data->count,
            .numbers = p->data->numbers,
            .mean_number = p->data->mean_number,
            .examples = asks_of(&p->m->part[b.part]) ? p->examples : 0,
            .inputs = for_method(p, b.part, PB_ASK_INPUTS, p->inputs),
            .gradient = for_method(p, b.part, PB_ASK_GRADIENT, p->gradient),
            .squares = for_method(p, b.part, PB_ASK_SQUARES, p->squares),
        };
        const pb_method *method = p->m->part[b.part].method;
        if (method->hooks.start)
            method->hooks.start(&b, &stats);
        pb_plain_numbers(); /* a hook may have changed how this thread writes them */
        if (method->hooks.start && (*pb_error_text() || check_values(p->m)))
            return pb_error_prefix("%s: start", method->name);
    }
    return 0;
}

int pb_model_plan_start(pb_model *m, const pb_samples *s, pb_preparation *out)
{
    preparation p;
    int rc = open_preparation(&p, m, s, false) || collect(&p) ? -1 : 0;
    *out = p.used;
    close_preparation(&p);
    return rc;
}

static void check_plan(const preparation *p, const pb_preparation *planned)
{
    PB_CHECK(pb_arena_high(p->arena, PB_GRADIENTS) == planned->gradients);
    PB_CHECK(pb_arena_high(p->arena, PB_STATISTICS) == planned->statistics);
    PB_CHECK(p->used.activations == planned->activations && p->used.workspace == planned->workspace);
    PB_CHECK(p->used.flops == planned->flops);
}

int pb_model_start(pb_model *m, const pb_samples *s, const pb_preparation *planned)
{
    preparation p;
    int rc = open_preparation(&p, m, s, true) || collect(&p) ? -1 : 0;
    if (!rc) {
        check_plan(&p, planned);
        rc = call_hooks(&p);
    }
    close_preparation(&p);
    return rc;
}
