/* glora: y = (W + W * A + B) x + b + b D + E + W C, with A, B [out,in] and C [in,1] of low rank and numbers D and E;
 * * is elementwise.  A projection without a bias has A and B only. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "8", 1, 4096, "r, the rank of A, B and C"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The product Xd Xu of NAME: Xd [rows,r] starts at zero. */
static pb_node *low(pb_build *b, const pb_site *site, const char *name, int rows, int cols)
{
    const conf *c = pb_conf(b);
    pb_node *Xd = pb_added(b, site, pb_name(b, "%sd", name), rows, c->rank, pb_init_constant(0));
    pb_node *Xu = pb_added(b, site, pb_name(b, "%su", name), c->rank, cols, pb_init_kaiming(cols));
    return pb_op_product(b->graph, Xd, false, Xu, false);
}

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    pb_graph *g = b->graph;
    pb_node *scaled = pb_op_multiply(g, low(b, site, "A", site->out, site->in), w);
    return pb_op_add(g, pb_op_add(g, scaled, low(b, site, "B", site->out, site->in)), w);
}

/* b D + E + W C, the change of the bias.  W is that of the base model. */
static pb_node *bias(pb_build *b, const pb_site *site)
{
    pb_graph *g = b->graph;
    pb_node *D = pb_vector(b, site, "D", 1, pb_init_constant(0));
    pb_node *E = pb_vector(b, site, "E", 1, pb_init_constant(0));
    pb_node *C = pb_op_reshape(g, low(b, site, "C", site->in, 1), 1, site->in);
    pb_node *w = pb_graph_remake(g, pb_op_unpack(g, pb_graph_param(g, site->w)));
    pb_node *sum = pb_op_add(g, pb_op_product(g, C, false, w, true), pb_op_tile(g, E, site->out));
    pb_node *base = pb_base_bias(b, site);
    return base ? pb_op_add(g, sum, pb_op_scale(g, base, D)) : sum;
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *y = pb_inner_linear(b, site, x);
    return site->b ? pb_op_shift(b->graph, y, bias(b, site)) : y;
}

const pb_method pb_method_glora = {
    .name = "glora",
    .title = "GLoRA: generalized LoRA of weights and biases",
    .paper = "Chavan et al. 2023, GLoRA, arXiv:2306.07967",
    .help = "Scales and shifts weights and biases by trained matrices of low rank and numbers.",
    .equation = "y = (W + W * A + B) x + b + b D + E + W C, * elementwise",
    .notes = "The paper chooses for each layer by evolutionary search what A to E are: low-rank matrices, vectors, "
             "numbers or nothing. Here every layer has PEFT's default, low rank for A, B and C and one number for D "
             "and E, so the gains that the paper ascribes to the search are not to be expected. The changed weight is "
             "formed, one at a time.",
    .count = "2*rank*(in+out) + biased*(rank*(in+1) + 2)",
    .deviation = "Au: 1/sqrt(3*in); Bu: 1/sqrt(3*in); Cu: 1/sqrt(3); ?d: 0; D: 0; E: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.weight = weight, .linear = linear},
    /* The zeros are those of a projection without a bias. */
    .peft = PB_PEFT(
        "GLORA",
        PB_PEFT_TENSORS({"Ad", "glora_A.Xd"}, {"Au", "glora_A.Xu"}, {"Bd", "glora_B.Xd"}, {"Bu", "glora_B.Xu"},
                        {"Cd", "glora_C.Xd", .when = "biased"}, {"Cu", "glora_C.Xu", .when = "biased"},
                        {"D", "glora_D.X", "cols", .when = "biased"}, {"E", "glora_E.X", "cols", .when = "biased"}),
        PB_PEFT_KEYS({"r", "rank"}, {"config_A_B", .words = "\"lora\""}, {"config_C", .words = "\"lora\""},
                     {"config_D_E", .words = "\"constant\""}),
        .fixed = PB_PEFT_NO_BIAS, .idle = "glora_C.zeros glora_D.zeros glora_E.zeros"),
};
