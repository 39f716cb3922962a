/* lora: h = W x + alpha/r * B A x, with A [r,in] and B [out,r]. */
#include <math.h>

#include "peftbench.h"

typedef struct conf {
    int rank;
    double alpha, dropout;
    bool rslora;
    const char *targets;
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
    {.name = "targets",
     .type = PB_TEXT,
     .offset = offsetof(conf, targets),
     .preset = "attn.q attn.v",
     .help = "projections to adapt"},
    {0},
};

static double scale(const conf *c)
{
    return c->alpha / (c->rslora ? sqrt(c->rank) : c->rank);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *A = pb_added(b, site, "A", c->rank, site->in, pb_init_kaiming(site->in));
    pb_node *B = pb_added(b, site, "B", site->out, c->rank, pb_init_constant(0));
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->dropout), A, NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, scale(c));
}

/* W += scale * B A */
static void merge(pb_build *b, const pb_site *site, pb_real *w, pb_real *bias)
{
    (void)bias;
    const conf *c = pb_conf(b);
    const pb_real *A = pb_find_added(b, site, "A")->x, *B = pb_find_added(b, site, "B")->x;
    for (int o = 0; o < site->out; o++)
        for (int r = 0; r < c->rank; r++)
            for (int i = 0; i < site->in; i++)
                w[o * site->in + i] += (pb_real)scale(c) * B[o * c->rank + r] * A[r * site->in + i];
}

const pb_method pb_method_lora = {
    .name = "lora",
    .title = "LoRA: low-rank update of linear layers",
    .paper = "Hu et al. 2021, LoRA, arXiv:2106.09685",
    .help = "Adds a trained product of two thin matrices to chosen projections.",
    .taxon = PB_REPARAMETRIZATION,
    .identity = true,
    .options = options,
    .conf_size = sizeof(conf),
    .linear = linear,
    .merge = merge,
};
