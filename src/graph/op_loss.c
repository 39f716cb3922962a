/* op_loss: mean over counted rows of -log softmax(x)[label]; weighted squares. */
#include "graph/op.h"

typedef struct loss_conf {
    const int *label;
} loss_conf;

static int loss_shape(pb_node *n)
{
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    for (int r = 0; x && r < x->rows; r++)
        if (c->label[r] >= x->cols)
            return pb_error("cross entropy: label %d, want 0..%d", c->label[r], x->cols - 1);
    n->rows = n->cols = 1;
    return x ? 0 : -1;
}

static size_t loss_aux(const pb_node *n) /* of each row [T]: loss; largest logit and 1 / sum of exponentials */
{
    return 3 * (size_t)n->in[0]->rows;
}

static int rows_read(const pb_node *n, bool backward)
{
    (void)backward;
    return n->in[0]->rows;
}

static int counted(const pb_node *n)
{
    const loss_conf *c = n->conf;
    int count = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        count += c->label[r] >= 0;
    return count;
}

static void loss_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    pb_cross_entropy(to - from, x->cols, x->x + (size_t)from * (size_t)x->cols, c->label + from, n->aux + from,
                     n->aux + x->rows + 2 * (size_t)from);
}

static void loss_finish(const pb_node *n)
{
    double sum = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        sum += (double)n->aux[r]; /* 0 where the row is not counted */
    n->x[0] = (pb_real)(sum / counted(n));
}

/* dx = (p - onehot(label)) / counted rows */
static void loss_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    size_t at = (size_t)from * (size_t)x->cols;
    pb_cross_entropy_backward(to - from, x->cols, x->x + at, c->label + from, n->aux + x->rows + 2 * (size_t)from,
                              n->g[0] / (pb_real)counted(n), x->g + at, n->add & 1);
}

static const pb_op cross_entropy = {
    .name = "cross_entropy",
    .reads = {PB_IN0 | PB_AUX},
    .shape = loss_shape,
    .aux = loss_aux,
    .units = rows_read,
    .forward = loss_forward,
    .finish = loss_finish,
    .backward = loss_backward,
};

pb_node *pb_op_cross_entropy(pb_graph *g, pb_node *x, const int *label)
{
    loss_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->label = label;
    return pb_graph_apply(g, &cross_entropy, c, x, NULL, NULL, NULL);
}

/* ---- sum of weight[r] * mean (x[r] - target[r])^2 -------------------------------------------------------- */

typedef struct square_conf {
    const pb_real *target, *weight;
} square_conf;

static int square_shape(pb_node *n)
{
    n->rows = n->cols = 1;
    return n->in[0] ? 0 : -1;
}

static size_t square_aux(const pb_node *n) /* of each row: the sum of squares */
{
    return (size_t)n->in[0]->rows;
}

static void square_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const square_conf *c = n->conf;
    size_t cols = (size_t)n->in[0]->cols;
    for (int r = from; r < to; r++)
        n->aux[r] = pb_square_distance(cols, n->in[0]->x + (size_t)r * cols, c->target + (size_t)r * cols);
}

static void square_finish(const pb_node *n)
{
    const square_conf *c = n->conf;
    double all = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        all += (double)c->weight[r] * (double)n->aux[r];
    n->x[0] = (pb_real)(all / n->in[0]->cols);
}

/* dx[r] = 2 weight[r] (x[r] - target[r]) / columns */
static void square_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const square_conf *c = n->conf;
    const pb_node *x = n->in[0];
    size_t cols = (size_t)x->cols;
    for (size_t r = (size_t)from; r < (size_t)to; r++) {
        pb_real share = n->g[0] * 2 * c->weight[r] / (pb_real)cols;
        for (size_t j = r * cols; j < (r + 1) * cols; j++)
            x->g[j] = (n->add & 1 ? x->g[j] : 0) + share * (x->x[j] - c->target[j]);
    }
}

static const pb_op square_loss = {
    .name = "square_loss",
    .reads = {PB_IN0},
    .shape = square_shape,
    .aux = square_aux,
    .units = rows_read,
    .forward = square_forward,
    .finish = square_finish,
    .backward = square_backward,
};

pb_node *pb_op_square_loss(pb_graph *g, pb_node *x, const pb_real *target, const pb_real *weight)
{
    square_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (square_conf){target, weight};
    return pb_graph_apply(g, &square_loss, c, x, NULL, NULL, NULL);
}
