/* vblora: the LoRAs of all projections from one bank of vectors. y = W x + B A x, where the rows of A [r,in] and the
 * columns of B [out,r] are cut into sub-vectors of b elements, and each of them is a mixture of vectors of the bank
 * [h,b], which all projections share: with trained logits l [h] it is sum_j p_j bank_j, where p is the softmax over
 * the k largest l, and 0 elsewhere. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "4", 1, 4096, "r, the rank of B A"), INT(vectors, "90", 1, 65536, "h, the vectors in the bank"),
            INT(length, "0", 0, 65536, "b, a divisor of the sides of all targets; 0: half the keys' width"),
            INT(topk, "2", 1, 65536, "k, the vectors that a sub-vector is a mixture of"),
            REAL(ratio, "10", 1e-6, 1e6, "the logits learn at the rate of the bank times this ratio"),
            REAL(bound, "0.02", 1e-9, 1000, "the bank starts uniformly between -bound and bound"),
            REAL(deviation, "0.1", 0, 1000, "standard deviation of the logits at the start"),
            REAL(dropout, "0", 0, 0.99, "of the input of A, while training"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* A matrix [r,side], whose rows consist of side/b sub-vectors. */
static pb_node *composed(pb_build *b, const pb_site *site, const char *name, int side)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int length = c->length ? c->length : b->kv_width / 2;
    if (c->topk > c->vectors)
        return pb_refuse("vblora: topk: want at most %d, the vectors in the bank, got %d", c->vectors, c->topk);
    if (length < 1 || side % length)
        return pb_refuse("vblora: length: want a divisor of %d, a side of %s, got %s%d", side, site->role,
                         c->length ? "" : "half the keys' width, ", length);
    pb_node *bank = pb_added(b, NULL, "bank", c->vectors, length, pb_init_uniform(c->bound));
    pb_node *logits = pb_added(b, site, name, c->rank * (side / length), c->vectors, pb_init_normal(c->deviation));
    pb_node *p = pb_op_softmax(g, pb_rated(logits, c->ratio), c->topk);
    return pb_op_reshape(g, pb_op_product(g, p, false, bank, false), c->rank, side);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *A = composed(b, site, "A", site->in);
    pb_node *B = pb_op_transpose(b->graph, composed(b, site, "B", site->out));
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->dropout), A, NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, 1);
}

const pb_method pb_method_vblora = {
    .name = "vblora",
    .title = "VB-LoRA: all LoRAs from a bank of vectors",
    .paper = "Li et al. 2024, VB-LoRA, arXiv:2405.15179",
    .help = "Makes the rows and columns of all LoRAs of mixtures of few vectors that all projections share.",
    .equation = "y = W x + B A x; each sub-vector of A and B is sum_j p_j bank_j, p = softmax of its k largest logits",
    .notes =
        "The learning rate of [train] is that of the bank and of the head; the paper's rates are 0.001 for the bank "
        "and 0.01 for the logits. The paper's b is 256; the default is half the width of keys and values, since b has "
        "to divide all sides, and an adapter of PEFT is written only with a length that is given. The numbers of the "
        "paper count what it stores, the bank, k - 1 weights and k indices of each sub-vector; here, as with PEFT's "
        "default, the artifact holds all logits, which are h for b elements of A and B. A and B both start away from "
        "zero, so the first outputs are not exactly those of the base model. The product with p is a dense one.",
    .count = "b = max(length, (length==0)*kv/2); rank*vectors*(in+out)/b; model: vectors*b",
    .deviation = "A: deviation; B: deviation; bank: bound/sqrt(3)",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "vectors"},
    .hooks = {.linear = linear},
    .peft =
        PB_PEFT("VBLORA",
                PB_PEFT_TENSORS({"A", "vblora_logits_A", "rank, in/length, vectors"},
                                {"B", "vblora_logits_B", "out/length, rank, vectors", "102"},
                                {"bank", "base_model.vblora_vector_bank", .of_model = true}),
                PB_PEFT_KEYS({"r", "rank"}, {"num_vectors", "vectors"}, {"vector_length", "length"}, {"topk", "topk"},
                             {"vblora_dropout", "dropout"}, {"save_only_topk_weights", .words = "false"}),
                .fixed = PB_PEFT_NO_BIAS),
};
