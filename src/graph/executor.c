/* executor: memory for planned graphs, and their execution on the thread pool. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "graph/internal.h"
#include "graph/op.h"
#include "numeric/blas.h"

#define GUARD 4096   /* bytes after the arena that must stay untouched (watch)         */
#define PATTERN 0xA5 /* the content of watched memory before a run                     */
#define SMALL 2048   /* elements below which waking the other threads does not pay     */

struct pb_executor {
    char *arena;
    size_t size;     /* bytes of the bound plan                 */
    size_t capacity; /* bytes allocated, guard not included     */
    int threads;     /* of the pool when memory was taken   */
    pb_real **scratch;
    size_t scratch_capacity;
    uint64_t *flops; /* done by each thread in the last run */
    bool watch;
};

pb_executor *pb_executor_new(void)
{
    return pb_alloc(sizeof(pb_executor));
}

static void *aligned(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p)
        pb_no_memory("activations");
    return p;
}

static void free_scratch(pb_executor *e)
{
    for (int t = 0; t < e->threads; t++)
        free(e->scratch[t]);
    free(e->scratch);
    free(e->flops);
    e->threads = 0;
}

void pb_executor_free(pb_executor *e)
{
    if (!e)
        return;
    free(e->arena);
    free_scratch(e);
    free(e);
}

/* ---- binding ---------------------------------------------------------------------------------- */

static void grow_memory(pb_executor *e, const pb_plan *plan, size_t scratch)
{
    e->size = plan->activations;
    if (e->size > e->capacity || !e->arena) {
        free(e->arena);
        e->arena = aligned(e->size + GUARD);
        e->capacity = e->size;
    }
    if (scratch > e->scratch_capacity || e->threads < pb_threads_count()) {
        free_scratch(e);
        e->scratch_capacity = scratch;
        e->threads = pb_threads_count();
        e->scratch = pb_alloc((size_t)e->threads * sizeof *e->scratch);
        e->flops = pb_alloc((size_t)e->threads * sizeof *e->flops);
        for (int t = 0; t < e->threads; t++)
            e->scratch[t] = aligned(scratch * sizeof(pb_real) + 64);
    }
}

static pb_real *address(const pb_executor *e, const pb_allocation *s)
{
    const pb_allocation *root = pb_allocation_root(s);
    return s->bytes ? (pb_real *)(void *)(e->arena + root->offset) : NULL;
}

void pb_executor_bind(pb_executor *e, pb_graph *g, const pb_plan *plan)
{
    PB_CHECK(g->element == sizeof(pb_real));
    grow_memory(e, plan, g->scratch);
    if (e->watch)
        memset(e->arena, PATTERN, e->capacity + GUARD);
    for (int i = 0; i < g->steps; i++) {
        pb_node *n = g->step[i].node;
        if (!n->op) {
            n->g = n->param ? n->param->g : NULL;
            continue;
        }
        n->x = address(e, &n->plan->value);
        n->g = address(e, &n->plan->gradient);
        n->aux = address(e, &n->plan->aux);
    }
}

/* ---- running ------------------------------------------------------------------------------------ */

typedef struct pass {
    pb_executor *executor;
    const pb_node *n;
    void (*work)(const pb_node *n, int from, int to, pb_real *scratch);
    void (*gradient)(const pb_node *n, unsigned want, int from, int to, pb_real *scratch);
    unsigned want;
    int units, grain;
} pass;

static void do_share(void *ctx, int thread)
{
    const pass *p = ctx;
    int from, to;
    pb_threads_share(p->units, p->grain, thread, &from, &to);
    if (from >= to)
        return;
    uint64_t before = pb_flops_done();
    if (p->work)
        p->work(p->n, from, to, p->executor->scratch[thread]);
    else
        p->gradient(p->n, p->want, from, to, p->executor->scratch[thread]);
    p->executor->flops[thread] += pb_flops_done() - before;
}

/* Elementwise work on a few rows is quicker than waking a thread. */
static bool is_small(const pass *p)
{
    const pb_node *n = p->n, *in = n->in[0];
    size_t out = (size_t)n->rows * (size_t)n->cols, read = in ? (size_t)in->rows * (size_t)in->cols : 0;
    return !n->op->flops && out < SMALL && read < SMALL;
}

static void run_pass(pass *p)
{
    if (pb_threads_count() > 1 && p->units > p->grain && !is_small(p)) {
        pb_threads_run(do_share, p);
        return;
    }
    uint64_t before = pb_flops_done();
    if (p->work)
        p->work(p->n, 0, p->units, p->executor->scratch[0]);
    else
        p->gradient(p->n, p->want, 0, p->units, p->executor->scratch[0]); /* NOLINT: one of both is there */
    p->executor->flops[0] += pb_flops_done() - before;
}

/* Rows are dealt out in eights, the kernels' tile; other units one by one. */
static void set_units(pass *p, bool backward)
{
    const pb_op *op = p->n->op;
    p->units = op->units ? op->units(p->n, backward) : p->n->rows;
    p->grain = op->units && p->units != p->n->rows ? 1 : 8;
}

static void step_forward(pb_executor *e, const pb_node *n)
{
    if (!n->op)
        return;
    pass p = {.executor = e, .n = n, .work = n->op->forward};
    set_units(&p, false);
    run_pass(&p);
    if (n->op->finish)
        n->op->finish(n);
}

static void step_back(pb_executor *e, const pb_node *n)
{
    const pb_op *op = n->op;
    unsigned rows = n->want & ~op->collects, params = n->want & op->collects;
    if (rows) {
        pass p = {.executor = e, .n = n, .gradient = op->backward, .want = rows};
        set_units(&p, true);
        run_pass(&p);
    }
    if (params) {
        pass p = {.executor = e, .n = n, .gradient = op->backward_params, .want = params, .grain = 4};
        p.units = op->param_units ? op->param_units(n) : n->cols;
        run_pass(&p);
    }
}

static void run_steps(pb_executor *e, const pb_graph *g, int from, int to)
{
    PB_CHECK(pb_threads_count() <= e->threads); /* the pool did not grow since the graph was bound */
    memset(e->flops, 0, (size_t)e->threads * sizeof *e->flops);
    for (int i = from; i < to; i++)
        if (g->step[i].backward)
            step_back(e, g->step[i].node);
        else
            step_forward(e, g->step[i].node);
}

void pb_executor_forward(pb_executor *e, pb_graph *g)
{
    run_steps(e, g, 0, g->boundary);
}

void pb_executor_backward(pb_executor *e, pb_graph *g)
{
    PB_CHECK(g->loss != NULL);
    g->loss->g[0] = (pb_real)g->weight;
    run_steps(e, g, g->boundary, g->steps);
}

uint64_t pb_executor_flops(const pb_executor *e)
{
    uint64_t sum = 0;
    for (int t = 0; t < e->threads; t++)
        sum += e->flops[t];
    return sum;
}

/* ---- tests -------------------------------------------------------------------------------------- */

static void mark_kept(bool *kept, const pb_graph *g, const pb_allocation *s)
{
    if (s->bytes && !s->host && s->from < g->boundary && s->to >= g->boundary)
        memset(kept + s->offset / 64, true, s->bytes / 64);
}

void pb_executor_poison(pb_executor *e, pb_graph *g)
{
    bool *kept = pb_alloc(e->size / 64 + 1);
    for (size_t i = 0; i < g->nodes; i++) {
        mark_kept(kept, g, &g->node[i]->plan->value);
        mark_kept(kept, g, &g->node[i]->plan->aux);
    }
    for (size_t line = 0; line < e->size / 64; line++)
        for (size_t k = 0; !kept[line] && k < 64 / sizeof(pb_real); k++)
            ((pb_real *)(void *)(e->arena + line * 64))[k] = (pb_real)NAN;
    free(kept);
}

void pb_executor_watch(pb_executor *e, bool on)
{
    e->watch = on;
}

size_t pb_executor_touched(const pb_executor *e)
{
    size_t top = e->capacity + GUARD;
    while (top > 0 && (unsigned char)e->arena[top - 1] == PATTERN)
        top--;
    return top;
}
