/* recompute: the schedule of a batch, and what is forgotten in between (gradient checkpointing: Chen
 * et al. 2016, arXiv:1604.06174).
 *
 * Marks (pb_graph_checkpoint) cut the nodes, in order of execution, into segments; a mark is the last
 * node of its own.  After the forward pass all nodes, the segments go backward from the last to the
 * first: what a segment's gradients read is computed once more, then its gradients are.
 *
 *   forward   1 2 3 | 4 5 6 | 7 8        backward   8 7 | 4' 5' 6 5' 4' | 1' 2' 3 2' 1'
 *
 * 5' is the twin of 5: the same operation on the twins of its inputs, in memory of its own that lives
 * during its segment's backward only.  Marks are kept, and so is what a later segment reads; the last
 * segment goes backward right after it went forward and needs no twins. */
#include "graph/internal.h"

/* What is known of the nodes by their index while the schedule is made. */
typedef struct sketch {
    pb_graph *g;
    int *segment;   /* which one a node belongs to                         */
    bool *kept;     /* its value outlives the segment                      */
    bool *again;    /* its value or aux is computed a second time          */
    pb_node **twin; /* what goes backward in its place; NULL: the node     */
} sketch;

void pb_graph_checkpoint(pb_graph *g, pb_node *n)
{
    if (!g->failed && n)
        n->place->mark = true;
}

static void add_step(pb_graph *g, pb_node *n, bool backward)
{
    if (backward)
        n->place->backward = g->steps;
    else
        n->place->forward = g->steps;
    g->step[g->steps++] = (pb_step){.node = n, .backward = backward};
}

static void find_segments(sketch *s)
{
    int marks = 0;
    for (size_t i = 0; i < s->g->nodes; i++) {
        const pb_node *n = s->g->node[i];
        s->segment[i] = marks;
        s->kept[i] = !n->op || n->place->mark || n == s->g->output;
        marks += n->op && n->place->mark;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->in[k] && s->segment[n->in[k]->index] != s->segment[i])
                s->kept[n->in[k]->index] = true;
    }
}

static void again_unless_kept(sketch *s, const pb_node *n)
{
    s->again[n->index] |= !s->kept[n->index];
}

/* From the last node of a segment to its first: what its gradients read, and what is read to compute
 * that.  A kept node has its aux still. */
static void find_read(sketch *s, const pb_node *n)
{
    unsigned reads = pb_reads_in_backward(n);
    if (reads & (PB_OUT | PB_AUX))
        again_unless_kept(s, n);
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && (s->again[n->index] || reads >> k & 1))
            again_unless_kept(s, n->in[k]);
}

/* A twin that computes has memory of its own; one that only goes backward reads other inputs than its
 * node did, but shares its memory: that of the value if it is kept, and that of the gradient. */
static void make_twin(sketch *s, const pb_node *n)
{
    pb_graph *g = s->g;
    bool again = s->again[n->index];
    if (!again && !n->want)
        return;
    pb_node *twin = pb_graph_node(g, n->op);
    struct pb_slot *own = twin->place;
    *twin = *n;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && s->segment[n->in[k]->index] == s->segment[n->index] && s->twin[n->in[k]->index])
            twin->in[k] = s->twin[n->in[k]->index];
    if (again) {
        twin->place = own;
        add_step(g, twin, false);
    }
    s->twin[n->index] = twin;
}

static void recompute(sketch *s, size_t from, size_t end)
{
    for (size_t i = end; i-- > from;)
        if (s->g->node[i]->op)
            find_read(s, s->g->node[i]);
    for (size_t i = from; i < end; i++)
        if (s->g->node[i]->op)
            make_twin(s, s->g->node[i]);
}

static void go_back(sketch *s, size_t from, size_t end)
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
    sketch s = {g, notes(g, sizeof *s.segment), notes(g, sizeof *s.kept), notes(g, sizeof *s.again),
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
