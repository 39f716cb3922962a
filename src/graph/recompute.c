/* recompute: the schedule of a batch, with gradient checkpointing (Chen et al. 2016, arXiv:1604.06174).
 *
 * Marks (pb_graph_checkpoint) cut the nodes, in order of execution, into segments; a mark is the last
 * node of its segment.  After the forward pass all nodes, the segments go backward from the last to the
 * first: what a segment's gradients read is computed once more, then its gradients are.
 *
 *   forward   1 2 3 | 4 5 6 | 7 8        backward   8 7 | 4' 5' 6 5' 4' | 1' 2' 3 2' 1'
 *
 * 5' is the twin of 5: the same operation on the twins of its inputs, in separate memory that is
 * used only while its segment goes backward.  Marked values are kept, and so is what a later segment reads; the last
 * segment goes backward right after it went forward and needs no twins. */
#include "graph/internal.h"

/* Notes on the nodes, by index, while the schedule is made. */
typedef struct draft {
    pb_graph *g;
    int *segment;   /* the segment that a node belongs to                        */
    bool *kept;     /* its value outlives the segment                            */
    bool *again;    /* its value or aux is computed a second time                */
    pb_node **twin; /* the node that goes backward instead of it, or NULL        */
} draft;

void pb_graph_checkpoint(pb_graph *g, pb_node *n)
{
    if (!g->failed && n)
        n->plan->mark = true;
}

static void add_step(pb_graph *g, pb_node *n, bool backward)
{
    if (backward)
        n->plan->backward = g->steps;
    else
        n->plan->forward = g->steps;
    g->step[g->steps++] = (pb_schedule_step){.node = n, .backward = backward};
}

static void find_segments(draft *s)
{
    int marks = 0;
    for (size_t i = 0; i < s->g->nodes; i++) {
        const pb_node *n = s->g->node[i];
        s->segment[i] = marks;
        s->kept[i] = !n->op || n->plan->mark || n == s->g->output;
        marks += n->op && n->plan->mark;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->in[k] && s->segment[n->in[k]->index] != s->segment[i])
                s->kept[n->in[k]->index] = true;
    }
}

static void again_unless_kept(draft *s, const pb_node *n)
{
    s->again[n->index] |= !s->kept[n->index];
}

/* Marks what the gradients of n read, and what computing that reads; called from the last node of a segment to its
 * first.  A kept node still has its aux. */
static void find_read(draft *s, const pb_node *n)
{
    unsigned reads = pb_reads_in_backward(n);
    if (reads & (PB_OUT | PB_AUX))
        again_unless_kept(s, n);
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && (s->again[n->index] || reads >> k & 1))
            again_unless_kept(s, n->in[k]);
}

/* A twin that computes has separate memory.  A twin that only goes backward reads other inputs than its node did but
 * shares the node's memory: that of the value, which is kept, and that of the gradient. */
static void make_twin(draft *s, const pb_node *n)
{
    pb_graph *g = s->g;
    bool again = s->again[n->index];
    if (!again && !n->want)
        return;
    pb_node *twin = pb_graph_node(g, n->op);
    struct pb_node_plan *separate = twin->plan;
    *twin = *n;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && s->segment[n->in[k]->index] == s->segment[n->index] && s->twin[n->in[k]->index])
            twin->in[k] = s->twin[n->in[k]->index];
    if (again) {
        twin->plan = separate;
        add_step(g, twin, false);
    }
    s->twin[n->index] = twin;
}

static void recompute(draft *s, size_t from, size_t end)
{
    for (size_t i = end; i-- > from;)
        if (s->g->node[i]->op)
            find_read(s, s->g->node[i]);
    for (size_t i = from; i < end; i++)
        if (s->g->node[i]->op)
            make_twin(s, s->g->node[i]);
}

static void go_back(draft *s, size_t from, size_t end)
{
    for (size_t i = end; i-- > from;)
        if (s->g->node[i]->op && s->g->node[i]->want)
            add_step(s->g, s->twin[i] ? s->twin[i] : s->g->node[i], true);
}

static void *notes(pb_graph *g, size_t item)
{
    return pb_arena_alloc(g->arena, PB_META, (g->nodes + 1) * item);
}

void pb_graph_schedule(pb_graph *g)
{
    g->step = notes(g, 3 * sizeof *g->step); /* forward, once more, backward */
    g->steps = 0;
    for (size_t i = 0; i < g->nodes; i++)
        add_step(g, g->node[i], false);
    g->boundary = g->steps;
    if (!g->loss)
        return;
    draft s = {g, notes(g, sizeof *s.segment), notes(g, sizeof *s.kept), notes(g, sizeof *s.again),
               notes(g, sizeof(pb_node *))};
    find_segments(&s);
    int last = s.segment[g->loss->index];
    for (size_t end = (size_t)g->loss->index + 1, from; end > 0; end = from) {
        for (from = end - 1; from > 0 && s.segment[from - 1] == s.segment[end - 1];)
            from--;
        if (s.segment[from] < last)
            recompute(&s, from, end);
        go_back(&s, from, end);
    }
}
