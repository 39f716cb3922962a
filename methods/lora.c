/* lora: h = W x + alpha/r * B A x, with A [r,in] and B [out,r].
 *
 * With dora = yes, V = W + alpha/r * B A gives the direction of each row only, and a trained magnitude
 * m [1,out] its length:  h = m / |V| * V x.  As in the paper (section 4.3), |V| is a constant to
 * gradients.  Dropout is on the way into A alone. */
#include <math.h>

#include "peftbench.h"

typedef struct conf {
    int rank;
    double alpha, dropout;
    bool rslora, dora;
    const char *rank_pattern, *alpha_pattern, *targets;
} conf;

static const pb_option options[] = {
    {.name = "rank",
     .type = PB_INT,
     .offset = offsetof(conf, rank),
     .preset = "8",
     .min = 1,
     .max = 4096,
     .help = "r, the inner size of B A"},
    {.name = "alpha",
     .type = PB_REAL,
     .offset = offsetof(conf, alpha),
     .preset = "16",
     .min = 0,
     .max = 1e6,
     .help = "the update is scaled by alpha / r"},
    {.name = "dropout",
     .type = PB_REAL,
     .offset = offsetof(conf, dropout),
     .preset = "0",
     .min = 0,
     .max = 0.99,
     .help = "on the way into A, while training"},
    {.name = "rslora",
     .type = PB_BOOL,
     .offset = offsetof(conf, rslora),
     .preset = "no",
     .help = "scale by alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732)"},
    {.name = "dora",
     .type = PB_BOOL,
     .offset = offsetof(conf, dora),
     .preset = "no",
     .help = "train the length of each row of W + B A apart (Liu et al. 2024, arXiv:2402.09353)"},
    {.name = "rank_pattern",
     .type = PB_TEXT,
     .offset = offsetof(conf, rank_pattern),
     .preset = "",
     .help = "other ranks at some projections: \"mlp.*=4 0.attn.q=16\""},
    {.name = "alpha_pattern",
     .type = PB_TEXT,
     .offset = offsetof(conf, alpha_pattern),
     .preset = "",
     .help = "other alphas at some projections"},
    {.name = "targets",
     .type = PB_TEXT,
     .offset = offsetof(conf, targets),
     .preset = "attn.q attn.v attn.qkv",
     .help = "projections to adapt"},
    {0},
};

static int rank_at(const conf *c, const pb_site *site)
{
    return (int)pb_at_site(c->rank_pattern, site, c->rank);
}

static double scale_at(const conf *c, const pb_site *site)
{
    int rank = rank_at(c, site);
    return pb_at_site(c->alpha_pattern, site, c->alpha) / (c->rslora ? sqrt(rank) : rank);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    int rank = rank_at(c, site);
    pb_node *A = pb_added(b, site, "A", rank, site->in, pb_init_kaiming(site->in));
    pb_node *B = pb_added(b, site, "B", site->out, rank, pb_init_constant(0));
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->dropout), A, NULL);
    pb_node *y = pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, scale_at(c, site));
    if (!c->dora)
        return y;
    pb_node *m = pb_added(b, site, "m", 1, site->out, pb_init_row_norms(site->w));
    pb_node *shrink = pb_op_inverse_row_norms(b->graph, pb_base_weight(b, site), B, A, scale_at(c, site));
    return pb_op_scale_about(b->graph, y, pb_op_scale(b->graph, m, shrink), pb_base_bias(b, site));
}

/* Row o of W += scale * B A; returns how long that row of the base's own W gets by it. */
static double change_row(pb_build *b, const pb_site *site, int o, pb_real *w)
{
    enum { PART = 64 };
    const conf *c = pb_conf(b);
    const pb_real *A = pb_find_added(b, site, "A")->x, *B = pb_find_added(b, site, "B")->x;
    pb_real base[PART], scale = (pb_real)scale_at(c, site);
    int rank = rank_at(c, site), in = site->in;
    double squares = 0;
    for (int i = 0; i < in; i++) {
        if (i % PART == 0)
            pb_param_values(site->w, o, o + 1, i, i + PART < in ? i + PART : in, base);
        pb_real change = 0;
        for (int r = 0; r < rank; r++)
            change += scale * B[o * rank + r] * A[r * in + i];
        w[i] += change;
        squares += pow((double)(base[i % PART] + change), 2);
    }
    return sqrt(squares);
}

/* W += scale * B A, then with dora each row about the base's bias. */
static void merge(pb_build *b, const pb_site *site, pb_real *w, pb_real *bias)
{
    const conf *c = pb_conf(b);
    for (int o = 0; o < site->out; o++, w += site->in) {
        double length = change_row(b, site, o, w);
        if (!c->dora)
            continue;
        pb_real l = length > 0 ? (pb_real)((double)pb_find_added(b, site, "m")->x[o] / length) : 0;
        for (int i = 0; i < site->in; i++)
            w[i] *= l;
        if (bias)
            bias[o] = site->b->x[o] + (bias[o] - site->b->x[o]) * l;
    }
}

static const pb_peft peft = {
    .type = "LORA",
    .tensors = (const pb_peft_tensor[]){{"A", "lora_A.weight", false, "lora_embedding_A", NULL},
                                        {"B", "lora_B.weight", false, "lora_embedding_B", NULL},
                                        {"m", "lora_magnitude_vector", true, "lora_magnitude_vector", "dora"},
                                        {0}},
    .keys = (const pb_peft_key[]){{"r", "rank", "rank_pattern", "rank_pattern", true},
                                  {"lora_alpha", "alpha", "alpha_pattern", "alpha_pattern", false},
                                  {"lora_dropout", "dropout", NULL, NULL, false},
                                  {"use_rslora", "rslora", NULL, NULL, false},
                                  {"use_dora", "dora", NULL, NULL, false},
                                  {0}},
    .fixed = "\"bias\": \"none\", \"init_lora_weights\": true",
    .bias = "lora_B.bias",
};

/* The length that divides a row is a constant in the paper's section 4.3. */
static bool detached(const void *settings)
{
    const conf *c = settings;
    return c->dora;
}

const pb_method pb_method_lora = {
    .name = "lora",
    .title = "LoRA: low-rank update of linear layers",
    .paper = "Hu et al. 2021, LoRA, arXiv:2106.09685",
    .help = "Adds a trained product of two thin matrices to chosen projections.",
    .category = PB_REPARAMETRIZATION,
    .identity = true,
    .options = options,
    .conf_size = sizeof(conf),
    .linear = linear,
    .detached = detached,
    .merge = merge,
    .peft = &peft,
};
