/* op_batched_lora: adds to each sequence the low-rank update of its own adapter, for many adapters in one batch
 * (Chen et al. 2023, Punica: multi-tenant LoRA serving, arXiv:2310.18547). */
#include <string.h>

#include "graph/op.h"
#include "numeric/blas.h"

typedef struct batched_conf {
    const pb_lora_delta *delta; /* [sequences]; up NULL: nothing is added    */
    int rank;                   /* the largest of them: columns of A x       */
} batched_conf;

static int batched_shape(pb_node *n)
{
    const batched_conf *c = n->conf;
    const pb_node *y = n->in[0], *x = n->in[1];
    if (!y->set || y->set != x->set)
        return pb_error("batched_lora: want y and x of the same tokens");
    for (int s = 0; s < y->set->sequences; s++)
        if (c->delta[s].up && (c->delta[s].in != x->cols || c->delta[s].out != y->cols))
            return pb_error("batched_lora: an update of [%d,%d] at a projection of [%d,%d]", c->delta[s].out,
                            c->delta[s].in, y->cols, x->cols);
    n->rows = y->rows;
    n->cols = y->cols;
    n->set = y->set;
    return 0;
}

static int batched_units(const pb_node *n, bool backward)
{
    (void)backward;
    return n->set->sequences;
}

/* A x of the longest sequence: [T,rank] */
static size_t batched_scratch(const pb_node *n)
{
    const batched_conf *c = n->conf;
    int longest = 0;
    for (int s = 0; s < n->set->sequences; s++) {
        int length = n->set->offset[s + 1] - n->set->offset[s];
        longest = length > longest ? length : longest;
    }
    return (size_t)longest * (size_t)c->rank + 16;
}

/* z = y + scale B (A x), with A = down and B = up; without A, z = y + scale B x. */
static void batched_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    const batched_conf *c = n->conf;
    const pb_node *y = n->in[0], *x = n->in[1];
    for (int s = from; s < to; s++) {
        const pb_lora_delta *d = &c->delta[s];
        int at = n->set->offset[s], rows = n->set->offset[s + 1] - at;
        pb_real *z = n->x + (size_t)at * (size_t)n->cols;
        const pb_real *in = x->x + (size_t)at * (size_t)x->cols;
        if (n->x != y->x)
            memcpy(z, y->x + (size_t)at * (size_t)n->cols, (size_t)rows * (size_t)n->cols * sizeof *z);
        if (!d->up)
            continue;
        if (d->down)
            pb_gemm(rows, d->rank, d->in, 1, pb_as_stored(in, x->cols), pb_transposed(d->down, d->in), false, scratch,
                    d->rank);
        pb_gemm(rows, d->out, d->rank, d->scale, pb_as_stored(d->down ? scratch : in, d->down ? d->rank : x->cols),
                pb_transposed(d->up, d->rank), true, z, n->cols);
    }
}

static uint64_t batched_flops(const pb_node *n, unsigned want)
{
    const batched_conf *c = n->conf;
    uint64_t sum = 0;
    for (int s = 0; s < n->set->sequences && !want; s++) {
        const pb_lora_delta *d = &c->delta[s];
        int rows = n->set->offset[s + 1] - n->set->offset[s];
        if (d->up)
            sum += 2u * (uint64_t)rows * (uint64_t)d->rank * (uint64_t)(d->out + (d->down ? d->in : 0));
    }
    return sum;
}

static const pb_op batched_op = {
    .name = "batched_lora",
    .needs = 2,
    .aligned = 1 | 2,
    .inplace = 1,
    .shape = batched_shape,
    .units = batched_units,
    .scratch = batched_scratch,
    .forward = batched_forward,
    .flops = batched_flops,
};

pb_node *pb_op_batched_lora(pb_graph *g, pb_node *y, pb_node *x, const pb_lora_delta *delta)
{
    batched_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (batched_conf){.delta = delta};
    for (int s = 0; y && y->set && s < y->set->sequences; s++)
        c->rank = delta[s].up && delta[s].rank > c->rank ? delta[s].rank : c->rank;
    return pb_graph_apply(g, &batched_op, c, y, x, NULL, NULL);
}
