/* lily: LoRA whose A is that of neighbouring layers, and whose B is mixed for each token from a few of all layers. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "32", 1, 4096, "r, the rank of A and of each B_e"),
            INT(stride, "1", 1, 1000, "the layers that have one A together"),
            INT(experts, "2", 1, 256, "E, the matrices B_e of each role, which all layers have together"),
            REAL(scale, "1", 1e-9, 1e6, "s, the factor of the update"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt, of all layers"));

/* y = W x + s sum_e p_e B_e h with h = A x and p = softmax(G h);  A [r,in], B_e [out,r], G [E,r] */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    if (pb_count_targets(b, site->role) < site->layers)
        return pb_refuse("lily: targets: want %s of all layers, which share its matrices, got '%s'", site->role,
                         c->targets);
    const char *shared = pb_name(b, "%s.A.%d", site->role, site->layer / c->stride);
    pb_node *A = pb_added(b, NULL, shared, c->rank, site->in, pb_init_kaiming(site->in));
    pb_node *router = pb_added(b, site, "router", c->experts, c->rank, pb_init_kaiming(c->rank));
    pb_node *h = pb_op_linear(g, x, A, NULL), *y = pb_inner_linear(b, site, x);
    pb_node *p = pb_op_softmax(g, pb_op_linear(g, h, router, NULL), 0);
    for (int e = 0; e < c->experts; e++) {
        const char *name = pb_name(b, "%s.B.%d", site->role, e);
        pb_node *B = pb_added(b, NULL, name, site->out, c->rank, pb_init_constant(0));
        y = pb_op_linear_add(g, y, pb_op_scale(g, h, pb_op_columns(g, p, e, 1)), B, c->scale);
    }
    return y;
}

const pb_method pb_method_lily = {
    .name = "lily",
    .title = "Lily: low-rank updates whose parts layers share",
    .paper = "Zhong et al. 2024, Low-rank interconnected adaptation across layers, arXiv:2407.09946",
    .help = "Mixes the second matrix of each LoRA, for each token, from a few that all layers share.",
    .equation = "y = W x + s sum_e p_e B_e h, h = A x, p = softmax(G h)",
    .notes = "PEFT mixes by the mean of p over all tokens of a batch, with which a text's result depends on the texts "
             "beside it; here p is each token's own. The sizes are PEFT's. On a small model with one task the parts "
             "have little to specialize in: its costs are what can be compared.",
    .count = "rank*in*(layer-stride*floor(layer/stride)==0) + experts*rank*out*(layer==0) + experts*rank",
    .traits = {PB_REPARAMETRIZATION, .identity = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear},
};
