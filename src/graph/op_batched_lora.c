/* op_batched_lora: products with a matrix of each sequence's own, for serving many adapters at once. */
#include <string.h>

#include "graph/op.h"
#include "numeric/blas.h"

typedef struct each_conf {
    const pb_lora_delta *own; /* of each sequence; h NULL: nothing is added */
    int rank;                 /* the largest: columns of h held at a time  */
} each_conf;

static int each_shape(pb_node *n)
{
    const each_conf *c = n->conf;
    const pb_node *y = n->in[0], *x = n->in[1];
    if (!y || !x || !y->set || y->set != x->set)
        return pb_error("each: want y and x of the same tokens");
    for (int s = 0; s < y->set->sequences; s++)
        if (c->own[s].up && (c->own[s].in != x->cols || c->own[s].out != y->cols))
            return pb_error("each: an adapter of [%d,%d] at a projection of [%d,%d]", c->own[s].out, c->own[s].in,
                            y->cols, x->cols);
    n->rows = y->rows;
    n->cols = y->cols;
    n->set = y->set;
    return 0;
}

static int each_units(const pb_node *n, bool backward)
{
    (void)backward;
    return n->set->sequences;
}

/* h [T of the longest sequence, rank] */
static size_t each_scratch(const pb_node *n)
{
    const each_conf *c = n->conf;
    int longest = 0;
    for (int s = 0; s < n->set->sequences; s++) {
        int length = n->set->offset[s + 1] - n->set->offset[s];
        longest = length > longest ? length : longest;
    }
    return (size_t)longest * (size_t)c->rank + 16;
}

/* z = y + scale B (A x), or y + B x where there is no A. */
static void each_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    const each_conf *c = n->conf;
    const pb_node *y = n->in[0], *x = n->in[1];
    for (int s = from; s < to; s++) {
        const pb_lora_delta *o = &c->own[s];
        int at = n->set->offset[s], rows = n->set->offset[s + 1] - at;
        pb_real *z = n->x + (size_t)at * (size_t)n->cols;
        const pb_real *in = x->x + (size_t)at * (size_t)x->cols;
        if (n->x != y->x)
            memcpy(z, y->x + (size_t)at * (size_t)n->cols, (size_t)rows * (size_t)n->cols * sizeof *z);
        if (!o->up)
            continue;
        if (o->down)
            pb_gemm(false, true, rows, o->rank, o->in, 1, in, x->cols, o->down, o->in, 0, scratch, o->rank);
        pb_gemm(false, true, rows, o->out, o->rank, o->scale, o->down ? scratch : in, o->down ? o->rank : x->cols,
                o->up, o->rank, 1, z, n->cols);
    }
}

static uint64_t each_flops(const pb_node *n, unsigned want)
{
    const each_conf *c = n->conf;
    uint64_t sum = 0;
    for (int s = 0; s < n->set->sequences && !want; s++) {
        const pb_lora_delta *o = &c->own[s];
        int rows = n->set->offset[s + 1] - n->set->offset[s];
        if (o->up)
            sum += 2u * (uint64_t)rows * (uint64_t)o->rank * (uint64_t)(o->out + (o->down ? o->in : 0));
    }
    return sum;
}

static const pb_op each = {
    .name = "each",
    .aligned = 1 | 2,
    .inplace = 1,
    .shape = each_shape,
    .units = each_units,
    .scratch = each_scratch,
    .forward = each_forward,
    .flops = each_flops,
};

pb_node *pb_op_batched_lora(pb_graph *g, pb_node *y, pb_node *x, const pb_lora_delta *own)
{
    each_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (each_conf){.own = own};
    for (int s = 0; y && y->set && s < y->set->sequences; s++)
        c->rank = own[s].up && own[s].rank > c->rank ? own[s].rank : c->rank;
    return pb_graph_apply(g, &each, c, y, x, NULL, NULL);
}
