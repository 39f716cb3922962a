/* op_texts: what is computed of the rows of a text together: a mean, a row for all of them, sums on some of them. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"

static int sequence_units(const pb_node *n, bool backward)
{
    (void)backward;
    return n->set->sequences;
}

/* The first row of sequence s in the node's set. */
static int start_of(const pb_node *n, int s)
{
    return n->set->offset[s];
}

/* ---- mean: y[s] = the mean of x[t] over the rows t of sequence s ---------------------------------- */

/* The set of the output: a row of each sequence. */
typedef struct mean_conf {
    const pb_rows *set;
} mean_conf;

static int mean_shape(pb_node *n)
{
    const pb_node *x = n->in[0];
    const mean_conf *c = n->conf;
    if (!x->set || x->set->of)
        return pb_error("mean: want all rows of each sequence");
    for (int s = 0; s < x->set->sequences; s++)
        if (start_of(x, s) == start_of(x, s + 1) || x->set->position[start_of(x, s)] != 0)
            return pb_error("mean: want whole sequences, got the end of one, as in decoding with a KV cache");
    n->rows = x->set->sequences;
    n->cols = x->cols;
    n->set = c->set;
    return 0;
}

static void mean_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0];
    for (int s = from; s < to; s++) {
        pb_real *y = n->x + pb_row_start(n, s), share = (pb_real)(1.0 / (start_of(x, s + 1) - start_of(x, s)));
        for (int t = start_of(x, s); t < start_of(x, s + 1); t++)
            pb_axpy((size_t)n->cols, share, x->x + pb_row_start(n, t), y, t > start_of(x, s));
    }
}

static void mean_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[0];
    for (int s = from; s < to; s++) {
        pb_real share = (pb_real)(1.0 / (start_of(x, s + 1) - start_of(x, s)));
        for (int t = start_of(x, s); t < start_of(x, s + 1); t++)
            pb_axpy((size_t)n->cols, share, n->g + pb_row_start(n, s), x->g + pb_row_start(n, t), n->add & 1);
    }
}

static const pb_op mean = {
    .name = "mean",
    .shape = mean_shape,
    .units = sequence_units,
    .forward = mean_forward,
    .backward = mean_backward,
};

pb_node *pb_op_mean(pb_graph *g, pb_node *x)
{
    mean_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->set = x && x->set ? pb_rows_pick(g, x->set, 0) : NULL;
    return pb_graph_apply(g, &mean, c, x, NULL, NULL, NULL);
}

/* ---- spread: y[t] = m[s] for the rows t of sequence s ----------------------------------------------- */

typedef struct spread_conf {
    const pb_rows *set;
} spread_conf;

static int spread_shape(pb_node *n)
{
    const pb_node *m = n->in[0];
    const spread_conf *c = n->conf;
    if (!c->set || !m->set || m->rows != c->set->sequences || m->set->sequences != m->rows)
        return pb_error("spread: [%d,%d], want a row for each sequence of a batch", m->rows, m->cols);
    n->rows = c->set->count;
    n->cols = m->cols;
    n->set = c->set;
    return 0;
}

static void spread_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int s = from; s < to; s++)
        for (int t = start_of(n, s); t < start_of(n, s + 1); t++)
            memcpy(n->x + pb_row_start(n, t), n->in[0]->x + pb_row_start(n, s), (size_t)n->cols * sizeof *n->x);
}

static void spread_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    for (int s = from; s < to; s++) {
        pb_real *dm = n->in[0]->g + pb_row_start(n, s);
        if (!(n->add & 1))
            memset(dm, 0, (size_t)n->cols * sizeof *dm);
        for (int t = start_of(n, s); t < start_of(n, s + 1); t++)
            pb_axpy((size_t)n->cols, 1, n->g + pb_row_start(n, t), dm, true);
    }
}

static const pb_op spread = {
    .name = "spread",
    .shape = spread_shape,
    .units = sequence_units,
    .forward = spread_forward,
    .backward = spread_backward,
};

pb_node *pb_op_spread(pb_graph *g, pb_node *m, pb_node *of)
{
    spread_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->set = of ? of->set : NULL;
    return pb_graph_apply(g, &spread, c, m, NULL, NULL, NULL);
}

/* ---- add_rows: x, and on the rows that y has, x + y ------------------------------------------------- */

static bool is_selection(const pb_rows *set, const pb_rows *of)
{
    while (set && set != of)
        set = set->of;
    return set;
}

static int add_rows_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *y = n->in[1];
    if (x->cols != y->cols || !x->set || !is_selection(y->set, x->set))
        return pb_error("add_rows: [%d,%d] and [%d,%d], want rows that are a selection of the first ones", x->rows,
                        x->cols, y->rows, y->cols);
    return pb_shape_of_first(n);
}

/* The first row of set whose origin is at least `origin`: both sets are in ascending order. */
static int first_from(const pb_rows *set, int origin)
{
    int low = 0, high = set->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (pb_rows_origin(set, middle) < origin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The row of y for row t of the output, which dead-row elimination may have left on a selection; -1: none. */
static int partner(const pb_rows *mine, int t, const pb_rows *other)
{
    int origin = pb_rows_origin(mine, t), i = first_from(other, origin);
    return i < other->count && pb_rows_origin(other, i) == origin ? i : -1;
}

static void add_rows_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *x = n->in[0], *y = n->in[1];
    for (int t = from; t < to; t++) {
        int i = partner(n->set, t, y->set);
        if (n->x != x->x)
            memcpy(n->x + pb_row_start(n, t), x->x + pb_row_start(n, t), (size_t)n->cols * sizeof *n->x);
        if (i >= 0)
            pb_axpy((size_t)n->cols, 1, y->x + pb_row_start(n, i), n->x + pb_row_start(n, t), true);
    }
}

/* One unit, since the gradient of a row of y may be that of any row.  A row of y without a partner is not read. */
static int add_rows_units(const pb_node *n, bool backward)
{
    return backward ? 1 : n->rows;
}

/* Input 0 comes last: its gradient may share the memory of the output's. */
static void add_rows_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)from, (void)to, (void)scratch;
    const pb_node *x = n->in[0], *y = n->in[1];
    size_t cols = (size_t)n->cols;
    for (int i = 0; i < y->rows && (want & 2); i++) {
        int t = partner(y->set, i, n->set);
        pb_real *dy = y->g + pb_row_start(n, i);
        if (t >= 0)
            pb_axpy(cols, 1, n->g + pb_row_start(n, t), dy, n->add >> 1 & 1);
        else if (!(n->add >> 1 & 1))
            memset(dy, 0, cols * sizeof *dy);
    }
    if ((want & 1) && x->g != n->g)
        pb_axpy((size_t)n->rows * cols, 1, n->g, x->g, n->add & 1);
}

static const pb_op add_rows = {
    .name = "add_rows",
    .needs = 2,
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .units = add_rows_units,
    .shape = add_rows_shape,
    .forward = add_rows_forward,
    .backward = add_rows_backward,
};

pb_node *pb_op_add_rows(pb_graph *g, pb_node *x, pb_node *y)
{
    return pb_graph_apply(g, &add_rows, NULL, x, y, NULL, NULL);
}
