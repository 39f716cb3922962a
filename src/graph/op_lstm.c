/* op_lstm: one direction of an LSTM layer over the rows of a matrix of parameters.
 *
 * x [P,4h] is what the input adds to the four gates, biases included: the input, forget, cell and output gates, as in
 * PyTorch; w [4h,h] is the recurrent weight.  aux keeps the gates [P,4h] and then the cells [P,h].  One unit of work is
 * the whole sequence, since each row needs the one before it. */
#include <string.h>

#include "graph/op.h"
#include "numeric/blas.h"

typedef struct lstm_conf {
    bool reverse;
} lstm_conf;

static int lstm_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *w = n->in[1];
    if (x->set || w->set || w->rows != 4 * w->cols || x->cols != w->rows)
        return pb_error("lstm: x [%d,%d], w [%d,%d], want x [P,4h] and w [4h,h] of parameters", x->rows, x->cols,
                        w->rows, w->cols);
    n->rows = x->rows;
    n->cols = w->cols;
    return 0;
}

static size_t lstm_aux(const pb_node *n)
{
    return 5 * (size_t)n->rows * (size_t)n->cols;
}

static size_t lstm_scratch(const pb_node *n)
{
    return 7 * (size_t)n->cols;
}

static int lstm_units(const pb_node *n, bool backward)
{
    (void)n, (void)backward;
    return 1;
}

/* The row of step s, from 0, and what a step has in each tensor. */
static size_t row_of(const pb_node *n, int s)
{
    const lstm_conf *c = n->conf;
    return (size_t)(c->reverse ? n->rows - 1 - s : s);
}

static pb_real *gates_of(const pb_node *n, int s)
{
    return n->aux + row_of(n, s) * 4 * (size_t)n->cols;
}

static pb_real *cell_of(const pb_node *n, int s)
{
    return n->aux + (4 * (size_t)n->rows + row_of(n, s)) * (size_t)n->cols;
}

static pb_real *output_of(const pb_node *n, int s)
{
    return n->x + row_of(n, s) * (size_t)n->cols;
}

/* The gates of a step, before and after their activations: sigmoids, and tanh for the third. */
static void compute_gates(const pb_node *n, int s, pb_real *scratch)
{
    size_t h = (size_t)n->cols;
    pb_real *a = gates_of(n, s);
    memcpy(a, n->in[0]->x + row_of(n, s) * 4 * h, 4 * h * sizeof *a);
    if (s > 0) {
        pb_linear(1, 4 * n->cols, n->cols, output_of(n, s - 1), n->cols, n->in[1]->x, NULL, scratch, 4 * n->cols);
        pb_axpy(4 * h, 1, scratch, a, true);
    }
    pb_act_forward(PB_SIGMOID, 2 * h, a, a);
    pb_act_forward(PB_TANH, h, a + 2 * h, a + 2 * h);
    pb_act_forward(PB_SIGMOID, h, a + 3 * h, a + 3 * h);
}

/* c = f * (c before) + i * g;  y = o * tanh(c) */
static void lstm_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    size_t h = (size_t)n->cols;
    for (int s = 0; s < n->rows && from < to; s++) {
        compute_gates(n, s, scratch);
        const pb_real *a = gates_of(n, s), *before = s > 0 ? cell_of(n, s - 1) : NULL;
        pb_real *c = cell_of(n, s), *y = output_of(n, s);
        for (size_t j = 0; j < h; j++)
            c[j] = (before ? a[h + j] * before[j] : 0) + a[j] * a[2 * h + j];
        pb_act_forward(PB_TANH, h, c, y);
        for (size_t j = 0; j < h; j++)
            y[j] *= a[3 * h + j];
    }
}

/* The gradients of a step: scratch has those of the gates before their activations da [4h], of the output dh [h],
 * of the cell dc [h], and tanh(c) [h].  dh and dc come from the step after this one. */
static void gate_gradients(const pb_node *n, int s, pb_real *scratch)
{
    size_t h = (size_t)n->cols;
    const pb_real *a = gates_of(n, s), *before = s > 0 ? cell_of(n, s - 1) : NULL;
    const pb_real *dy = n->g + row_of(n, s) * h;
    pb_real *da = scratch, *dh = scratch + 4 * h, *dc = scratch + 5 * h, *tanh_c = scratch + 6 * h;
    pb_act_forward(PB_TANH, h, cell_of(n, s), tanh_c);
    for (size_t j = 0; j < h; j++) {
        pb_real i = a[j], f = a[h + j], g = a[2 * h + j], o = a[3 * h + j], d = dy[j] + dh[j];
        pb_real cell = dc[j] + d * o * (1 - tanh_c[j] * tanh_c[j]);
        da[j] = cell * g * i * (1 - i);
        da[h + j] = before ? cell * before[j] * f * (1 - f) : 0;
        da[2 * h + j] = cell * i * (1 - g * g);
        da[3 * h + j] = d * tanh_c[j] * o * (1 - o);
        dc[j] = cell * f;
    }
}

/* Through the recurrent weight: dh = da W for the step before, and dW += da (output before)^T. */
static void weight_gradients(const pb_node *n, unsigned want, int s, pb_real *scratch)
{
    size_t h = (size_t)n->cols;
    pb_real *dh = scratch + 4 * h;
    memset(dh, 0, h * sizeof *dh);
    if (s > 0)
        pb_flops_add(2u * 4u * (uint64_t)h * (uint64_t)h * (want & 2 ? 2u : 1u));
    for (size_t k = 0; k < 4 * h && s > 0; k++) {
        pb_axpy(h, scratch[k], n->in[1]->x + k * h, dh, true);
        if (want & 2)
            pb_axpy(h, scratch[k], output_of(n, s - 1), n->in[1]->g + k * h, true);
    }
}

static void lstm_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    size_t h = (size_t)n->cols;
    memset(scratch, 0, 7 * h * sizeof *scratch);
    if (want & 2 && !(n->add & 2))
        memset(n->in[1]->g, 0, 4 * h * h * sizeof *n->g);
    for (int s = n->rows - 1; s >= 0 && from < to; s--) {
        gate_gradients(n, s, scratch);
        if (want & 1)
            pb_axpy(4 * h, 1, scratch, n->in[0]->g + row_of(n, s) * 4 * h, n->add & 1);
        weight_gradients(n, want, s, scratch);
    }
}

/* The first step has no output before it. */
static uint64_t lstm_flops(const pb_node *n, unsigned want)
{
    uint64_t product = 2u * 4u * (uint64_t)n->cols * (uint64_t)n->cols * (uint64_t)(n->rows - 1);
    return product * (want ? 1u + (want >> 1 & 1) : 1u);
}

static const pb_op lstm = {
    .name = "lstm",
    .needs = 2,
    .reads = {PB_IN1 | PB_AUX, PB_IN1 | PB_OUT | PB_AUX},
    .shape = lstm_shape,
    .aux = lstm_aux,
    .scratch = lstm_scratch,
    .units = lstm_units,
    .forward = lstm_forward,
    .backward = lstm_backward,
    .flops = lstm_flops,
};

pb_node *pb_op_lstm(pb_graph *g, pb_node *x, pb_node *w, bool reverse)
{
    lstm_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->reverse = reverse;
    return pb_graph_apply(g, &lstm, c, x, w, NULL, NULL);
}
