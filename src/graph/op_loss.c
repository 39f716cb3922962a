/* op_loss: mean over counted rows of -log softmax(x)[label]; the same over groups of rows; binary cross-entropy;
 * consistency of two predictions; weighted squares. */
#include <math.h>

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

/* ---- mean over groups of rows of -log softmax(x of the group)[label] -------------------------------------- */

typedef struct group_conf {
    int groups;
    const int *offset, *label;
} group_conf;

enum { GROUP_LOSS, GROUP_SCALE, GROUP_AUX = GROUP_SCALE + 2 }; /* loss; largest x and 1 / sum of exponentials */

static int group_shape(pb_node *n)
{
    const group_conf *c = n->conf;
    const pb_node *x = n->in[0];
    if (x->cols != 1 || c->offset[c->groups] != x->rows)
        return pb_error("group cross entropy: x is [%d,%d], want [%d,1]", x->rows, x->cols, c->offset[c->groups]);
    for (int i = 0; i < c->groups; i++)
        if (c->label[i] < 0 || c->label[i] >= c->offset[i + 1] - c->offset[i])
            return pb_error("group cross entropy: label %d, want 0..%d", c->label[i],
                            c->offset[i + 1] - c->offset[i] - 1);
    n->rows = n->cols = 1;
    return 0;
}

static int groups_of(const pb_node *n, bool backward)
{
    (void)backward;
    return ((const group_conf *)n->conf)->groups;
}

static size_t group_aux(const pb_node *n)
{
    return GROUP_AUX * (size_t)groups_of(n, false);
}

/* A group is a row of as many classes as it has rows. */
static void group_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const group_conf *c = n->conf;
    for (int i = from; i < to; i++) {
        pb_real *aux = n->aux + GROUP_AUX * (size_t)i;
        pb_cross_entropy(1, c->offset[i + 1] - c->offset[i], n->in[0]->x + c->offset[i], c->label + i, aux + GROUP_LOSS,
                         aux + GROUP_SCALE);
    }
}

static void group_finish(const pb_node *n)
{
    int groups = groups_of(n, false);
    double sum = 0;
    for (const pb_real *aux = n->aux; aux < n->aux + GROUP_AUX * (size_t)groups; aux += GROUP_AUX)
        sum += (double)aux[GROUP_LOSS];
    n->x[0] = (pb_real)(sum / groups);
}

/* dx = (p - onehot(label)) / groups */
static void group_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const group_conf *c = n->conf;
    const pb_node *x = n->in[0];
    for (int i = from; i < to; i++)
        pb_cross_entropy_backward(1, c->offset[i + 1] - c->offset[i], x->x + c->offset[i], c->label + i,
                                  n->aux + GROUP_AUX * (size_t)i + GROUP_SCALE, n->g[0] / (pb_real)c->groups,
                                  x->g + c->offset[i], n->add & 1);
}

static const pb_op group_cross_entropy = {
    .name = "group_cross_entropy",
    .reads = {PB_IN0 | PB_AUX},
    .shape = group_shape,
    .aux = group_aux,
    .units = groups_of,
    .forward = group_forward,
    .finish = group_finish,
    .backward = group_backward,
};

pb_node *pb_op_group_cross_entropy(pb_graph *g, pb_node *x, int groups, const int *offset, const int *label)
{
    group_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (group_conf){groups, offset, label};
    return pb_graph_apply(g, &group_cross_entropy, c, x, NULL, NULL, NULL);
}

/* ---- consistency: mean of (KL(p || q) + KL(q || p)) / 2, p = softmax(a), q = softmax(b) ----------------- */

/* With d = a - b the normalizers cancel, and the loss of a row is sum_j (p_j - q_j) d_j / 2. */

enum { LOG_P, INVERSE_P, LOG_Q, INVERSE_Q, MEAN_P, MEAN_Q, STATS, CLASSES = 256 }; /* of a row; classes of a piece */

static int consistency_shape(pb_node *n)
{
    const pb_node *a = n->in[0], *b = n->in[1];
    if (a->rows != b->rows || a->cols != b->cols)
        return pb_error("consistency: predictions [%d,%d] and [%d,%d] do not fit", a->rows, a->cols, b->rows, b->cols);
    n->rows = n->cols = 1;
    return 0;
}

/* Of each row: the largest logit and 1 / sum of exponentials of a and of b; the means of d under p and under q. */
static size_t consistency_aux(const pb_node *n)
{
    return STATS * (size_t)n->in[0]->rows;
}

static size_t consistency_scratch(const pb_node *n)
{
    (void)n;
    return 2 * CLASSES;
}

/* The two predictions for some classes of a row: a and b, d by their difference, p [count] and q [count]. */
typedef struct piece {
    size_t count;
    const pb_real *a, *b;
    pb_real *p, *q;
} piece;

static void normalize(size_t count, const pb_real *x, const pb_real *stat, pb_real *p)
{
    pb_exp(count, x, stat[0], p);
    pb_axpy(count, stat[1], p, p, false);
}

static piece piece_of(const pb_node *n, int row, int from, const pb_real *stat, pb_real *scratch)
{
    int cols = n->in[0]->cols;
    size_t at = (size_t)row * (size_t)cols + (size_t)from;
    piece c = {.count = cols - from < CLASSES ? (size_t)(cols - from) : CLASSES,
               .a = n->in[0]->x + at,
               .b = n->in[1]->x + at,
               .p = scratch,
               .q = scratch + CLASSES};
    normalize(c.count, c.a, stat + LOG_P, c.p);
    normalize(c.count, c.b, stat + LOG_Q, c.q);
    return c;
}

static void consistency_row(const pb_node *n, int row, pb_real *stat, pb_real *scratch)
{
    const int none = -1, cols = n->in[0]->cols;
    pb_real nothing;
    double p = 0, q = 0;
    for (int k = 0; k < 2; k++)
        pb_cross_entropy(1, cols, n->in[k]->x + (size_t)row * (size_t)cols, &none, &nothing, stat + 2 * k);
    for (int j = 0; j < cols; j += CLASSES) {
        piece c = piece_of(n, row, j, stat, scratch);
        for (size_t i = 0; i < c.count; i++) {
            p += (double)c.p[i] * (double)(c.a[i] - c.b[i]);
            q += (double)c.q[i] * (double)(c.a[i] - c.b[i]);
        }
    }
    stat[MEAN_P] = (pb_real)p;
    stat[MEAN_Q] = (pb_real)q;
}

static void consistency_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    for (int r = from; r < to; r++)
        consistency_row(n, r, n->aux + STATS * (size_t)r, scratch);
}

static void consistency_finish(const pb_node *n)
{
    int rows = n->in[0]->rows;
    double sum = 0;
    for (const pb_real *stat = n->aux; stat < n->aux + STATS * (size_t)rows; stat += STATS)
        sum += ((double)stat[MEAN_P] - (double)stat[MEAN_Q]) / 2;
    n->x[0] = (pb_real)(sum / rows);
}

/* dx (+)= share * (p - q + w * (d - mean)), where w is the softmax of x and mean the mean of d under it */
static void add_slope(const piece *c, pb_real share, const pb_real *w, pb_real mean, pb_real *dx, bool add)
{
    for (size_t i = 0; i < c->count; i++) {
        pb_real slope = c->p[i] - c->q[i] + w[i] * (c->a[i] - c->b[i] - mean);
        dx[i] = (add ? dx[i] : 0) + share * slope;
    }
}

static void consistency_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    int rows = n->in[0]->rows, cols = n->in[0]->cols;
    pb_real share = n->g[0] / (pb_real)(2 * rows);
    for (int r = from; r < to; r++) {
        const pb_real *stat = n->aux + STATS * (size_t)r;
        for (int j = 0; j < cols; j += CLASSES) {
            piece c = piece_of(n, r, j, stat, scratch);
            size_t at = (size_t)r * (size_t)cols + (size_t)j;
            if (want & 1)
                add_slope(&c, share, c.p, stat[MEAN_P], n->in[0]->g + at, n->add & 1);
            if (want & 2)
                add_slope(&c, -share, c.q, stat[MEAN_Q], n->in[1]->g + at, n->add & 2);
        }
    }
}

static const pb_op consistency = {
    .name = "consistency",
    .needs = 2,
    .reads = {PB_IN0 | PB_IN1 | PB_AUX, PB_IN0 | PB_IN1 | PB_AUX},
    .shape = consistency_shape,
    .aux = consistency_aux,
    .scratch = consistency_scratch,
    .units = rows_read,
    .forward = consistency_forward,
    .finish = consistency_finish,
    .backward = consistency_backward,
};

pb_node *pb_op_consistency(pb_graph *g, pb_node *a, pb_node *b)
{
    return pb_graph_apply(g, &consistency, NULL, a, b, NULL, NULL);
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

static size_t square_aux(const pb_node *n) /* of each row: the sum over its elements */
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

/* ---- binary cross-entropy: mean of max(x, 0) - x y + log(1 + exp(-|x|)) --------------------------------- */

typedef struct binary_conf {
    const pb_real *y;
} binary_conf;

static void binary_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const binary_conf *c = n->conf;
    size_t cols = (size_t)n->in[0]->cols;
    for (size_t r = (size_t)from; r < (size_t)to; r++) {
        const pb_real *x = n->in[0]->x + r * cols, *y = c->y + r * cols;
        double sum = 0;
        for (size_t j = 0; j < cols; j++) {
            double z = (double)x[j];
            sum += (z > 0 ? z : 0) - z * (double)y[j] + log1p(exp(-fabs(z)));
        }
        n->aux[r] = (pb_real)sum;
    }
}

static void binary_finish(const pb_node *n)
{
    double all = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        all += (double)n->aux[r];
    n->x[0] = (pb_real)(all / n->in[0]->rows / n->in[0]->cols);
}

/* dx = (sigmoid(x) - y) / elements */
static void binary_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const binary_conf *c = n->conf;
    const pb_node *x = n->in[0];
    size_t cols = (size_t)x->cols;
    pb_real share = n->g[0] / (pb_real)x->rows / (pb_real)cols;
    for (size_t i = (size_t)from * cols; i < (size_t)to * cols; i++) {
        pb_real p = (pb_real)(1 / (1 + exp(-(double)x->x[i])));
        x->g[i] = (n->add & 1 ? x->g[i] : 0) + share * (p - c->y[i]);
    }
}

static const pb_op binary_cross_entropy = {
    .name = "binary_cross_entropy",
    .reads = {PB_IN0},
    .shape = square_shape,
    .aux = square_aux,
    .units = rows_read,
    .forward = binary_forward,
    .finish = binary_finish,
    .backward = binary_backward,
};

pb_node *pb_op_binary_cross_entropy(pb_graph *g, pb_node *x, const pb_real *y)
{
    binary_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->y = y;
    return pb_graph_apply(g, &binary_cross_entropy, c, x, NULL, NULL, NULL);
}
