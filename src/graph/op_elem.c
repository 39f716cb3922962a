/* op_elem: element by element: add, multiply, activation, dropout. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

/* ---- add: a + b ----------------------------------------------------------------------------------- */

static int add_shape(pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    if (a->rows != b->rows || a->cols != b->cols)
        return pb_error("add: [%d,%d] + [%d,%d] do not fit", a->rows, a->cols, b->rows, b->cols);
    return pb_shape_of_first(n);
}

static void add_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *a = n->in[0]->x, *b = n->in[1]->x;
    for (size_t i = pb_row_start(n, from); i < pb_row_start(n, to); i++)
        n->x[i] = a[i] + b[i];
}

/* Input 0 comes last: its gradient may share the memory of the output's. */
static void add_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    size_t at = pb_row_start(n, from), count = pb_row_start(n, to) - at;
    for (int k = 1; k >= 0; k--)
        if ((want >> k & 1) && n->in[k]->g != n->g)
            pb_axpy(count, 1, n->g + at, n->in[k]->g + at, n->add >> k & 1);
}

static const pb_op add = {
    .name = "add",
    .needs = 2,
    .aligned = 1 | 2,
    .inplace = 1 | 2,
    .inplace_grad = 1,
    .shape = add_shape,
    .forward = add_forward,
    .backward = add_backward,
};

pb_node *pb_op_add(pb_graph *g, pb_node *a, pb_node *b)
{
    return pb_graph_apply(g, &add, NULL, a, b, NULL, NULL);
}

/* ---- multiply: a * b ------------------------------------------------------------------------------- */

static int multiply_shape(pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    if (a->rows != b->rows || a->cols != b->cols)
        return pb_error("multiply: [%d,%d] * [%d,%d] do not fit", a->rows, a->cols, b->rows, b->cols);
    return pb_shape_of_first(n);
}

static void multiply_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *a = n->in[0]->x, *b = n->in[1]->x;
    for (size_t i = pb_row_start(n, from); i < pb_row_start(n, to); i++)
        n->x[i] = a[i] * b[i];
}

/* da = dy * b,  db = dy * a.  Input 0 comes last: its gradient may share the memory of the output's. */
static void multiply_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int k = 1; k >= 0; k--) {
        const pb_real *other = n->in[1 - k]->x;
        pb_real *g = n->in[k]->g;
        bool adds = n->add >> k & 1;
        for (size_t i = pb_row_start(n, from); i < pb_row_start(n, to) && (want >> k & 1); i++)
            g[i] = (adds ? g[i] : 0) + n->g[i] * other[i];
    }
}

static const pb_op multiply = {
    .name = "multiply",
    .needs = 2,
    .aligned = 1 | 2,
    .inplace = 1 | 2,
    .inplace_grad = 1,
    .reads = {PB_IN1, PB_IN0},
    .shape = multiply_shape,
    .forward = multiply_forward,
    .backward = multiply_backward,
};

pb_node *pb_op_multiply(pb_graph *g, pb_node *a, pb_node *b)
{
    return pb_graph_apply(g, &multiply, NULL, a, b, NULL, NULL);
}

/* ---- act: f(x) ------------------------------------------------------------------------------------- */

typedef struct act_conf {
    pb_act act;
} act_conf;

static void act_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const act_conf *c = n->conf;
    pb_act_forward(c->act, pb_row_start(n, to) - pb_row_start(n, from), n->in[0]->x + pb_row_start(n, from),
                   n->x + pb_row_start(n, from));
}

static void act_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const act_conf *c = n->conf;
    size_t at = pb_row_start(n, from);
    pb_act_backward(c->act, pb_row_start(n, to) - at, n->in[0]->x + at, n->g + at, n->in[0]->g + at, n->add & 1);
}

static const pb_op act_op = {
    .name = "act",
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .reads = {PB_IN0},
    .shape = pb_shape_of_first,
    .forward = act_forward,
    .backward = act_backward,
};

pb_node *pb_op_act(pb_graph *g, pb_act act, pb_node *x)
{
    act_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->act = act;
    return pb_graph_apply(g, &act_op, c, x, NULL, NULL, NULL);
}

/* ---- dropout ---------------------------------------------------------------------------------------- */

typedef struct drop_conf {
    double p;
    uint64_t key;
} drop_conf;

/* The mask depends on the element's position in the whole set, so each row is drawn separately. */
static void apply_mask(const pb_node *n, int from, int to, const pb_real *in, pb_real *out, bool adds)
{
    const drop_conf *c = n->conf;
    size_t cols = (size_t)n->cols;
    for (int t = from; t < to; t++) {
        size_t whole = n->set ? (size_t)pb_rows_origin(n->set, t) : (size_t)t;
        pb_dropout(cols, c->key, whole * cols, c->p, in + pb_row_start(n, t), out + pb_row_start(n, t), adds);
    }
}

static void drop_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    apply_mask(n, from, to, n->in[0]->x, n->x, false);
}

static void drop_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    apply_mask(n, from, to, n->g, n->in[0]->g, n->add & 1);
}

const pb_op pb_op_dropout_op = {
    .name = "dropout",
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .shape = pb_shape_of_first,
    .forward = drop_forward,
    .backward = drop_backward,
};

pb_node *pb_op_dropout(pb_graph *g, pb_node *x, double p, uint64_t key)
{
    drop_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (drop_conf){.p = p, .key = key};
    return pb_graph_apply(g, &pb_op_dropout_op, c, x, NULL, NULL, NULL);
}
