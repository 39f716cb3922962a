/* op_fastfood: a vector as a matrix, by the Fastfood transform.
 *
 * Two nodes, so that threads share the work in both directions: the signs make a row B_k v of each block, [K,n]; then
 * each block is multiplied by its H G P H. */
#include <string.h>

#include "graph/op.h"
#include "numeric/fastfood.h"

typedef struct fastfood_conf {
    uint64_t key;
    int rows, cols; /* of the matrix */
} fastfood_conf;

/* ---- y[k] = B_k v, with zeros behind v ----------------------------------------------------------------- */

static int signs_shape(pb_node *n)
{
    const fastfood_conf *c = n->conf;
    const pb_node *v = n->in[0];
    if (v->rows != 1 || v->set || c->rows < 1 || c->cols < 1)
        return pb_error("fastfood: v [%d,%d] to [%d,%d], want a vector [1,d] of parameters and a matrix", v->rows,
                        v->cols, c->rows, c->cols);
    n->cols = pb_power_of_two(v->cols);
    n->rows = (int)(((long)c->rows * c->cols + n->cols - 1) / n->cols);
    return 0;
}

static void signs_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const fastfood_conf *c = n->conf;
    const pb_node *v = n->in[0];
    for (int k = from; k < to; k++) {
        pb_real *y = n->x + (size_t)k * (size_t)n->cols;
        uint64_t key = pb_fastfood_signs(c->key, k);
        for (int j = 0; j < v->cols; j++)
            y[j] = pb_fastfood_sign(key, j) * v->x[j];
        memset(y + v->cols, 0, (size_t)(n->cols - v->cols) * sizeof *y);
    }
}

static int signs_param_units(const pb_node *n)
{
    return n->in[0]->cols;
}

/* dv[j] = sum_k B_k[j] dy[k,j] */
static void signs_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const fastfood_conf *c = n->conf;
    pb_real *dv = n->in[0]->g;
    if (!(n->add & 1))
        memset(dv + from, 0, (size_t)(to - from) * sizeof *dv);
    for (int k = 0; k < n->rows; k++) {
        const pb_real *dy = n->g + (size_t)k * (size_t)n->cols;
        uint64_t key = pb_fastfood_signs(c->key, k);
        for (int j = from; j < to; j++)
            dv[j] += pb_fastfood_sign(key, j) * dy[j];
    }
}

static const pb_op signs = {
    .name = "fastfood_signs",
    .collects = 1,
    .shape = signs_shape,
    .param_units = signs_param_units,
    .forward = signs_forward,
    .backward_params = signs_params,
};

/* ---- block k of y = scale_k H G_k P_k H x[k] ------------------------------------------------------------ */

static int mix_shape(pb_node *n)
{
    const fastfood_conf *c = n->conf;
    n->rows = c->rows;
    n->cols = c->cols;
    return 0;
}

static int mix_units(const pb_node *n, bool backward)
{
    (void)backward;
    return n->in[0]->rows;
}

/* What a thread works with: P, G, and a block in front of and behind the product. */
static size_t mix_scratch(const pb_node *n)
{
    return 4 * (size_t)n->in[0]->cols;
}

typedef struct block {
    pb_fastfood factors;
    pb_real *in, *out; /* [n] */
    size_t at, count;  /* the part of the matrix; the last block may have fewer than n elements */
} block;

static block draw_block(const pb_node *n, int k, pb_real *scratch)
{
    const fastfood_conf *c = n->conf;
    size_t size = (size_t)n->in[0]->cols, total = (size_t)n->rows * (size_t)n->cols, at = (size_t)k * size;
    int *order = (int *)(void *)(scratch + 3 * size);
    return (block){.factors = pb_fastfood_draw(c->key, k, (int)size, (double)total, scratch, order),
                   .in = scratch + size,
                   .out = scratch + 2 * size,
                   .at = at,
                   .count = total - at < size ? total - at : size};
}

static void mix_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    for (int k = from; k < to; k++) {
        block b = draw_block(n, k, scratch);
        memcpy(b.in, n->in[0]->x + b.at, (size_t)b.factors.n * sizeof *b.in);
        pb_fastfood_multiply(&b.factors, b.in, b.out);
        memcpy(n->x + b.at, b.out, b.count * sizeof *b.out);
    }
}

static void mix_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want;
    for (int k = from; k < to; k++) {
        block b = draw_block(n, k, scratch);
        memcpy(b.out, n->g + b.at, b.count * sizeof *b.out);
        memset(b.out + b.count, 0, ((size_t)b.factors.n - b.count) * sizeof *b.out);
        pb_fastfood_transposed(&b.factors, b.out, b.in);
        memcpy(n->in[0]->g + b.at, b.in, (size_t)b.factors.n * sizeof *b.in);
    }
}

/* Two Walsh-Hadamard transforms of n log2(n) additions a block. */
static uint64_t mix_flops(const pb_node *n, unsigned want)
{
    (void)want;
    uint64_t size = (uint64_t)n->in[0]->cols, steps = 0;
    while ((uint64_t)1 << steps < size)
        steps++;
    return 2 * (uint64_t)n->in[0]->rows * size * steps;
}

static const pb_op mix = {
    .name = "fastfood",
    .shape = mix_shape,
    .scratch = mix_scratch,
    .units = mix_units,
    .forward = mix_forward,
    .backward = mix_backward,
    .flops = mix_flops,
};

pb_node *pb_op_fastfood(pb_graph *g, pb_node *v, uint64_t key, int rows, int cols)
{
    fastfood_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (fastfood_conf){key, rows, cols};
    return pb_graph_apply(g, &mix, c, pb_graph_apply(g, &signs, c, v, NULL, NULL, NULL), NULL, NULL, NULL);
}
