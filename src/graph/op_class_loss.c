/* op_class_loss: cross-entropy with weights of the classes and label smoothing (Szegedy et al. 2016, arXiv:1512.00567),
 * as torch.nn.CrossEntropyLoss computes it.  With p = softmax(x), K classes, label y, weights w and smoothing e, the
 * loss of a row is
 *
 *   -(1 - e) w_y log p_y - (e / K) sum_c w_c log p_c
 *
 * and the loss is the sum over the rows divided by the sum over the rows of w_y. */
#include <math.h>

#include "graph/op.h"

typedef struct loss_conf {
    const int *label;      /* [rows]    */
    const pb_real *weight; /* [classes] */
    double smoothing;
} loss_conf;

static int loss_shape(pb_node *n)
{
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    for (int r = 0; x && r < x->rows; r++)
        if (c->label[r] < 0 || c->label[r] >= x->cols)
            return pb_error("cross entropy: label %d, want 0..%d", c->label[r], x->cols - 1);
    n->rows = n->cols = 1;
    return x ? 0 : -1;
}

/* The sum over the rows of w_y. */
static double weight_of_rows(const pb_node *n)
{
    const loss_conf *c = n->conf;
    double all = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        all += (double)c->weight[c->label[r]];
    return all;
}

enum { LOSS, TOP, INVERSE, AUX }; /* of a row: its loss, the largest logit and 1 / sum of exponentials */

static size_t loss_aux(const pb_node *n)
{
    return AUX * (size_t)n->in[0]->rows;
}

static int rows_read(const pb_node *n, bool backward)
{
    (void)backward;
    return n->in[0]->rows;
}

static void loss_row(const loss_conf *c, int classes, const pb_real *x, int label, pb_real *aux)
{
    double sum = 0, smooth = 0, top = (double)pb_largest((size_t)classes, x);
    for (int j = 0; j < classes; j++)
        sum += exp((double)x[j] - top);
    double normalizer = top + log(sum);
    for (int j = 0; j < classes; j++)
        smooth += (double)c->weight[j] * (normalizer - (double)x[j]);
    double own = (double)c->weight[label] * (normalizer - (double)x[label]);
    aux[LOSS] = (pb_real)((1 - c->smoothing) * own + c->smoothing / classes * smooth);
    aux[TOP] = (pb_real)top;
    aux[INVERSE] = (pb_real)(1 / sum);
}

static void loss_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const loss_conf *c = n->conf;
    size_t cols = (size_t)n->in[0]->cols;
    for (size_t r = (size_t)from; r < (size_t)to; r++)
        loss_row(c, (int)cols, n->in[0]->x + r * cols, c->label[r], n->aux + AUX * r);
}

static void loss_finish(const pb_node *n)
{
    double sum = 0;
    for (int r = 0; r < n->in[0]->rows; r++)
        sum += (double)n->aux[AUX * r + LOSS];
    n->x[0] = (pb_real)(sum / weight_of_rows(n));
}

/* dx_j = ((1 - e) w_y (p_j - [j = y]) + (e / K) (p_j sum_c w_c - w_j)) / sum of w_y */
static void loss_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const loss_conf *c = n->conf;
    const pb_node *x = n->in[0];
    size_t cols = (size_t)x->cols;
    double weights = 0, each = c->smoothing / (double)cols, share = (double)n->g[0] / weight_of_rows(n);
    for (size_t j = 0; j < cols; j++)
        weights += (double)c->weight[j];
    for (size_t r = (size_t)from; r < (size_t)to; r++) {
        const pb_real *aux = n->aux + AUX * r;
        double own = (1 - c->smoothing) * (double)c->weight[c->label[r]];
        for (size_t j = 0; j < cols; j++) {
            double p = exp((double)(x->x[r * cols + j] - aux[TOP])) * (double)aux[INVERSE];
            double g = own * (p - (j == (size_t)c->label[r])) + each * (p * weights - (double)c->weight[j]);
            pb_real *out = &x->g[r * cols + j];
            *out = (n->add & 1 ? *out : 0) + (pb_real)(share * g);
        }
    }
}

static const pb_op class_loss = {
    .name = "class_loss",
    .reads = {PB_IN0 | PB_AUX},
    .shape = loss_shape,
    .aux = loss_aux,
    .units = rows_read,
    .forward = loss_forward,
    .finish = loss_finish,
    .backward = loss_backward,
};

pb_node *pb_op_class_loss(pb_graph *g, pb_node *x, const int *label, const pb_real *weight, double smoothing)
{
    loss_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (loss_conf){.label = label, .weight = weight, .smoothing = smoothing};
    return pb_graph_apply(g, &class_loss, c, x, NULL, NULL, NULL);
}
