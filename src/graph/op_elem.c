/* op_elem: element by element: add, scale, activation, dropout. */
#include <string.h>

#include "graph/op.h"

static size_t row_start(const pb_node *n, int row)
{
    return (size_t)row * (size_t)n->cols;
}

static int like_first(pb_node *n)
{
    n->rows = n->in[0]->rows;
    n->cols = n->in[0]->cols;
    n->set = n->in[0]->set;
    return 0;
}

/* ---- add: a + b ----------------------------------------------------------------------------------- */

static int add_shape(pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    if (!a || !b || a->rows != b->rows || a->cols != b->cols)
        return pb_error("add: [%d,%d] + [%d,%d] do not fit", a ? a->rows : 0, a ? a->cols : 0, b ? b->rows : 0,
                        b ? b->cols : 0);
    return like_first(n);
}

static void add_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *a = n->in[0]->x, *b = n->in[1]->x;
    for (size_t i = row_start(n, from); i < row_start(n, to); i++)
        n->x[i] = a[i] + b[i];
}

/* Input 0 comes last: its gradient may share the memory of the output's. */
static void add_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    size_t at = row_start(n, from), count = row_start(n, to) - at;
    for (int k = 1; k >= 0; k--)
        if ((want >> k & 1) && n->in[k]->g != n->g)
            pb_axpy(count, 1, n->g + at, n->in[k]->g + at, n->add >> k & 1);
}

static const pb_op add = {
    .name = "add",
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

/* ---- scale: y[t,j] = b[j] + (x[t,j] - b[j]) * l[j], without b: x[t,j] * l[j] -------------------- */

static int scale_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *l = n->in[1], *b = n->in[2];
    if (!x || !l || l->rows != 1 || l->cols != x->cols || (b && (b->rows != 1 || b->cols != x->cols)))
        return pb_error("scale: x [%d,%d] * l [%d,%d] about b [%d] do not fit", x ? x->rows : 0, x ? x->cols : 0,
                        l ? l->rows : 0, l ? l->cols : 0, b ? b->cols : 0);
    return like_first(n);
}

static void scale_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *l = n->in[1]->x, *b = n->in[2] ? n->in[2]->x : NULL;
    for (int t = from; t < to; t++) {
        const pb_real *x = n->in[0]->x + row_start(n, t);
        pb_real *y = n->x + row_start(n, t);
        for (int j = 0; j < n->cols && !b; j++)
            y[j] = x[j] * l[j];
        for (int j = 0; j < n->cols && b; j++)
            y[j] = b[j] + (x[j] - b[j]) * l[j];
    }
}

static void scale_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_real *l = n->in[1]->x;
    bool adds = n->add & 1;
    for (int t = from; t < to; t++) {
        const pb_real *dy = n->g + row_start(n, t);
        pb_real *dx = n->in[0]->g + row_start(n, t);
        for (int j = 0; j < n->cols; j++)
            dx[j] = (adds ? dx[j] : 0) + dy[j] * l[j];
    }
}

static void clear_unless(bool adds, pb_real *x, int from, int to)
{
    if (!adds)
        memset(x + from, 0, (size_t)(to - from) * sizeof *x);
}

/* dl[j] = sum_t dy[t,j] (x[t,j] - b[j]),  db[j] = sum_t dy[t,j] (1 - l[j]) */
static void scale_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_real *l = n->in[1]->x, *b = n->in[2] ? n->in[2]->x : NULL;
    pb_real *dl = n->in[1]->g, *db = b ? n->in[2]->g : NULL;
    if (want & 2)
        clear_unless(n->add & 2, dl, from, to);
    if (db && want & 4)
        clear_unless(n->add & 4, db, from, to);
    for (int t = 0; t < n->rows; t++) {
        const pb_real *x = n->in[0]->x + row_start(n, t), *dy = n->g + row_start(n, t);
        for (int j = from; j < to && (want & 2); j++)
            dl[j] += dy[j] * (b ? x[j] - b[j] : x[j]);
        for (int j = from; db && j < to && (want & 4); j++)
            db[j] += dy[j] * (1 - l[j]);
    }
}

static const pb_op scale = {
    .name = "scale",
    .aligned = 1,
    .inplace = 1,
    .collects = 2 | 4,
    .reads = {PB_IN1, PB_IN0 | PB_IN2, PB_IN1},
    .shape = scale_shape,
    .forward = scale_forward,
    .backward = scale_backward,
    .backward_params = scale_params,
};

pb_node *pb_op_scale(pb_graph *g, pb_node *x, pb_node *l)
{
    return pb_op_scale_about(g, x, l, NULL);
}

pb_node *pb_op_scale_about(pb_graph *g, pb_node *x, pb_node *l, pb_node *b)
{
    return pb_graph_apply(g, &scale, NULL, x, l, b, NULL);
}

/* ---- act: f(x) ------------------------------------------------------------------------------------- */

typedef struct act_conf {
    pb_act act;
} act_conf;

static void act_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const act_conf *c = n->conf;
    pb_act_forward(c->act, row_start(n, to) - row_start(n, from), n->in[0]->x + row_start(n, from),
                   n->x + row_start(n, from));
}

static void act_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const act_conf *c = n->conf;
    size_t at = row_start(n, from);
    pb_act_backward(c->act, row_start(n, to) - at, n->in[0]->x + at, n->g + at, n->in[0]->g + at, n->add & 1);
}

static const pb_op act_op = {
    .name = "act",
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .reads = {PB_IN0},
    .shape = like_first,
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
        pb_dropout(cols, c->key, whole * cols, c->p, in + row_start(n, t), out + row_start(n, t), adds);
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
    .shape = like_first,
    .forward = drop_forward,
    .backward = drop_backward,
};

pb_node *pb_op_dropout(pb_graph *g, pb_node *x, double p, uint64_t key)
{
    drop_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (drop_conf){.p = p, .key = key};
    return pb_graph_apply(g, &pb_op_dropout_op, c, x, NULL, NULL, NULL);
}
