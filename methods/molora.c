/* molora: a mixture of LoRAs whose weights a router computes for each token. */
#include "peftbench.h"

PB_SETTINGS(INT(experts, "10", 1, 256, "E, the LoRAs at each projection"),
            INT(rank, "4", 1, 4096, "r, the rank of each B_e A_e"),
            REAL(alpha, "16", 1e-9, 1e6, "the updates are scaled by alpha / r"),
            TEXT(targets, "attn.* mlp.*", "projections to adapt"));

/* y = W x + alpha/r * sum_e p_e B_e A_e x with p = softmax(G x);  A_e [r,in], B_e [out,r], G [E,in] */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *router = pb_added(b, site, "router", c->experts, site->in, pb_init_normal(0.02));
    pb_node *p = pb_op_softmax(g, pb_op_linear(g, x, router, NULL), 0), *y = pb_inner_linear(b, site, x);
    for (int e = 0; e < c->experts; e++) {
        pb_node *A = pb_added(b, site, pb_name(b, "A.%d", e), c->rank, site->in, pb_init_normal(0.02));
        pb_node *B = pb_added(b, site, pb_name(b, "B.%d", e), site->out, c->rank, pb_init_constant(0));
        pb_node *h = pb_op_scale(g, pb_op_linear(g, x, A, NULL), pb_op_columns(g, p, e, 1));
        y = pb_op_linear_add(g, y, h, B, c->alpha / c->rank);
    }
    return y;
}

const pb_method pb_method_molora = {
    .name = "molora",
    .title = "MoLoRA: a mixture of LoRAs, routed by token",
    .paper = "Zadouri et al. 2023, Pushing mixture of experts to the limit, arXiv:2309.05444",
    .help = "Adds E low-rank updates to each projection and weighs them by a softmax of each token.",
    .equation = "y = W x + alpha/rank * sum_e p_e B_e A_e x, p = softmax(G x)",
    .notes = "The routing is soft, as in the paper: every token uses all experts.  The standard deviation of G and the "
             "sizes are those of the authors' configuration; the paper leaves the initial values open.  On a small "
             "model with one task the experts have nothing to specialize in: its costs are what can be compared.",
    .count = "experts*(rank*(in+out)+in)",
    .deviation = "A.*: 0.02; B.*: 0; router: 0.02",
    .traits = {PB_REPARAMETRIZATION, .identity = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
};
