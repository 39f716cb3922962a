/* unipelt: LoRA at queries and values, a prefix and an adapter after the MLP, each times a trained gate. */
#include "peftbench.h"

typedef struct conf {
    pb_bottleneck_settings adapter; /* without targets */
    int rank, length, hidden;
    const char *lora;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, rank, INT, "8", 1, 4096, "r, the rank of B A"),
    PB_OPTION(conf, length, INT, "10", 1, 4096, "P, the number of prefix tokens"),
    PB_OPTION(conf, hidden, INT, "512", 1, 65536, "intermediate size of the MLP that computes the prefix"),
    PB_OPTION(pb_bottleneck_settings, bottleneck, INT, "48", 1, 65536, "m, the bottleneck dimension of the adapter"),
    PB_OPTION(pb_bottleneck_settings, act, CHOICE, "relu", "gelu|gelu_tanh|relu|tanh|silu", "f, its activation"),
    PB_OPTION(pb_bottleneck_settings, init, REAL, "0.02", 1e-9, 10, "standard deviation of W_down and of gates"),
    PB_OPTION(conf, lora, TEXT, "attn.q attn.v attn.qkv", "projections with a LoRA"),
    {0},
};

/* sigmoid(w x + b) of each row: [T,1]. */
static pb_node *row_gate(pb_build *b, const pb_site *site, const char *name, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_affine w = pb_affine_added(b, site, name, 1, site->in, pb_init_normal(c->adapter.init));
    return pb_op_act(b->graph, PB_SIGMOID, pb_affine_apply(b, w, x));
}

/* The gate of a text is the mean over its tokens.  A decoder's token does not see those behind it, so its gate is its
 * own. */
static pb_node *gate(pb_build *b, const pb_site *site, const char *name, pb_node *x)
{
    pb_node *each = row_gate(b, site, name, x);
    return b->style.causal ? each : pb_op_spread(b->graph, pb_op_mean(b->graph, each), x);
}

static bool is(const pb_site *site, const char *role)
{
    return !strcmp(site->role, role);
}

/* W x + g(x) B A x;  the attention of the layer finds x, which its gate reads. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *y = pb_inner_linear(b, site, x);
    if (is(site, "attn.q") || is(site, "attn.qkv"))
        *(pb_node **)pb_memo(b, sizeof(pb_node *)) = x;
    if (!pb_site_in(c->lora, site))
        return y;
    pb_node *A = pb_low_rank_down(b, site, c->rank), *B = pb_low_rank_up(b, site, c->rank);
    pb_node *h = pb_op_scale(g, pb_op_linear(g, x, A, NULL), gate(b, site, "gate", x));
    return pb_op_linear_add(g, y, h, B, 1);
}

static bool has_lora(pb_build *b)
{
    const conf *c = pb_conf(b);
    const pb_site *s = pb_next_target(b, NULL);
    while (s && !(s->w && pb_site_in(c->lora, s)))
        s = pb_next_target(b, s);
    return s;
}

/* The positions of the text start after the prefix. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (!has_lora(b))
        return pb_refuse("unipelt: lora: '%s' matches no projection", c->lora);
    b->first_position += c->length;
    return x;
}

/* 1 in the rows that stand in front of the text's, and 0 in these; or the opposite: [T',1]. */
static pb_node *front_rows(pb_build *b, const pb_rows *all, const pb_rows *text, bool opposite)
{
    pb_real *x = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)all->count * sizeof *x);
    for (int s = 0; s < all->sequences; s++) {
        int tokens = text->offset[s + 1] - text->offset[s];
        for (int r = all->offset[s]; r < all->offset[s + 1]; r++)
            x[r] = (r < all->offset[s + 1] - tokens) != opposite;
    }
    return pb_graph_input(b->graph, all, 1, x);
}

/* The rows of a prefix times the gate of their text, and the text's rows as they are. */
static pb_node *gated(pb_build *b, pb_node *m, pb_node *rows, const pb_rows *text)
{
    pb_graph *g = b->graph;
    if (!rows || rows->set == text)
        return rows;
    pb_node *factor = pb_op_multiply(g, pb_op_spread(g, m, rows), front_rows(b, rows->set, text, false));
    return pb_op_scale(g, rows, pb_op_add(g, factor, front_rows(b, rows->set, text, true)));
}

/* softmax(q [g P_k; K]^T) [g P_v; V].  A decoder's gate is that of the text's first token, which all tokens see. */
static pb_node *attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *x = *(pb_node **)pb_memo(b, sizeof(pb_node *)), *each = row_gate(b, site, "gate", x);
    pb_node *pk = pb_prefix_rows(b, site, "k", c->length, c->hidden);
    pb_node *pv = pb_prefix_rows(b, site, "v", c->length, c->hidden);
    pb_node *m = !x || !b->style.causal ? pb_op_mean(g, each) : pb_op_select(g, each, pb_rows_pick(g, x->set, 0));
    const pb_rows *text = k->set;
    k = gated(b, m, pb_op_prepend(g, pk, k), text);
    v = gated(b, m, pb_op_prepend(g, pv, v), text);
    return pb_inner_attention(b, site, q, k, v);
}

/* y + g(y) (U f(D y + b_D) + b_U) after the MLP. */
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    if (!is(site, "mlp"))
        return y;
    pb_affine down = pb_bottleneck_down(b, site, "down"), up = pb_bottleneck_up(b, site, "up");
    pb_node *a = pb_bottleneck_apply(b, down, up, y);
    return pb_op_add(b->graph, pb_op_scale(b->graph, a, gate(b, site, "gate", y)), y);
}

const pb_method pb_method_unipelt = {
    .name = "unipelt",
    .title = "UniPELT: gates that mix LoRA, a prefix and adapters",
    .paper =
        "Mao et al. 2022, UniPELT: A unified framework for parameter-efficient language model tuning, arXiv:2110.07577",
    .help = "Trains LoRA, a prefix and adapters together, with a gate for each that reads the layer's input.",
    .equation =
        "W x + g_L B A x; softmax(q [g_P P_k; K]^T) [g_P P_v; V]; y + g_A U f(D y); g = mean_t sigmoid(w x_t + b)",
    .notes = "As in the paper, the gate of LoRA stands in the place of alpha/rank.  In a decoder a mean over the text "
             "would see the future: there the gates of LoRA and adapter are each token's own, and that of the prefix "
             "is the text's first token's, since keys and values of a prefix are the same for all tokens.",
    .count = "model: length*width+hidden*(width+1); layer: 2*kv*(hidden+1)+width+1; layer: "
             "bottleneck*(2*width+1)+width+width+1; lora*(rank*(in+out)+in+1)",
    .deviation = "A: 1/sqrt(3*in); B: 0; down.weight: init; up.weight: 0; gate.weight: init; embed: 1",
    .traits = {PB_HYBRID},
    .settings = {options, sizeof(conf), "bottleneck"},
    .hooks = {.linear = linear, .attention = attention, .block = block, .embed = embed},
};
