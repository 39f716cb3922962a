/* feature: the value that only frozen parameters feed, which can be computed once and kept. */
#include <string.h>

#include "graph/internal.h"
#include "graph/op.h"

static bool trains_here(const pb_node *n)
{
    return n->param && n->param->trainable;
}

static bool drops_here(const pb_node *n)
{
    return n->op == &pb_op_dropout_op || n->op == &pb_op_attention_drop_op;
}

/* For every node: whether `here` holds for it or for a node that it depends on.  Called with trains_here it differs
 * from requires_grad, which is false in inference. */
static const bool *above(pb_graph *g, bool (*here)(const pb_node *n))
{
    bool *is = pb_arena_alloc(g->arena, PB_META, (g->nodes + 1) * sizeof *is);
    for (size_t i = 0; i < g->nodes; i++) {
        const pb_node *n = g->node[i];
        is[i] = here(n);
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            is[i] |= n->in[k] && is[n->in[k]->index];
    }
    return is;
}

/* Returns n, without dropout on top of it, if it is computed and depends on no trainable parameter; else NULL. */
static pb_node *frozen_input(pb_node *n, const bool *trains)
{
    while (n && n->op == &pb_op_dropout_op)
        n = n->in[0];
    return n && n->op && !trains[n->index] && n->set ? n : NULL;
}

pb_node *pb_graph_feature(pb_graph *g, pb_node *output)
{
    if (g->failed)
        return NULL;
    pb_node *feature = NULL;
    const bool *trains = above(g, trains_here), *noisy = above(g, drops_here);
    for (size_t i = 0; i < g->nodes; i++) {
        pb_node *n = g->node[i];
        if (!trains[i] && n != output)
            continue;
        for (int k = 0; k < PB_MAX_INPUTS; k++) {
            pb_node *f = frozen_input(n->in[k], trains);
            if (f && feature && f != feature)
                return NULL;
            feature = f ? f : feature;
        }
    }
    bool alike = feature && feature->set->count == output->rows;
    return alike && !noisy[feature->index] ? feature : NULL;
}

void pb_graph_cut(pb_graph *g, pb_node *n, pb_real *x)
{
    (void)g;
    PB_CHECK(!n->requires_grad);
    n->op = NULL;
    n->x = x;
    memset(n->in, 0, sizeof n->in);
}
