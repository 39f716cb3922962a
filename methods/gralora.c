/* gralora: LoRA for each of k x k parts of W.  Row i of the parts' A, [r,in/k], reads part i of x; its r results are
 * cut into k slices, and slice j goes to part j of the output, whose B [out/k,r] reads slices of all i. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "32", 1, 4096, "r, the rank of the parts of the input, which divide it among them"),
            REAL(alpha, "64", 1e-9, 1e6, "the update is scaled by alpha / r"),
            REAL(dropout, "0", 0, 0.99, "of the input of A, while training"),
            INT(parts, "2", 1, 4096, "k, the parts of the input and of the output; divides both, and r"),
            BOOL(exchange, "yes", "every part of the input reaches every part of the output"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static bool fits(const conf *c, const pb_site *site)
{
    if (site->in % c->parts == 0 && site->out % c->parts == 0 && (!c->exchange || c->rank % c->parts == 0))
        return true;
    pb_error("gralora: parts: want a divisor of %s [%d,%d]%s, got %d (rank %d)", site->role, site->out, site->in,
             c->exchange ? " and of the rank" : "", c->parts, c->rank);
    return false;
}

/* Slice j of part i becomes slice i of part j: h [T,k*r]. */
static pb_node *exchange(pb_build *b, pb_node *h, int k, int r)
{
    int *index = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)(k * r) * sizeof *index), slice = r / k;
    for (int at = 0; at < k * r; at++)
        index[at] = at % r / slice * r + at / r * slice + at % slice;
    return pb_op_permute(b->graph, h, index);
}

/* A and B hold the transposes of the parts' matrices, one below the other: [in,r] and [k*r,out/k]. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    int k = c->parts, r = c->rank;
    if (!fits(c, site))
        return NULL;
    pb_node *A = pb_added(b, site, "A", site->in, r, pb_init_kaiming(site->in / k));
    pb_node *B = pb_added(b, site, "B", k * r, site->out / k, pb_init_constant(0));
    pb_node *h = pb_op_blocks(b->graph, pb_drop(b, x, c->dropout), A, k);
    pb_node *y = pb_op_blocks(b->graph, c->exchange ? exchange(b, h, k, r) : h, B, k);
    return pb_op_add(b->graph, pb_inner_linear(b, site, x), pb_op_times(b->graph, y, c->alpha / r));
}

const pb_method pb_method_gralora = {
    .name = "gralora",
    .title = "GraLoRA: granular low-rank adaptation",
    .paper = "Jung et al. 2025, GraLoRA, arXiv:2505.20355",
    .help = "Cuts a weight into k x k parts with a low-rank update of rank r/k each.",
    .equation = "y_j = (W x + b)_j + alpha/r * sum_i B_ij A_ij x_i,  A_ij [r/k,in/k], B_ij [out/k,r/k]",
    .notes = "The paper's k is 2 up to rank 32 and 4 above.  Hybrid GraLoRA, a LoRA beside it, is left out: "
             "lora+gralora is that with a scale of its own for each.",
    .count = "rank*(in+out)",
    .deviation = "A: sqrt(parts/(3*in)); B: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .presets = PB_PRESETS(
        {"melora", "MELoRA: mini LoRAs along the diagonal", "Ren et al. 2024, MELoRA, arXiv:2402.17263",
         "rank=8,alpha=16,parts=2,exchange=no",
         "n mini LoRAs of rank r (parts and rank) have r (in+out) numbers and the rank n r. The paper chooses n and r "
         "by task; these are those of the authors' script for GLUE, while theirs for LLaMA has n = 8 and r = 1."}),
    .hooks = {.linear = linear},
    /* PEFT has no MELoRA. */
    .peft = PB_PEFT(
        "GRALORA",
        .tensors =
            PB_PEFT_TENSORS({"A", "gralora_A", "parts, in/parts, rank"}, {"B", "gralora_B", "parts, rank, out/parts"}),
        .keys = PB_PEFT_KEYS({"r", "rank"}, {"alpha", "alpha"}, {"gralora_dropout", "dropout"}, {"gralora_k", "parts"}),
        .loaded = PB_PEFT_TENSORS({"exchange", "yes"}), .fixed = PB_PEFT_NO_BIAS),
};
