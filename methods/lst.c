/* lst: a small transformer beside the base, which its layers feed and through which alone gradients pass.
 *
 * The hidden states h_l behind layer l of the base enter the side network through a ladder: with s_0 = D_0 h_0 and
 * gates mu_l = sigmoid(alpha_l / T),
 *
 *     s_l = Block_l(mu_l D_l h_l + (1 - mu_l) s_{l-1}),    y = h_L + U s_L.
 *
 * A layer may have no block, as `targets = [!048].layer 1?.layer` says for the nine blocks of the authors' T5-base; s_0
 * is then made in front of the first layer that has one.  Block_l is a layer as the base's with all its widths divided
 * by r, and as many key heads as query heads. */
#include "peftbench.h"

PB_SETTINGS(INT(reduction, "8", 1, 65536, "r: the base's widths divided by those of the side network"),
            REAL(temperature, "0.1", 1e-6, 1e6, "T, the temperature of the gates"),
            TEXT(targets, "layer", "the layers that have a block of the side network; the last must"));

/* The hidden size of the side network: d / r.  It has as many heads as the base, each with an even number of columns,
 * since rotary positions turn pairs of them; d / r is rounded up to that. */
static int width(const pb_build *b)
{
    const conf *c = pb_conf(b);
    int pairs = 2 * b->style.heads;
    return pairs * ((b->width + pairs * c->reduction - 1) / (pairs * c->reduction));
}

static pb_node *linear(pb_build *b, const pb_site *site, const char *name, pb_node *x, int in, int out, bool bias)
{
    if (bias)
        return pb_affine_apply(b, pb_affine_added(b, site, name, out, in, pb_init_kaiming(in)), x);
    pb_node *w = pb_added(b, site, pb_name(b, "%s.weight", name), out, in, pb_init_kaiming(in));
    return pb_op_linear(b->graph, x, w, NULL);
}

static pb_node *attention(pb_build *b, const pb_site *site, pb_node *x)
{
    int s = width(b);
    bool bias = b->style.bias;
    pb_node *q = linear(b, site, "attn.q", x, s, s, bias);
    pb_node *k = linear(b, site, "attn.k", x, s, s, bias);
    pb_node *v = linear(b, site, "attn.v", x, s, s, bias);
    return linear(b, site, "attn.o", pb_attend(b, site, b->style.heads, q, k, v), s, s, bias);
}

static pb_node *mlp(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    int s = width(b), inner = (b->style.intermediate_size + c->reduction - 1) / c->reduction;
    bool bias = b->style.bias;
    pb_node *gate = b->style.gated ? linear(b, site, "mlp.gate", x, s, inner, bias) : NULL;
    pb_node *up = linear(b, site, "mlp.up", x, s, inner, bias);
    pb_node *h = gate ? pb_op_gate(b->graph, b->style.act, gate, up) : pb_op_act(b->graph, b->style.act, up);
    return linear(b, site, "mlp.down", h, inner, s, bias);
}

static pb_node *sublayer(pb_build *b, const pb_site *site, const char *norm,
                         pb_node *(*f)(pb_build *, const pb_site *, pb_node *), pb_node *x)
{
    bool before = b->style.pre_norm;
    pb_node *y = f(b, site, before ? pb_added_norm(b, site, norm, x) : x);
    y = pb_op_add(b->graph, pb_drop(b, y, b->dropout), x);
    return before ? y : pb_added_norm(b, site, norm, y);
}

/* mu D h + (1 - mu) s, where 1 - sigmoid(z) = sigmoid(-z) */
static pb_node *mix(pb_build *b, const pb_site *site, pb_node *h, pb_node *s)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *alpha = pb_vector(b, site, "alpha", 1, pb_init_constant(0));
    pb_node *mu = pb_op_act(g, PB_SIGMOID, pb_op_times(g, alpha, 1 / c->temperature));
    pb_node *rest = pb_op_act(g, PB_SIGMOID, pb_op_times(g, alpha, -1 / c->temperature));
    pb_node *down = linear(b, site, "down", h, b->width, width(b), true);
    return pb_op_add(g, pb_op_scale(g, down, mu), pb_op_scale(g, s, rest));
}

/* h + U s.  The paper starts from parts of the base's weights, and U s replaces h.  Here the side network starts at
 * random, and with U = 0 training starts at the base model.  A final norm of the base applies to the sum, since the
 * last layer's site is in front of it; in the authors' code it does not apply to U s. */
static pb_node *output(pb_build *b, pb_node *h, pb_node *s)
{
    s = b->style.pre_norm ? pb_added_norm(b, NULL, "norm", s) : s;
    pb_affine up = pb_affine_added(b, NULL, "up", b->width, width(b), pb_init_constant(0));
    return pb_op_add(b->graph, pb_affine_apply(b, up, s), h);
}

/* Each site is a layer, and the last one is that of the output. */
static int check_site(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    bool ends = pb_next_target(b, site) || site->layer == site->layers - 1;
    return ends && !strcmp(site->role, "layer")
               ? 0
               : pb_error("lst: targets: want layers, such as 0.layer, with %d.layer among them, got '%s'",
                          site->layers - 1, c->targets);
}

static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    if (check_site(b, site))
        return NULL;
    pb_node **s = pb_memo(b, sizeof *s);
    if (!*s)
        *s = linear(b, NULL, "first", x, b->width, width(b), true);
    pb_node *h = sublayer(b, site, "attn.norm", attention, mix(b, site, y, *s));
    *s = sublayer(b, site, "mlp.norm", mlp, h);
    return site->layer == site->layers - 1 ? output(b, y, *s) : y;
}

const pb_method pb_method_lst = {
    .name = "lst",
    .title = "Ladder side tuning: a small transformer beside the base",
    .paper = "Sung et al. 2022, LST: Ladder side-tuning for parameter and memory efficient transfer learning, "
             "arXiv:2206.06522",
    .help = "Trains a small network that reads the hidden states of all layers; no gradient passes through the base.",
    .equation = "s = block(mu D h + (1 - mu) s); y = h + U s",
    .notes = "A small transformer reads the base's hidden states. No gradient passes through the base, so that fewer "
             "activations are kept than with BitFit or LoRA. The authors' side network starts from parts of the base's "
             "weights that pruning has chosen; here it starts at random. Theirs replaces the last hidden states; here "
             "U s is added to them, with U = 0 at first, so that training starts at the base model, and the base's "
             "final norm applies to the sum.",
    .count = "s = 2*heads*ceil(width/(2*heads*reduction)); f = ceil(intermediate/reduction); width*s + s + 1 + 4*s*s + "
             "(2+gated)*s*f + bias*(5*s + (1+gated)*f) + 2*norm*s; model: 2*width*s + s + width + pre_norm*norm*s",
    .traits = {PB_ADDITIVE, .identity = true},
    .settings = {options, sizeof(conf), "reduction"},
    .hooks = {.block = block},
};
