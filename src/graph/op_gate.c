/* op_gate: ops that join or part columns: gate, columns. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

/* ---- gate: y = f(a) * b (Shazeer 2020, GLU variants, arXiv:2002.05202) ------------------------- */

#define BLOCK 512 /* elements of f(a) that are held at a time */

typedef struct gate_conf {
    pb_act act;
} gate_conf;

static int gate_shape(pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    if (a->rows != b->rows || a->cols != b->cols)
        return pb_error("gate: f([%d,%d]) * [%d,%d] do not fit", a->rows, a->cols, b->rows, b->cols);
    n->rows = a->rows;
    n->cols = a->cols;
    n->set = a->set;
    return 0;
}

static void gate_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    const gate_conf *c = n->conf;
    for (size_t i = pb_row_start(n, from), end = pb_row_start(n, to); i < end; i += BLOCK) {
        size_t count = end - i < BLOCK ? end - i : BLOCK;
        pb_act_forward(c->act, count, n->in[0]->x + i, scratch);
        for (size_t k = 0; k < count; k++)
            n->x[i + k] = scratch[k] * n->in[1]->x[i + k];
    }
}

/* da = dy * b * f'(a),  db = dy * f(a).  The gradient of a comes last: it may share the memory of the output's. */
static void gate_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    const gate_conf *c = n->conf;
    const pb_node *a = n->in[0], *b = n->in[1];
    for (size_t i = pb_row_start(n, from), end = pb_row_start(n, to); i < end; i += BLOCK) {
        size_t count = end - i < BLOCK ? end - i : BLOCK;
        if (want & 2) {
            pb_act_forward(c->act, count, a->x + i, scratch);
            for (size_t k = 0; k < count; k++)
                b->g[i + k] = (n->add & 2 ? b->g[i + k] : 0) + n->g[i + k] * scratch[k];
        }
        if (want & 1) {
            for (size_t k = 0; k < count; k++)
                scratch[k] = n->g[i + k] * b->x[i + k];
            pb_act_backward(c->act, count, a->x + i, scratch, a->g + i, n->add & 1);
        }
    }
}

static size_t gate_scratch(const pb_node *n)
{
    (void)n;
    return BLOCK;
}

static const pb_op gate = {
    .name = "gate",
    .needs = 2,
    .aligned = 1 | 2,
    .inplace = 1 | 2,
    .inplace_grad = 1,
    .reads = {PB_IN0 | PB_IN1, PB_IN0},
    .shape = gate_shape,
    .scratch = gate_scratch,
    .forward = gate_forward,
    .backward = gate_backward,
};

pb_node *pb_op_gate(pb_graph *g, pb_act act, pb_node *a, pb_node *b)
{
    gate_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->act = act;
    return pb_graph_apply(g, &gate, c, a, b, NULL, NULL);
}

/* ---- columns: y = x[:, from .. from+count-1] ----------------------------------------------------- */

typedef struct columns_conf {
    int from, count;
} columns_conf;

static int columns_shape(pb_node *n)
{
    const columns_conf *c = n->conf;
    const pb_node *x = n->in[0];
    if (c->from + c->count > x->cols)
        return pb_error("columns: %d from %d of [%d,%d]", c->count, c->from, x->rows, x->cols);
    n->rows = x->rows;
    n->cols = c->count;
    n->set = x->set;
    return 0;
}

static void columns_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const columns_conf *c = n->conf;
    const pb_node *x = n->in[0];
    for (int t = from; t < to; t++)
        memcpy(n->x + pb_row_start(n, t), x->x + pb_row_start(x, t) + c->from, (size_t)c->count * sizeof *n->x);
}

/* The first op to write the gradient of x also clears the columns that it does not read. */
static void columns_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const columns_conf *c = n->conf;
    const pb_node *x = n->in[0];
    if (!(n->add & 1))
        memset(x->g + pb_row_start(x, from), 0, (pb_row_start(x, to) - pb_row_start(x, from)) * sizeof *x->g);
    for (int t = from; t < to; t++)
        pb_axpy((size_t)c->count, 1, n->g + pb_row_start(n, t), x->g + pb_row_start(x, t) + c->from, true);
}

static const pb_op columns = {
    .name = "columns",
    .aligned = 1,
    .shape = columns_shape,
    .forward = columns_forward,
    .backward = columns_backward,
};

pb_node *pb_op_columns(pb_graph *g, pb_node *x, int from, int count)
{
    columns_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (columns_conf){.from = from, .count = count};
    return pb_graph_apply(g, &columns, c, x, NULL, NULL, NULL);
}
