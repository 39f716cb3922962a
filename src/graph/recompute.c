/* recompute: the schedule of a batch, and what of it is computed more than once.
 *
 * Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): marks (pb_graph_checkpoint) cut the nodes, in order of
 * execution, into segments; a mark is the last node of its segment.  After the forward pass all nodes, the segments go
 * backward from the last to the first: what a segment's gradients read is computed once more, then its gradients are.
 *
 *   forward   1 2 3 | 4 5 6 | 7 8        backward   8 7 | 4' 5' 6 5' 4' | 1' 2' 3 2' 1'
 *
 * 5' is the twin of 5: the same operation on the twins of its inputs, in separate memory that is used only while its
 * segment goes backward.  Marked values are kept, and so is what a later segment reads; the last segment goes backward
 * right after it went forward and needs no twins.
 *
 * A weight made of parameters (pb_graph_remake) is forgotten even within a segment.  Here W is made of w, and y reads
 * it; W" and w" are computed right before the gradient of y, and go backward after it:
 *
 *   forward   w W y z                    backward   z w" W" y W" w"
 *
 * With checkpointing W is made for y, for y', and for the gradient of y'. */
#include "graph/internal.h"

/* Notes on a node while the schedule is made. */
typedef struct note {
    int segment;   /* the segment that it belongs to                                               */
    bool kept;     /* its value outlives the segment                                               */
    bool lasting;  /* a node reads it that is not forgotten                                        */
    bool remade;   /* it is forgotten after its use: a marked weight, or something that only remade nodes read */
    bool again;    /* its value or aux is computed a second time when the segment begins to go backward */
    bool needed;   /* of a remade node: a gradient reads its value or aux                          */
    pb_node *twin; /* the node that goes backward instead of it, or NULL                           */
    pb_node *copy; /* of a remade node: the one that its readers' gradients read and write, or NULL */
} note;

typedef struct draft {
    pb_graph *g;
    note *note; /* [nodes] by index */
} draft;

void pb_graph_checkpoint(pb_graph *g, pb_node *n)
{
    if (!g->failed && n)
        n->plan->mark = true;
}

pb_node *pb_graph_remake(pb_graph *g, pb_node *n)
{
    if (g->failed || !n)
        return NULL;
    if (n->set) {
        pb_error("%s: a weight [%d,%d] that depends on the batch, want one of parameters alone",
                 n->op ? n->op->name : "input", n->rows, n->cols);
        g->failed = true;
        return NULL;
    }
    n->plan->remake = true;
    return n;
}

static note *note_of(const draft *s, const pb_node *n)
{
    return &s->note[n->index];
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
        s->note[i].segment = marks;
        s->note[i].kept = !n->op || n->plan->mark || n == s->g->output || n == s->g->loss;
        marks += n->op && n->plan->mark;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->in[k] && note_of(s, n->in[k])->segment != s->note[i].segment)
                note_of(s, n->in[k])->kept = true;
    }
}

/* A weight that several segments read is kept. */
static void find_remade(draft *s)
{
    for (size_t i = s->g->nodes; i-- > 0;) {
        const pb_node *n = s->g->node[i];
        s->note[i].remade = !s->note[i].kept && !n->set && (n->plan->remake || !s->note[i].lasting);
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->in[k] && !s->note[i].remade)
                note_of(s, n->in[k])->lasting = true;
    }
}

static void again_unless_kept(note *n)
{
    n->again |= !n->kept;
}

/* Marks what the gradients of n read, and what computing that reads; called from the last node of a segment to its
 * first.  A kept node still has its aux. */
static void find_read(draft *s, const pb_node *n)
{
    note *own = note_of(s, n);
    unsigned reads = pb_reads_in_backward(n);
    if (reads & (PB_OUT | PB_AUX) && own->remade)
        own->needed = true;
    else if (reads & (PB_OUT | PB_AUX))
        again_unless_kept(own);
    for (int k = 0; k < PB_MAX_INPUTS; k++) {
        note *in = n->in[k] ? note_of(s, n->in[k]) : NULL;
        bool read = reads >> k & 1 || own->needed;
        if (in && in->remade && read)
            in->needed = true;
        if (in && (own->again || (read && !in->remade)))
            again_unless_kept(in);
    }
}

/* A new node that does the work of `n`.  One that computes has separate memory.  One that only goes backward reads
 * other inputs than n does but shares its memory: that of the value, which is kept, and that of the gradient. */
static pb_node *duplicate(pb_graph *g, const pb_node *n, bool separate)
{
    pb_node *twin = pb_graph_node(g, n->op);
    struct pb_node_plan *own = twin->plan;
    *twin = *n;
    if (separate)
        twin->plan = own;
    return twin;
}

static void make_twin(draft *s, const pb_node *n)
{
    note *own = note_of(s, n);
    if (!own->again && !n->want)
        return;
    pb_node *twin = duplicate(s->g, n, own->again);
    for (int k = 0; k < PB_MAX_INPUTS; k++) {
        note *in = n->in[k] ? note_of(s, n->in[k]) : NULL;
        if (in && in->segment == own->segment && in->twin)
            twin->in[k] = in->twin;
    }
    if (own->again)
        add_step(s->g, twin, false);
    own->twin = twin;
}

static pb_node *twin_of(const draft *s, int index)
{
    return s->note[index].twin ? s->note[index].twin : s->g->node[index];
}

/* The copy of a remade node; the first call computes it if a gradient reads it. */
static pb_node *copy_of(draft *s, const pb_node *n)
{
    note *own = note_of(s, n);
    if (own->copy)
        return own->copy;
    own->copy = duplicate(s->g, twin_of(s, n->index), own->needed);
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && note_of(s, n->in[k])->remade)
            own->copy->in[k] = copy_of(s, n->in[k]);
    if (own->needed)
        add_step(s->g, own->copy, false);
    return own->copy;
}

/* The node that goes backward for n: its twin, with the copies of the weights that it reads.  A node that goes forward
 * as well has other inputs then. */
static pb_node *backward_of(draft *s, const pb_node *n)
{
    pb_node *twin = twin_of(s, n->index), *reader = twin;
    bool forward = !note_of(s, n)->twin || note_of(s, n)->again;
    if (note_of(s, n)->remade)
        return copy_of(s, n);
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && note_of(s, n->in[k])->remade) {
            if (forward && reader == twin)
                reader = duplicate(s->g, twin, false);
            reader->in[k] = copy_of(s, n->in[k]);
        }
    return reader;
}

static void go_back(draft *s, size_t from, size_t end, bool again)
{
    pb_graph *g = s->g;
    for (size_t i = end; i-- > from;)
        if (g->node[i]->op)
            find_read(s, g->node[i]);
    for (size_t i = from; i < end && again; i++)
        if (g->node[i]->op)
            make_twin(s, g->node[i]);
    for (size_t i = end; i-- > from;)
        if (g->node[i]->op && g->node[i]->want)
            add_step(g, backward_of(s, g->node[i]), true);
}

void pb_graph_schedule(pb_graph *g)
{
    size_t most = 4 * g->nodes + 1; /* forward, once more, a weight for its gradient, backward */
    g->step = pb_arena_alloc(g->arena, PB_META, most * sizeof *g->step);
    g->steps = 0;
    for (size_t i = 0; i < g->nodes; i++)
        add_step(g, g->node[i], false);
    g->boundary = g->steps;
    if (!g->loss)
        return;
    draft s = {g, pb_arena_alloc(g->arena, PB_META, (g->nodes + 1) * sizeof *s.note)};
    find_segments(&s);
    find_remade(&s);
    int last = note_of(&s, g->loss)->segment;
    for (size_t end = (size_t)g->loss->index + 1, from; end > 0; end = from) {
        for (from = end - 1; from > 0 && s.note[from - 1].segment == s.note[end - 1].segment;)
            from--;
        go_back(&s, from, end, s.note[from].segment < last);
    }
}
