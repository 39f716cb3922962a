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

static size_t loss_aux(const pb_node *n) /* probabilities [T,classes], loss of each row [T] */
{
    return (size_t)n->in[0]->rows * (size_t)(n->in[0]->cols + 1);
}

static int one_unit(const pb_node *n, bool backward)
{
    (void)n, (void)backward;
    return 1;
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
    (void)from, (void)to, (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    pb_real *row_loss = n->aux + (size_t)x->rows * (size_t)x->cols;
    double sum = 0;
    pb_cross_entropy(x->rows, x->cols, x->x, c->label, row_loss, n->aux);
    for (int r = 0; r < x->rows; r++)
        sum += c->label[r] >= 0 ? (double)row_loss[r] : 0;
    n->x[0] = (pb_real)(sum / counted(n));
}

/* dx = (p - onehot(label)) / counted rows */
static void loss_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)from, (void)to, (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    pb_real share = n->g[0] / (pb_real)counted(n);
    for (int r = 0; r < x->rows; r++)
        for (int j = 0; j < x->cols; j++) {
            size_t i = (size_t)r * (size_t)x->cols + (size_t)j;
            pb_real d = c->label[r] < 0 ? 0 : share * (n->aux[i] - (pb_real)(j == c->label[r]));
            x->g[i] = (n->add & 1 ? x->g[i] : 0) + d;
        }
}

static const pb_op cross_entropy = {
    .name = "cross_entropy",
    .reads = {PB_AUX},
    .shape = loss_shape,
    .aux = loss_aux,
    .units = one_unit,
    .forward = loss_forward,
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

static void square_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)from, (void)to, (void)scratch;
    const square_conf *c = n->conf;
    const pb_node *x = n->in[0];
    size_t cols = (size_t)x->cols;
    double all = 0;
    for (size_t r = 0; r < (size_t)x->rows; r++) {
        double sum = 0;
        for (size_t j = r * cols; c->weight[r] > 0 && j < (r + 1) * cols; j++)
            sum += (double)(x->x[j] - c->target[j]) * (double)(x->x[j] - c->target[j]);
        all += (double)c->weight[r] * sum / (double)cols;
    }
    n->x[0] = (pb_real)all;
}

/* dx[r] = 2 weight[r] (x[r] - target[r]) / columns */
static void square_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)from, (void)to, (void)scratch;
    const square_conf *c = n->conf;
    const pb_node *x = n->in[0];
    size_t cols = (size_t)x->cols;
    for (size_t r = 0; r < (size_t)x->rows; r++) {
        pb_real share = n->g[0] * 2 * c->weight[r] / (pb_real)cols;
        for (size_t j = r * cols; j < (r + 1) * cols; j++)
            x->g[j] = (n->add & 1 ? x->g[j] : 0) + share * (x->x[j] - c->target[j]);
    }
}

static const pb_op square_loss = {
    .name = "square_loss",
    .reads = {PB_IN0},
    .shape = square_shape,
    .units = one_unit,
    .forward = square_forward,
    .backward = square_backward,
};

pb_node *pb_op_square_loss(pb_graph *g, pb_node *x, const pb_real *target, const pb_real *weight)
{
    square_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (square_conf){target, weight};
    return pb_graph_apply(g, &square_loss, c, x, NULL, NULL, NULL);
}
