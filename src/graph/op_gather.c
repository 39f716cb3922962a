/* op_gather: a matrix whose elements are those of a vector, in any order and as often as wanted. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

typedef struct gather_conf {
    const int *index;
    const pb_real *scale; /* [d], or NULL: 1 */
    int rows, cols;
} gather_conf;

static int gather_shape(pb_node *n)
{
    const gather_conf *c = n->conf;
    const pb_node *v = n->in[0];
    if (v->rows != 1 || v->set || !c->index || c->rows < 1 || c->cols < 1)
        return pb_error("gather: v [%d,%d] to [%d,%d], want a vector [1,d] of parameters, an index and a matrix",
                        v->rows, v->cols, c->rows, c->cols);
    n->rows = c->rows;
    n->cols = c->cols;
    for (size_t i = 0; i < pb_row_start(n, n->rows); i++)
        if (c->index[i] < -1 || c->index[i] >= v->cols)
            return pb_error("gather: index %d, want -1..%d", c->index[i], v->cols - 1);
    return 0;
}

static pb_real scale_of(const gather_conf *c, int k)
{
    return c->scale ? c->scale[k] : 1;
}

static void gather_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const gather_conf *c = n->conf;
    for (size_t i = pb_row_start(n, from); i < pb_row_start(n, to); i++)
        n->x[i] = c->index[i] < 0 ? 0 : n->in[0]->x[c->index[i]] * scale_of(c, c->index[i]);
}

static int gather_param_units(const pb_node *n)
{
    return n->in[0]->cols;
}

/* dv[k] = the sum of dy[i] scale[k] over all i with index[i] = k.  A thread reads all of dy and writes its part of
 * dv. */
static void gather_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const gather_conf *c = n->conf;
    pb_real *dv = n->in[0]->g;
    if (!(n->add & 1))
        memset(dv + from, 0, (size_t)(to - from) * sizeof *dv);
    for (size_t i = 0; i < pb_row_start(n, n->rows); i++)
        if (c->index[i] >= from && c->index[i] < to)
            dv[c->index[i]] += n->g[i] * scale_of(c, c->index[i]);
}

static const pb_op gather = {
    .name = "gather",
    .collects = 1,
    .shape = gather_shape,
    .param_units = gather_param_units,
    .forward = gather_forward,
    .backward_params = gather_params,
};

pb_node *pb_op_gather(pb_graph *g, pb_node *v, const int *index, const pb_real *scale, int rows, int cols)
{
    gather_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (gather_conf){index, scale, rows, cols};
    return pb_graph_apply(g, &gather, c, v, NULL, NULL, NULL);
}
