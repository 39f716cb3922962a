/* plan: exact memory and FLOPs of a graph, before anything is allocated.
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

static void extend(pb_span *s, int step)
{
    if (step > s->to)
        s->to = step;
}

unsigned pb_reads_in_backward(const pb_node *n)
{
    unsigned reads = 0;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->want >> k & 1)
            reads |= n->op->reads[k];
    return reads;
}

/* Gradients come down from the loss: what it does not read has none. */
static void drop_gradients(pb_graph *g)
{
    bool *reached = pb_arena_alloc(g->arena, PB_META, g->nodes * sizeof *reached);
    reached[g->loss->index] = true;
    for (size_t i = g->nodes; i-- > 0;) {
        pb_node *n = g->node[i];
        n->needs = n->needs && reached[i];
        n->want = n->needs ? n->want : 0;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->want >> k & 1)
                reached[n->in[k]->index] = true;
    }
}

/* ---- lifetimes ---------------------------------------------------------------------------------- */

static void begin(pb_node *n)
{
    struct pb_slot *p = n->place;
    size_t aux = n->op && n->op->aux ? n->op->aux(n) : 0;
    p->value = (pb_span){.from = p->forward, .to = p->forward, .bytes = n->op ? elements(n) * sizeof(pb_real) : 0};
    p->aux = (pb_span){.from = p->forward, .to = p->forward, .bytes = aux * sizeof(pb_real)};
    p->gradient = (pb_span){0};
    p->written = false;
}

static void read_forward(const pb_node *n, int step)
{
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k])
            extend(&n->in[k]->place->value, step);
}

/* What the op declares that its gradients read. */
static void read_backward(const pb_node *n, int step)
{
    unsigned reads = pb_reads_in_backward(n);
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && (reads >> k & 1))
            extend(&n->in[k]->place->value, step);
    if (reads & PB_OUT)
        extend(&n->place->value, step);
    if (reads & PB_AUX)
        extend(&n->place->aux, step);
}

/* Gradients are born when the last reader of the value runs backward, and die in the node's
 * own backward step; the first writer overwrites, later ones add. */
static void write_gradients(pb_node *n, int step)
{
    n->add = 0;
    for (int k = 0; k < PB_MAX_INPUTS; k++) {
        if (!(n->want >> k & 1))
            continue;
        pb_node *in = n->in[k];
        struct pb_slot *p = in->place;
        if (p->written)
            n->add |= 1u << k;
        else if (in->op)
            p->gradient = (pb_span){.from = step, .to = p->backward, .bytes = elements(in) * sizeof(pb_real)};
        p->written = true;
    }
}

static void live_times(pb_graph *g)
{
    for (int i = 0; i < g->steps; i++)
        if (!g->step[i].backward)
            begin(g->step[i].node);
    extend(&g->output->place->value, g->steps);
    if (g->loss) {
        struct pb_slot *p = g->loss->place;
        extend(&p->value, g->steps);
        p->gradient = (pb_span){.from = p->backward, .to = p->backward, .bytes = sizeof(pb_real)};
        p->written = true;
    }
    for (int i = 0; i < g->steps; i++) {
        pb_node *n = g->step[i].node;
        if (!g->step[i].backward) {
            read_forward(n, i);
            continue;
        }
        read_backward(n, i);
        write_gradients(n, i);
    }
}

/* ---- sharing: a tensor written over another one ----------------------------------------------- */

const pb_span *pb_span_root(const pb_span *s)
{
    while (s->host)
        s = s->host;
    return s;
}

static void move_into(pb_span *guest, pb_span *host)
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
        if (!(n->op->inplace >> k & 1) || !in || !in->op || elements(in) != elements(n))
            continue;
        if (in->place->value.to != n->place->forward)
            continue; /* somebody reads it later */
        move_into(&n->place->value, &in->place->value);
        return;
    }
}

/* An op may compute one input's gradient over its output's, which dies in the same step. */
static void share_gradient(pb_node *n)
{
    for (int k = 0; k < PB_MAX_INPUTS; k++) {
        pb_node *in = n->in[k];
        unsigned bit = 1u << k;
        if (!(n->op->inplace_grad & bit & n->want) || n->add & bit || !in->op || elements(in) != elements(n))
            continue;
        move_into(&in->place->gradient, &n->place->gradient);
        return;
    }
}

static void share(pb_graph *g)
{
    for (int i = 0; i < g->steps; i++) {
        pb_node *n = g->step[i].node;
        if (g->step[i].backward)
            share_gradient(n);
        else if (n->op)
            share_value(n);
    }
}

/* ---- offsets: biggest first, each at the lowest place that is free in its time ------------------ */

#define ALIGN 64

static int bigger_first(const void *a, const void *b)
{
    const pb_span *x = *(pb_span *const *)a, *y = *(pb_span *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->from != y->from ? (x->from > y->from) - (x->from < y->from) : (x->to > y->to) - (x->to < y->to);
}

static bool together(const pb_span *a, const pb_span *b)
{
    return a->from <= b->to && b->from <= a->to;
}

/* `placed` is sorted by offset; puts s into the first gap among those alive with it. */
static void place(pb_span **placed, size_t *count, pb_span *s)
{
    size_t offset = 0, at;
    for (size_t i = 0; i < *count; i++) {
        if (!together(placed[i], s))
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

static size_t collect_roots(pb_graph *g, pb_span **root)
{
    size_t count = 0;
    for (int i = 0; i < g->steps; i++) {
        struct pb_slot *p = g->step[i].node->place;
        pb_span *all[] = {&p->value, &p->gradient, &p->aux};
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
    pb_span **root = pb_arena_alloc(g->arena, PB_META, most * sizeof *root);
    pb_span **placed = pb_arena_alloc(g->arena, PB_META, most * sizeof *placed);
    size_t count = collect_roots(g, root), done = 0, top = 0;
    qsort(root, count, sizeof *root, bigger_first);
    for (size_t i = 0; i < count; i++) {
        place(placed, &done, root[i]);
        if (root[i]->offset + root[i]->bytes > top)
            top = root[i]->offset + root[i]->bytes;
    }
    return top;
}

/* ---- tallies -------------------------------------------------------------------------------------- */

static size_t gradient_bytes(const pb_param *p)
{
    return (size_t)(p->slot ? p->touched : p->rows) * (size_t)p->cols * sizeof(pb_real);
}

static void tally_node(pb_graph *g, const pb_node *n, pb_plan *plan)
{
    if (!n->op) {
        if (n->needs && g->loss)
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

int pb_graph_plan(pb_graph *g, pb_node *output, pb_node *loss, pb_plan *plan)
{
    *plan = (pb_plan){0};
    if (g->failed)
        return -1;
    g->output = output;
    g->loss = loss && loss->needs ? loss : NULL;
    if (loss && !g->loss) /* nothing trains: the loss is still wanted as a number */
        g->output = loss;
    pb_graph_eliminate_dead_rows(g);
    if (g->loss)
        drop_gradients(g);
    pb_graph_schedule(g);
    live_times(g);
    share(g);
    plan->activations = lay_out(g);
    for (size_t i = 0; i < g->nodes; i++)
        tally_node(g, g->node[i], plan);
    for (int i = 0; i < g->steps; i++)
        tally_flops(g, i, plan);
    g->scratch = (g->scratch + 15) / 16 * 16;
    plan->workspace = g->scratch * sizeof(pb_real) * (size_t)pb_threads_count();
    return 0;
}
