/* op_blocks: the product with a block-diagonal matrix, and permutations of columns. */
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"
#include "numeric/blas.h"

/* ---- blocks: part i of y = part i of x times w_i ----------------------------------------------------------- */

typedef struct blocks_conf {
    int blocks;
    bool shared; /* one block for all parts */
} blocks_conf;

/* Rows of a block: columns of a part of x. */
static int part_of(const pb_node *n)
{
    const blocks_conf *c = n->conf;
    return n->in[0]->cols / c->blocks;
}

/* The first element of block i in the value or the gradient w of the blocks. */
static size_t block_start(const pb_node *n, int i)
{
    const blocks_conf *c = n->conf;
    return c->shared ? 0 : (size_t)i * (size_t)part_of(n) * (size_t)n->in[1]->cols;
}

static int blocks_shape(pb_node *n)
{
    const blocks_conf *c = n->conf;
    const pb_node *x = n->in[0], *w = n->in[1];
    if (w->set || c->blocks < 1 || x->cols % c->blocks || w->rows != (c->shared ? x->cols / c->blocks : x->cols))
        return pb_error("blocks: x [%d,%d] in %d parts, w [%d,%d] do not fit", x->rows, x->cols, c->blocks, w->rows,
                        w->cols);
    n->rows = x->rows;
    n->cols = c->blocks * w->cols;
    n->set = x->set;
    return 0;
}

static void blocks_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const blocks_conf *c = n->conf;
    const pb_node *x = n->in[0], *w = n->in[1];
    int p = w->cols, q = part_of(n);
    for (int i = 0; i < c->blocks; i++)
        pb_gemm(to - from, p, q, 1, pb_as_stored(x->x + pb_row_start(x, from) + i * q, x->cols),
                pb_as_stored(w->x + block_start(n, i), p), false, n->x + pb_row_start(n, from) + i * p, n->cols);
}

/* dx_i = dy_i w_i^T */
static void blocks_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const blocks_conf *c = n->conf;
    const pb_node *x = n->in[0], *w = n->in[1];
    int p = w->cols, q = part_of(n);
    for (int i = 0; i < c->blocks; i++)
        pb_gemm(to - from, q, p, 1, pb_as_stored(n->g + pb_row_start(n, from) + i * p, n->cols),
                pb_transposed(w->x + block_start(n, i), p), n->add & 1, x->g + pb_row_start(x, from) + i * q, x->cols);
}

static int blocks_param_units(const pb_node *n)
{
    return n->in[1]->rows;
}

/* Rows from .. to-1 of block i: dw_i = x_i^T dy_i, which is added to what is there. */
static void add_block(const pb_node *n, int i, int from, int to, bool add)
{
    const pb_node *x = n->in[0], *w = n->in[1];
    int p = w->cols, q = part_of(n);
    pb_gemm(to - from, p, n->rows, 1, pb_transposed(x->x + i * q + from, x->cols), pb_as_stored(n->g + i * p, n->cols),
            add, w->g + block_start(n, i) + (size_t)from * (size_t)p, p);
}

/* Units are rows of w, which lie in several blocks; those of a shared block lie in all. */
static void blocks_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const blocks_conf *c = n->conf;
    int q = part_of(n);
    bool add = n->add >> 1 & 1;
    for (int i = 0; i < c->blocks; i++) {
        int base = c->shared ? 0 : i * q, first = from > base ? from - base : 0, past = to - base < q ? to - base : q;
        if (first < past)
            add_block(n, i, first, past, add || (c->shared && i > 0));
    }
}

static uint64_t blocks_flops(const pb_node *n, unsigned want)
{
    uint64_t one = 2u * (uint64_t)n->rows * (uint64_t)n->in[0]->cols * (uint64_t)n->in[1]->cols;
    return want ? one * ((want & 1) + (want >> 1 & 1)) : one;
}

static const pb_op blocks_op = {
    .name = "blocks",
    .needs = 2,
    .aligned = 1,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = blocks_shape,
    .param_units = blocks_param_units,
    .forward = blocks_forward,
    .backward = blocks_backward,
    .backward_params = blocks_params,
    .flops = blocks_flops,
};

pb_node *pb_op_blocks(pb_graph *g, pb_node *x, pb_node *w, int blocks)
{
    blocks_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (blocks_conf){.blocks = blocks, .shared = x && w && blocks > 1 && w->rows < x->cols};
    return pb_graph_apply(g, &blocks_op, c, x, w, NULL, NULL);
}

/* ---- permute: y[t,j] = x[t,index[j]] ------------------------------------------------------------------------ */

typedef struct permute_conf {
    const int *index;
    bool *seen; /* [C], for the check of the index */
} permute_conf;

static int permute_shape(pb_node *n)
{
    const permute_conf *c = n->conf;
    pb_shape_of_first(n);
    for (int j = 0; j < n->cols; j++) {
        int from = c->index[j];
        if (from < 0 || from >= n->cols || c->seen[from])
            return pb_error("permute: column %d comes from %d, want each of 0..%d once", j, from, n->cols - 1);
        c->seen[from] = true;
    }
    return 0;
}

static void permute_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const permute_conf *c = n->conf;
    for (int t = from; t < to; t++) {
        const pb_real *x = n->in[0]->x + pb_row_start(n, t);
        pb_real *y = n->x + pb_row_start(n, t);
        for (int j = 0; j < n->cols; j++)
            y[j] = x[c->index[j]];
    }
}

static void permute_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const permute_conf *c = n->conf;
    bool adds = n->add & 1;
    for (int t = from; t < to; t++) {
        const pb_real *dy = n->g + pb_row_start(n, t);
        pb_real *dx = n->in[0]->g + pb_row_start(n, t);
        for (int j = 0; j < n->cols; j++)
            dx[c->index[j]] = (adds ? dx[c->index[j]] : 0) + dy[j];
    }
}

static const pb_op permute = {
    .name = "permute",
    .aligned = 1,
    .shape = permute_shape,
    .forward = permute_forward,
    .backward = permute_backward,
};

pb_node *pb_op_permute(pb_graph *g, pb_node *x, const int *index)
{
    permute_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (permute_conf){.index = index};
    c->seen = pb_arena_alloc(pb_graph_arena(g), PB_META, (size_t)(x ? x->cols : 0) * sizeof *c->seen);
    return pb_graph_apply(g, &permute, c, x, NULL, NULL, NULL);
}
