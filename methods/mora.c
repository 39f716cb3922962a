/* mora: y = W x + decompress(M compress(x)) with one square trained matrix M [s,s] of as many elements as a LoRA of
 * rank r has, s = floor(sqrt((in + out) r)). x is cut into parts of s elements, the last one filled up with the
 * first elements of x.  With `rope` part g is rotated by g times the angles of a rotary embedding, M is applied to
 * every part, and the results are put side by side; without it the parts are summed.  What is too short for y is
 * repeated. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "8", 1, 4096, "r, of the LoRA with as many elements"),
            BOOL(rope, "yes", "rotate the parts of x instead of summing them"),
            REAL(dropout, "0", 0, 0.99, "of the input of M, while training"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The first `columns` columns of x, repeated until it has so many. */
static pb_node *resized(pb_graph *g, pb_node *x, int columns)
{
    if (!x || x->cols == columns)
        return x;
    return pb_op_columns(g, pb_op_tile(g, x, (columns + x->cols - 1) / x->cols), 0, columns);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int side = (int)floor(sqrt(((double)site->in + site->out) * c->rank));
    side -= c->rope ? side % 2 : 0;
    if (side > site->in || side < 1)
        return pb_refuse("mora: rank: want a matrix M of 1 to %d columns, those of %s, got %d of rank %d", site->in,
                         site->role, side, c->rank);
    pb_node *M = pb_added(b, site, "M", side, side, pb_init_constant(0));
    pb_node *parts = resized(g, pb_drop(b, x, c->dropout), (site->in + side - 1) / side * side);
    pb_node *h = c->rope ? pb_op_rotate_parts(g, parts, side, 10000) : pb_op_collapse(g, parts, side);
    return pb_op_add(g, pb_inner_linear(b, site, x), resized(g, pb_op_kron(g, h, NULL, M), site->out));
}

const pb_method pb_method_mora = {
    .name = "mora",
    .title = "MoRA: high-rank updates by a square matrix",
    .paper = "Jiang et al. 2024, MoRA, arXiv:2405.12130",
    .help = "Compresses the input without parameters, multiplies it by a square matrix, and spreads the result.",
    .equation = "y = W x + decompress(M compress(x)), M [s,s], s = floor(sqrt((in+out) * rank))",
    .notes = "The two compressions are those of equations 6 (rope = no) and 9 (rope = yes) of the paper; the authors "
             "use the rotations for small ranks. Their code rounds s to the nearest number, where the paper and this "
             "file round down; with rotations both make s even.",
    .count = "s = floor(sqrt((in+out)*rank)); e = s - rope*(s - 2*floor(s/2)); e*e",
    .deviation = "M: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
};
