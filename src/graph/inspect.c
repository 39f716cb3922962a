/* inspect: what a planned graph consists of, for checks. */
#include "graph/internal.h"

const pb_node *pb_graph_at(const pb_graph *g, int i)
{
    return i < (int)g->nodes ? g->node[i] : NULL;
}

bool pb_graph_is_remade(const pb_node *n)
{
    return n->plan->remake;
}

/* Returns the memory of a value made of parameters that a forward step of the schedule writes; NULL: it writes none of
 * this size, or over another value. */
static const pb_allocation *made(const pb_schedule_step *s, size_t elements)
{
    const pb_node *n = s->node;
    bool large = (size_t)n->rows * (size_t)n->cols >= elements;
    return !s->backward && n->op && !n->set && large && !n->plan->value.host ? &n->plan->value : NULL;
}

size_t pb_graph_made_bytes(const pb_graph *g, size_t elements)
{
    size_t most = 0;
    for (int i = 0; i < g->steps; i++) {
        size_t bytes = 0;
        for (int k = 0; k < g->steps; k++) {
            const pb_allocation *a = made(&g->step[k], elements);
            bytes += a && a->from <= i && i <= a->to ? a->bytes : 0;
        }
        most = bytes > most ? bytes : most;
    }
    return most;
}
