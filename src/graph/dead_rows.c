/* dead_rows: dead-row elimination, which computes only the rows that are read.
 *
 * Where the head reads one row of each sequence, every row-by-row computation above the last attention's keys and
 * values is needed on those rows only.  The algorithm uses no knowledge of heads or transformers: demand goes from the
 * outputs down through `aligned` inputs, and a node whose readers all demand the same selection is computed on that
 * selection. */
#include "graph/internal.h"
#include "graph/op.h"

/* Whether n can be computed on a selection of its rows: row r comes from row r of the inputs
 * over the same set, or from parameters alone. */
static bool can_select(const pb_node *n)
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

static void demand_rows(pb_node *n, const pb_rows *rows)
{
    struct pb_node_plan *p = n->plan;
    if ((p->live && p->demand != rows) || !can_select(n))
        rows = n->set; /* the readers demand different rows: compute all */
    p->live = true;
    p->demand = rows;
}

/* The rows of input i that n reads when it is computed on the rows demanded of it. */
static const pb_rows *reads_of(const pb_node *n, int i)
{
    const pb_rows *demanded = n->plan->demand;
    if (n->op == &pb_op_select_op)
        return n->set;
    if ((n->op->aligned >> i & 1) && demanded != n->set)
        return demanded;
    return n->in[i]->set;
}

static void spread_demand(pb_graph *g)
{
    demand_rows(g->output, g->output->set);
    if (g->loss)
        demand_rows(g->loss, g->loss->set);
    for (size_t i = g->nodes; i-- > 0;) {
        pb_node *n = g->node[i];
        if (!n->plan->live || !n->op)
            continue;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->in[k])
                demand_rows(n->in[k], reads_of(n, k));
    }
}

static pb_node *current(pb_node *n)
{
    while (n && n->plan->instead)
        n = n->plan->instead;
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
    s->plan->live = true;
    s->plan->demand = set;
    return s;
}

static void restrict_node(pb_graph *g, pb_node *n)
{
    const pb_rows *demanded = n->plan->demand;
    if (demanded == n->set)
        return;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->in[k] && n->op->aligned >> k & 1)
            n->in[k] = on_rows(g, n->in[k], demanded);
    n->set = demanded;
    n->rows = demanded->count;
}

/* A selection whose input is already restricted to the same rows is that input. */
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
        if (!n->plan->live)
            continue;
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            n->in[k] = current(n->in[k]);
        if (n->op && is_idle_select(n)) {
            n->plan->instead = n->in[0];
            n->in[0]->plan->mark |= n->plan->mark;
            continue;
        }
        if (n->op)
            restrict_node(g, n);
        pb_graph_append(g, n);
    }
    g->output = current(g->output);
    g->loss = current(g->loss);
}
