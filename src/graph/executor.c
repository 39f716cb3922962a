/* executor: memory for planned graphs, and running them over the thread pool. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "graph/internal.h"
#include "graph/op.h"
#include "numeric/blas.h"

#define GUARD 4096   /* bytes behind the arena that must stay untouched (watch)    */
#define PATTERN 0xA5 /* what watched memory holds before a run                     */
#define SMALL 2048   /* elements below which waking the other threads is a loss    */

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

static void free_scratch(pb_executor *m)
{
    for (int t = 0; t < m->threads; t++)
        free(m->scratch[t]);
    free(m->scratch);
    free(m->flops);
    m->threads = 0;
}

void pb_executor_free(pb_executor *m)
{
    if (!m)
        return;
    free(m->arena);
    free_scratch(m);
    free(m);
}

/* ---- binding ---------------------------------------------------------------------------------- */

static void grow(pb_executor *m, const pb_plan *plan, size_t scratch)
{
    m->size = plan->activations;
    if (m->size > m->capacity || !m->arena) {
        free(m->arena);
        m->arena = aligned(m->size + GUARD);
        m->capacity = m->size;
    }
    if (scratch > m->scratch_capacity || m->threads < pb_threads_count()) {
        free_scratch(m);
        m->scratch_capacity = scratch;
        m->threads = pb_threads_count();
        m->scratch = pb_alloc((size_t)m->threads * sizeof *m->scratch);
        m->flops = pb_alloc((size_t)m->threads * sizeof *m->flops);
        for (int t = 0; t < m->threads; t++)
            m->scratch[t] = aligned(scratch * sizeof(pb_real) + 64);
    }
}

static pb_real *address(const pb_executor *m, const pb_span *s)
{
    const pb_span *root = pb_span_root(s);
    return s->bytes ? (pb_real *)(void *)(m->arena + root->offset) : NULL;
}

void pb_executor_bind(pb_executor *m, pb_graph *g, const pb_plan *plan)
{
    grow(m, plan, g->scratch);
    if (m->watch)
        memset(m->arena, PATTERN, m->capacity + GUARD);
    for (int i = 0; i < g->steps; i++) {
        pb_node *n = g->step[i].node;
        if (!n->op) {
            n->g = n->param ? n->param->g : NULL;
            continue;
        }
        n->x = address(m, &n->place->value);
        n->g = address(m, &n->place->gradient);
        n->aux = address(m, &n->place->aux);
    }
}

/* ---- running ------------------------------------------------------------------------------------ */

typedef struct pass {
    pb_executor *m;
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
        p->work(p->n, from, to, p->m->scratch[thread]);
    else
        p->gradient(p->n, p->want, from, to, p->m->scratch[thread]);
    p->m->flops[thread] += pb_flops_done() - before;
}

/* Elementwise work on a few rows is quicker than waking a thread. */
static bool is_small(const pass *p)
{
    const pb_node *n = p->n, *in = n->in[0];
    size_t out = (size_t)n->rows * (size_t)n->cols, read = in ? (size_t)in->rows * (size_t)in->cols : 0;
    return !n->op->flops && out < SMALL && read < SMALL;
}

static void run(pass *p)
{
    if (pb_threads_count() > 1 && p->units > p->grain && !is_small(p)) {
        pb_threads_run(do_share, p);
        return;
    }
    uint64_t before = pb_flops_done();
    if (p->work)
        p->work(p->n, 0, p->units, p->m->scratch[0]);
    else
        p->gradient(p->n, p->want, 0, p->units, p->m->scratch[0]); /* NOLINT: one of both is there */
    p->m->flops[0] += pb_flops_done() - before;
}

/* Rows are dealt out in eights, the kernels' tile; other units one by one. */
static void set_units(pass *p, bool backward)
{
    const pb_op *op = p->n->op;
    p->units = op->units ? op->units(p->n, backward) : p->n->rows;
    p->grain = op->units && p->units != p->n->rows ? 1 : 8;
}

static void step_forward(pb_executor *m, const pb_node *n)
{
    if (!n->op)
        return;
    pass p = {.m = m, .n = n, .work = n->op->forward};
    set_units(&p, false);
    run(&p);
    if (n->op->finish)
        n->op->finish(n);
}

static void step_back(pb_executor *m, const pb_node *n)
{
    const pb_op *op = n->op;
    unsigned rows = n->want & ~op->collects, params = n->want & op->collects;
    if (rows) {
        pass p = {.m = m, .n = n, .gradient = op->backward, .want = rows};
        set_units(&p, true);
        run(&p);
    }
    if (params) {
        pass p = {.m = m, .n = n, .gradient = op->backward_params, .want = params, .grain = 4};
        p.units = op->param_units ? op->param_units(n) : n->cols;
        run(&p);
    }
}

static void run_steps(pb_executor *m, const pb_graph *g, int from, int to)
{
    PB_CHECK(pb_threads_count() <= m->threads); /* the pool did not grow since the graph was bound */
    memset(m->flops, 0, (size_t)m->threads * sizeof *m->flops);
    for (int i = from; i < to; i++)
        if (g->step[i].backward)
            step_back(m, g->step[i].node);
        else
            step_forward(m, g->step[i].node);
}

void pb_executor_forward(pb_executor *m, pb_graph *g)
{
    run_steps(m, g, 0, g->boundary);
}

void pb_executor_backward(pb_executor *m, pb_graph *g)
{
    PB_CHECK(g->loss != NULL);
    g->loss->g[0] = 1;
    run_steps(m, g, g->boundary, g->steps);
}

uint64_t pb_executor_flops(const pb_executor *m)
{
    uint64_t sum = 0;
    for (int t = 0; t < m->threads; t++)
        sum += m->flops[t];
    return sum;
}

/* ---- proofs ------------------------------------------------------------------------------------- */

static void keep(bool *kept, const pb_graph *g, const pb_span *s)
{
    if (s->bytes && !s->host && s->from < g->boundary && s->to >= g->boundary)
        memset(kept + s->offset / 64, true, s->bytes / 64);
}

void pb_executor_poison(pb_executor *m, pb_graph *g)
{
    bool *kept = pb_alloc(m->size / 64 + 1);
    for (size_t i = 0; i < g->nodes; i++) {
        keep(kept, g, &g->node[i]->place->value);
        keep(kept, g, &g->node[i]->place->aux);
    }
    for (size_t line = 0; line < m->size / 64; line++)
        for (size_t k = 0; !kept[line] && k < 64 / sizeof(pb_real); k++)
            ((pb_real *)(void *)(m->arena + line * 64))[k] = (pb_real)NAN;
    free(kept);
}

void pb_executor_watch(pb_executor *m, bool on)
{
    m->watch = on;
}

size_t pb_executor_touched(const pb_executor *m)
{
    size_t top = m->capacity + GUARD;
    while (top > 0 && (unsigned char)m->arena[top - 1] == PATTERN)
        top--;
    return top;
}
