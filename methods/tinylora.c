/* tinylora: h = W x + U_r S_r (sum_i v_i P_i) V_r^T x: the matrix between the r largest singular values and their
 * vectors is a sum of random matrices P_i [r,r], and their u factors v [1,u] are all that trains.  Projections may
 * share v. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "2", 1, 4096, "r, the singular values that are used"),
            INT(u, "64", 1, 65536, "the numbers that train for projections which share them"),
            REAL(tie, "0", 0, 1, "how far projections share v: 0: each has its own, 1: all have one"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The group of a site: consecutive targets, as many in each group as there are whole ones for all; the last group has
 * the rest too. */
static int group_of(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    int targets = 0, at = 0;
    for (const pb_site *s = pb_next_target(b, NULL); s; s = pb_next_target(b, s), targets++)
        at = s->number == site->number ? targets : at;
    int groups = (int)floor(targets * (1 - c->tie) + 0.5);
    groups = groups > 1 ? groups : 1;
    PB_CHECK(targets >= groups);
    int group = at / (targets / groups);
    return group < groups ? group : groups - 1;
}

/* sum_i v_i P_i as a matrix [r,r]; the rows of P [u,r*r] are the matrices. */
static pb_node *between(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    int r = c->rank;
    pb_node *v = pb_vector(b, NULL, pb_name(b, "v.%d", group_of(b, site)), c->u, pb_init_constant(0));
    pb_node *P = pb_seeded(b, site, "P", c->u, r * r, pb_init_normal(1 / sqrt(r)));
    return pb_op_reshape(b->graph, pb_op_product(b->graph, v, false, P, false), r, r);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *A, *B;
    pb_singular_fixed(b, site, c->rank, &A, &B);
    if (!A)
        return NULL; /* before P, which has u * rank^2 numbers */
    pb_node *h = pb_op_linear(b->graph, pb_op_linear(b->graph, x, A, NULL), between(b, site), NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, 1);
}

const pb_method pb_method_tinylora = {
    .name = "tinylora",
    .title = "TinyLoRA: a few numbers for all weights",
    .paper = "Morris et al. 2026, Learning to reason in 13 parameters, arXiv:2602.04118",
    .help = "Trains the factors of random matrices between the fixed principal singular vectors of each weight.",
    .equation = "y = W x + U_r S_r (sum_i v_i P_i) V_r^T x",
    .notes = "W = U S V^T. The paper leaves open how P is drawn: normal with the deviation 1/sqrt(rank), as in PEFT, "
             "which divides S_r between both sides. The paper trains large models by reinforcement learning; that so "
             "few numbers suffice there is nothing that supervised training of a small model shows. From one start, 20 "
             "steps equal those of PEFT.",
    .count = "model: u*max(1, floor(sites*(1-tie)+0.5))",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "u"},
    .hooks = {.linear = linear, .start = pb_singular_start},
    .peft = PB_PEFT("TINYLORA",
                    PB_PEFT_TENSORS({"A", "tinylora_A"}, {"B", "tinylora_B"}, {"P", "tinylora_P", "rows, rank, rank"},
                                    {"v.#", "base_model.tinylora_v.#", "cols", .of_model = true}),
                    PB_PEFT_KEYS({"r", "rank"}, {"u", "u"}, {"weight_tying", "tie"}, PB_PEFT_PROJECTION_SAVED),
                    .fixed = PB_PEFT_NO_BIAS),
};
