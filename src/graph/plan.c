/* plan: the exact memory and FLOPs of a graph, before anything is allocated.
 *
 * The schedule (recompute.c) says what runs at each step: all nodes forward, then backward in the
 * opposite order.  A tensor is alive from the step that writes it to the last step that reads it;
 * what backward reads is declared by each op (`reads`), so a value that no wanted gradient reads
 * dies in the forward pass.  Tensors that are never alive together share memory. */
#include <stdlib.h>

#include "base/threads.h"
#include "graph/internal.h"
#include "graph/op.h"

static size_t elements(const pb_node *n)
{
    return (size_t)n->rows * (size_t)n->cols;
}

/* The bytes of a node's value, and of its gradient. */
static size_t bytes_of(const pb_graph *g, const pb_node *n)
{
    return elements(n) * (n == g->output || n == g->loss ? sizeof(pb_real) : g->element);
}

static void extend(pb_allocation *s, int step)
{
    if (step > s->to)
        s->to = step;
}

/* Only what the loss depends on has a gradient. */
static void clear_unreached_gradients(pb_graph *g)
{
    bool *reached = pb_arena_alloc(g->arena, PB_META, g->nodes * sizeof *reached);
    reached[g->loss->index] = true;
    for (size_t i = g->nodes; i-- > 0;) {
        pb_node *n = g->node[i];
        n->requires_grad = n->requires_grad && reached[i];
        n->want = n->requires_grad ? n->want : 0;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->want >> k & 1)
                reached[n->in[k]->index] = true;
    }
}

/* ---- lifetimes ---------------------------------------------------------------------------------- */

static void begin_lifetimes(const pb_graph *g, pb_node *n)
{
    struct pb_node_plan *p = n->plan;
    size_t aux = n->op && n->op->aux ? n->op->aux(n) : 0;
    p->value = (pb_allocation){.from = p->forward, .to = p->forward, .bytes = n->op ? bytes_of(g, n) : 0};
    p->aux = (pb_allocation){.from = p->forward, .to = p->forward, .bytes = aux * sizeof(pb_real)};
    p->gradient = (pb_allocation){0};
    p->written = false;
}

static void read_forward(const pb_node *n, int step)
{
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k])
            extend(&n->in[k]->plan->value, step);
}

/* What the op declares that its gradients read. */
static void read_backward(const pb_node *n, int step)
{
    unsigned reads = pb_reads_in_backward(n);
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && (reads >> k & 1))
            extend(&n->in[k]->plan->value, step);
    if (reads & PB_OUT)
        extend(&n->plan->value, step);
    if (reads & PB_AUX)
        extend(&n->plan->aux, step);
}

/* A gradient is alive from the backward step of the value's last reader to the node's own backward step.  The first
 * writer overwrites, unless the gradient is accumulated; later ones add. */
static void write_gradients(const pb_graph *g, pb_node *n, int step)
{
    n->add = 0;
    for (int k = 0; k < PB_MAX_INPUTS; k++) {
        if (!(n->want >> k & 1))
            continue;
        pb_node *in = n->in[k];
        struct pb_node_plan *p = in->plan;
        if (p->written || (g->accumulates && in->param))
            n->add |= 1u << k;
        else if (in->op)
            p->gradient = (pb_allocation){.from = step, .to = p->backward, .bytes = bytes_of(g, in)};
        p->written = true;
    }
}

static void live_times(pb_graph *g)
{
    for (int i = 0; i < g->steps; i++)
        if (!g->step[i].backward)
            begin_lifetimes(g, g->step[i].node);
    extend(&g->output->plan->value, g->steps);
    if (g->loss) {
        struct pb_node_plan *p = g->loss->plan;
        extend(&p->value, g->steps);
        p->gradient = (pb_allocation){.from = p->backward, .to = p->backward, .bytes = sizeof(pb_real)};
        p->written = true;
    }
    for (int i = 0; i < g->steps; i++) {
        pb_node *n = g->step[i].node;
        if (!g->step[i].backward) {
            read_forward(n, i);
            continue;
        }
        read_backward(n, i);
        write_gradients(g, n, i);
    }
}

/* ---- sharing: a tensor written over another one ----------------------------------------------- */

const pb_allocation *pb_allocation_root(const pb_allocation *s)
{
    while (s->host)
        s = s->host;
    return s;
}

static void move_into(pb_allocation *guest, pb_allocation *host)
{
    guest->host = host;
    while (host->host)
        host = host->host;
    extend(host, guest->to);
}

static void share_value(pb_node *n)
{
    for (int k = 0; k < PB_MAX_INPUTS; k++) {
        pb_node *in = n->in[k];
        if (!(n->op->inplace >> k & 1) || !in || !in->op || in->plan->value.bytes != n->plan->value.bytes)
            continue;
        if (in->plan->value.to != n->plan->forward)
            continue; /* a later step reads it */
        move_into(&n->plan->value, &in->plan->value);
        return;
    }
}

/* An op may compute one input's gradient over its output's, which dies in the same step. */
static void share_gradient(pb_node *n)
{
    for (int k = 0; k < PB_MAX_INPUTS; k++) {
        pb_node *in = n->in[k];
        unsigned bit = 1u << k;
        if (!(n->op->inplace_grad & bit & n->want) || n->add & bit || !in->op ||
            in->plan->gradient.bytes != n->plan->gradient.bytes)
            continue;
        move_into(&in->plan->gradient, &n->plan->gradient);
        return;
    }
}

static void share_memory(pb_graph *g)
{
    for (int i = 0; i < g->steps; i++) {
        pb_node *n = g->step[i].node;
        if (g->step[i].backward)
            share_gradient(n);
        else if (n->op)
            share_value(n);
    }
}

/* ---- offsets: the largest first, each at the lowest offset that is free while it is alive ------- */

#define ALIGN 64

static int bigger_first(const void *a, const void *b)
{
    const pb_allocation *x = *(pb_allocation *const *)a, *y = *(pb_allocation *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->from != y->from ? (x->from > y->from) - (x->from < y->from) : (x->to > y->to) - (x->to < y->to);
}

static bool overlap_in_time(const pb_allocation *a, const pb_allocation *b)
{
    return a->from <= b->to && b->from <= a->to;
}

/* `placed` is sorted by offset.  Puts s into the first gap between the allocations that are alive with it. */
static void place_allocation(pb_allocation **placed, size_t *count, pb_allocation *s)
{
    size_t offset = 0, at;
    for (size_t i = 0; i < *count; i++) {
        if (!overlap_in_time(placed[i], s))
            continue;
        if (placed[i]->offset >= offset + s->bytes)
            break;
        size_t end = placed[i]->offset + placed[i]->bytes;
        if (end > offset)
            offset = end;
    }
    s->offset = offset;
    for (at = *count; at > 0 && placed[at - 1]->offset > offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = s;
    (*count)++;
}

static size_t collect_roots(pb_graph *g, pb_allocation **root)
{
    size_t count = 0;
    for (int i = 0; i < g->steps; i++) {
        struct pb_node_plan *p = g->step[i].node->plan;
        pb_allocation *all[] = {&p->value, &p->gradient, &p->aux};
        for (size_t k = 0; k < PB_COUNT(all) && !g->step[i].backward; k++)
            if (all[k]->bytes && !all[k]->host) {
                all[k]->bytes = (all[k]->bytes + ALIGN - 1) / ALIGN * ALIGN;
                root[count++] = all[k];
            }
    }
    return count;
}

static size_t lay_out(pb_graph *g)
{
    size_t most = 3 * (size_t)g->steps;
    pb_allocation **root = pb_arena_alloc(g->arena, PB_META, most * sizeof *root);
    pb_allocation **placed = pb_arena_alloc(g->arena, PB_META, most * sizeof *placed);
    size_t count = collect_roots(g, root), done = 0, top = 0;
    qsort(root, count, sizeof *root, bigger_first);
    for (size_t i = 0; i < count; i++) {
        place_allocation(placed, &done, root[i]);
        if (root[i]->offset + root[i]->bytes > top)
            top = root[i]->offset + root[i]->bytes;
    }
    return top;
}

void pb_graph_mark_reached(const pb_graph *g)
{
    for (size_t i = 0; i < g->nodes; i++)
        if (g->node[i]->param && g->node[i]->plan->written)
            g->node[i]->param->reached = true;
}

/* ---- tallies -------------------------------------------------------------------------------------- */

static size_t gradient_bytes(const pb_param *p)
{
    return (size_t)(p->slot ? p->touched : p->rows) * (size_t)p->cols * sizeof(pb_real);
}

static void tally_node(pb_graph *g, const pb_node *n, pb_plan *plan)
{
    if (!n->op) {
        if (n->requires_grad && g->loss)
            plan->gradients += gradient_bytes(n->param);
        return;
    }
    plan->nodes++;
    if (n->set && n->set->count > plan->tokens)
        plan->tokens = n->set->count;
    size_t scratch = n->op->scratch ? n->op->scratch(n) : 0;
    if (scratch > g->scratch)
        g->scratch = scratch;
}

static void tally_flops(const pb_graph *g, int step, pb_plan *plan)
{
    const pb_node *n = g->step[step].node;
    if (!n->op || !n->op->flops)
        return;
    if (g->step[step].backward)
        plan->backward_flops += n->op->flops(n, n->want);
    else if (step < g->boundary)
        plan->forward_flops += n->op->flops(n, 0);
    else
        plan->recompute_flops += n->op->flops(n, 0);
}

int pb_graph_plan_as(pb_graph *g, size_t element, pb_node *output, pb_node *loss, pb_plan *plan)
{
    g->element = element;
    return pb_graph_plan(g, output, loss, plan);
}

int pb_graph_plan(pb_graph *g, pb_node *output, pb_node *loss, pb_plan *plan)
{
    *plan = (pb_plan){0};
    if (g->failed)
        return -1;
    g->output = output;
    g->loss = loss && loss->requires_grad ? loss : NULL;
    if (loss && !g->loss) /* nothing trains: the loss is still wanted as a number */
        g->output = loss;
    pb_graph_eliminate_dead_rows(g);
    if (g->loss)
        clear_unreached_gradients(g);
    pb_graph_schedule(g);
    live_times(g);
    share_memory(g);
    plan->activations = lay_out(g);
    for (size_t i = 0; i < g->nodes; i++)
        tally_node(g, g->node[i], plan);
    for (int i = 0; i < g->steps; i++)
        tally_flops(g, i, plan);
    g->scratch = (g->scratch + 15) / 16 * 16;
    plan->workspace = g->scratch * sizeof(pb_real) * (size_t)pb_threads_count();
    return 0;
}
