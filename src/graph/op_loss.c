/* op_loss: mean over counted rows of -log softmax(x)[label]; weighted squares.
 *
 * The mean is two nodes: the loss of each row, which is nearly all of the work (a row of a language model has tens of
 * thousands of columns), and their mean.  Backward takes the exponentials again, so that no second matrix of
 * the logits' size is kept. */
#include "graph/op.h"

typedef struct loss_conf {
    const int *label;
} loss_conf;

/* ---- the loss of each row [T,1]: log of the sum of exp(x) - x[label] ------------------------------------ */

static int rows_shape(pb_node *n)
{
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    for (int r = 0; x && r < x->rows; r++)
        if (c->label[r] >= x->cols)
            return pb_error("cross entropy: label %d, want 0..%d", c->label[r], x->cols - 1);
    n->rows = x ? x->rows : 0;
    n->cols = 1;
    n->set = x ? x->set : NULL;
    return x ? 0 : -1;
}

static size_t rows_aux(const pb_node *n) /* log of the sum of exponentials [T] */
{
    return (size_t)n->rows;
}

static void rows_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    pb_cross_entropy(to - from, x->cols, x->x + (size_t)from * (size_t)x->cols, c->label + from, n->x + from,
                     n->aux + from);
}

static void rows_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    size_t at = (size_t)from * (size_t)x->cols;
    pb_cross_entropy_backward(to - from, x->cols, x->x + at, c->label + from, n->aux + from, n->g + from, x->g + at,
                              n->add & 1);
}

static const pb_op row_losses = {
    .name = "cross_entropy",
    .reads = {PB_IN0 | PB_AUX},
    .shape = rows_shape,
    .aux = rows_aux,
    .forward = rows_forward,
    .backward = rows_backward,
};

/* ---- the mean of the counted ones [1,1] -------------------------------------------------------------------- */

static int mean_shape(pb_node *n)
{
    n->rows = n->cols = 1;
    return n->in[0] ? 0 : -1;
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

static void mean_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)from, (void)to, (void)scratch;
    double sum = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        sum += (double)n->in[0]->x[r];
    n->x[0] = (pb_real)(sum / counted(n));
}

static void mean_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)from, (void)to, (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    pb_real share = n->g[0] / (pb_real)counted(n);
    for (int r = 0; r < x->rows; r++)
        x->g[r] = (n->add & 1 ? x->g[r] : 0) + (c->label[r] < 0 ? 0 : share);
}

static const pb_op mean_loss = {
    .name = "mean_loss",
    .shape = mean_shape,
    .units = one_unit,
    .forward = mean_forward,
    .backward = mean_backward,
};

pb_node *pb_op_cross_entropy(pb_graph *g, pb_node *x, const int *label)
{
    loss_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->label = label;
    return pb_graph_apply(g, &mean_loss, c, pb_graph_apply(g, &row_losses, c, x, NULL, NULL, NULL), NULL, NULL, NULL);
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
