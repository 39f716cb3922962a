/* prefix: trained keys and values in front of those of the text, in every layer. */
#include "peftbench.h"

enum { RANDOM, TOKENS };

PB_SETTINGS(INT(length, "10", 1, 4096, "P, the number of prefix tokens"),
            BOOL(mlp, "no", "compute keys and values from an embedding by a shared MLP, as the paper does"),
            INT(hidden, "384", 1, 65536, "intermediate size of that MLP"),
            REAL(init, "0.02", 0, 10, "standard deviation at the start"),
            TEXT(targets, "attn", "the layers that have a prefix, such as 3.attn; attn: all"),
            CHOICE(start, "random", "random|tokens",
                   "start from normal numbers, or from keys and values of tokens drawn from the vocabulary"),
            INT(frozen, "0", 0, 4095, "the first rows of the prefix, which stay as they start"));

/* The positions of the text start after the prefix. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    b->first_position += c->length;
    return x;
}

/* [P; x] where P [P,kv] trains, but for its first rows. */
static pb_node *with_rows(pb_build *b, const pb_site *site, const char *name, const char *frozen, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_init init = pb_init_normal(c->init);
    x = pb_op_prepend(b->graph, pb_added(b, site, name, c->length - c->frozen, b->kv_width, init), x);
    return c->frozen ? pb_op_prepend(b->graph, pb_fixed(b, site, frozen, c->frozen, b->kv_width, init), x) : x;
}

static int check(const conf *c)
{
    if (c->frozen >= c->length)
        return pb_error("prefix: frozen = %d, want fewer than length = %d", c->frozen, c->length);
    return c->mlp && (c->frozen || c->start == TOKENS)
               ? pb_error("prefix: mlp = yes computes all rows; want frozen = 0 and start = random, or mlp = no")
               : 0;
}

/* softmax(q [P_k; K]^T) [P_v; V] */
static pb_node *attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    const conf *c = pb_conf(b);
    if (check(c))
        return NULL;
    if (!c->mlp)
        return pb_inner_attention(b, site, q, with_rows(b, site, "k", "k.frozen", k),
                                  with_rows(b, site, "v", "v.frozen", v));
    k = pb_op_prepend(b->graph, pb_prefix_rows(b, site, "k", c->length, c->hidden), k);
    return pb_inner_attention(b, site, q, k,
                              pb_op_prepend(b->graph, pb_prefix_rows(b, site, "v", c->length, c->hidden), v));
}

/* Rows of keys or of values: the first ones are frozen. */
static void set_rows(pb_build *b, const pb_site *site, const char *name, const char *frozen, const pb_real *x)
{
    const conf *c = pb_conf(b);
    size_t first = (size_t)c->frozen * (size_t)b->kv_width,
           rest = (size_t)(c->length - c->frozen) * (size_t)b->kv_width;
    memcpy(pb_tensor(b, site, name)->x, x + first, rest * sizeof *x);
    if (c->frozen)
        memcpy(pb_tensor(b, site, frozen)->x, x, first * sizeof *x);
}

/* All tokens are equally likely. */
static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    if (c->start != TOKENS)
        return;
    size_t n = (size_t)c->length * (size_t)b->kv_width;
    pb_real *k = pb_alloc(2 * n * sizeof *k), *v = k + n;
    int *ids = pb_alloc((size_t)c->length * sizeof *ids);
    pb_rng r = {.key = pb_seed(b, NULL, "tokens")};
    for (int i = 0; i < c->length; i++)
        ids[i] = (int)pb_rng_below(&r, (uint64_t)pb_find_param(b, "embed.word")->rows);
    PB_EACH_TARGET(b, s) {
        if (pb_base_keys(b, s, ids, c->length, k, v))
            break;
        set_rows(b, s, "k", "k.frozen", k);
        set_rows(b, s, "v", "v.frozen", v);
    }
    free(k);
    free(ids);
}

static const pb_peft_tensor tensors[] = {{"k", "prompt_embeddings"},
                                         {"v", "prompt_embeddings"},
                                         {"k.frozen", "prompt_embeddings"},
                                         {"v.frozen", "prompt_embeddings"},
                                         {0}};

const pb_method pb_method_prefix = {
    .name = "prefix",
    .title = "Prefix tuning: trained keys and values",
    .paper = "Li and Liang 2021, Prefix-tuning, arXiv:2101.00190",
    .help = "Lets every layer attend to P trained positions in front of the text.",
    .equation = "softmax(q [P_k; K]^T) [P_v; V]; with mlp: P_k and P_v are rows of W_2 tanh(W_1 E + b_1) + b_2",
    .notes =
        "The paper computes the prefix by an MLP while training, with an intermediate size of 512 or 800, since "
        "training is unstable without it, and stores the result alone. The default here has no MLP, as in PEFT; mlp = "
        "yes is the paper's. An artifact then has the MLP; an exported PEFT adapter has keys and values alone. The "
        "paper also starts from activations of chosen real words; start = tokens draws words from the vocabulary.",
    .count = "model: mlp*(length*width+hidden*(width+1)); 2*kv*(mlp*(hidden+1)+(1-mlp)*(length-frozen))",
    .deviation = "k: init; v: init; embed: 1",
    .traits = {PB_ADDITIVE},
    .settings = {options, sizeof(conf), "length"},
    .presets = PB_PRESETS(
        {.name = "p-tuning-v2",
         .title = "P-tuning v2: trained keys and values without an MLP",
         .paper = "Liu et al. 2021, P-tuning v2, arXiv:2110.07602",
         .spec = "mlp=no",
         .notes = "The paper tunes the length for each task, from a few tokens to more than a hundred, and finds that "
                  "an MLP helps on some tasks only. The text keeps its own classification head, as in the paper."},
        {.name = "cartridge",
         .title = "Cartridge: trained keys and values that start as those of a text",
         .paper = "Eyuboglu et al. 2025, Cartridges: Lightweight and general-purpose long context representations via "
                  "self-study, arXiv:2506.06266",
         .spec = "start=tokens,frozen=1",
         .notes = "The first row is frozen, as attention often rests on the first token. The paper starts from the "
                  "first tokens of a corpus of documents and trains on conversations about it that the model itself "
                  "writes, by distillation; this is the parametrization alone, trained on the task, and it starts from "
                  "tokens of the vocabulary, since a task has no corpus. That a cartridge replaces a long text in the "
                  "context is therefore not shown here."}),
    .hooks = {.attention = attention, .embed = embed, .start = start},
    .peft = PB_PEFT("PREFIX_TUNING", tensors, PB_PEFT_KEYS({"num_virtual_tokens", "length"}), .layout = PB_PEFT_PREFIX,
                    .loaded = PB_PEFT_TENSORS({"frozen", "0"}), .fixed = "\"prefix_projection\": false",
                    .other = PB_PEFT("CARTRIDGE", tensors,
                                     PB_PEFT_KEYS({"num_virtual_tokens", "length"}, {"num_frozen_tokens", "frozen"}),
                                     .layout = PB_PEFT_PREFIX)),
};
