/* dead_rows: compute only the rows that are read.
 *
 * Where the head takes one row of each sequence, every row-by-row computation above the last
 * attention's keys and values is needed on those rows only.  Nothing here knows of heads or
 * of transformers: demand runs from the outputs down through `aligned` inputs, and a node
 * whose readers all ask for one and the same selection is computed on that selection. */
#include "graph/internal.h"
#include "graph/op.h"

/* Whether n can be computed on a selection of its rows: row r comes from row r of the inputs
 * over the same set, or from parameters alone. */
static bool can_narrow(const pb_node *n)
{
    bool aligned = false, other = false;
    for (int k = 0; k < PB_MAX_INPUTS && n->op; k++) {
        bool row_by_row = n->op->aligned >> k & 1;
        if (n->in[k] && row_by_row && n->in[k]->set != n->set)
            return false;
        aligned = aligned || (n->in[k] && row_by_row);
        other = other || (n->in[k] && !row_by_row && n->in[k]->set);
    }
    return aligned || !other;
}

static void ask(pb_node *n, const pb_rows *rows)
{
    struct pb_slot *p = n->place;
    if ((p->live && p->demand != rows) || !can_narrow(n))
        rows = n->set; /* two readers, two wishes: all rows */
    p->live = true;
    p->demand = rows;
}

/* What n's computation on the rows asked of it reads of input i. */
static const pb_rows *reads_of(const pb_node *n, int i)
{
    const pb_rows *asked = n->place->demand;
    if (n->op == &pb_op_select_op)
        return n->set;
    if ((n->op->aligned >> i & 1) && asked != n->set)
        return asked;
    return n->in[i]->set;
}

static void spread_demand(pb_graph *g)
{
    ask(g->output, g->output->set);
    if (g->loss)
        ask(g->loss, g->loss->set);
    for (size_t i = g->nodes; i-- > 0;) {
        pb_node *n = g->node[i];
        if (!n->place->live || !n->op)
            continue;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->in[k])
                ask(n->in[k], reads_of(n, k));
    }
}

static pb_node *current(pb_node *n)
{
    while (n && n->place->instead)
        n = n->place->instead;
    return n;
}

/* The value of n on the rows of `set`: n itself, or a selection of it, made once. */
static pb_node *on_rows(pb_graph *g, pb_node *n, const pb_rows *set)
{
    if (n->set == set || !n->set)
        return n;
    for (size_t i = 0; i < g->nodes; i++)
        if (g->node[i]->op == &pb_op_select_op && g->node[i]->in[0] == n && g->node[i]->set == set)
            return g->node[i];
    pb_node *s = pb_op_select(g, n, set); /* appends itself to the new order */
    s->place->live = true;
    s->place->demand = set;
    return s;
}

static void narrow_node(pb_graph *g, pb_node *n)
{
    const pb_rows *asked = n->place->demand;
    if (asked == n->set)
        return;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && n->op->aligned >> k & 1)
            n->in[k] = on_rows(g, n->in[k], asked);
    n->set = asked;
    n->rows = asked->count;
}

/* A selection whose input is already narrowed to the same rows is that input. */
static bool is_idle_select(const pb_node *n)
{
    return n->op == &pb_op_select_op && n->in[0]->set == n->set;
}

void pb_graph_eliminate_dead_rows(pb_graph *g)
{
    spread_demand(g);
    size_t nodes = g->nodes;
    pb_node **node = g->node;
    g->nodes = g->capacity = 0; /* the new order grows in fresh memory */
    for (size_t i = 0; i < nodes; i++) {
        pb_node *n = node[i];
        if (!n->place->live)
            continue;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            n->in[k] = current(n->in[k]);
        if (n->op && is_idle_select(n)) {
            n->place->instead = n->in[0];
            n->in[0]->place->mark |= n->place->mark;
            continue;
        }
        if (n->op)
            narrow_node(g, n);
        pb_graph_append(g, n);
    }
    g->output = current(g->output);
    g->loss = current(g->loss);
}
