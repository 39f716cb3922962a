/* ia3: keys, values and the inner activation of the MLP are rescaled, element by element. */
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    const char *targets;
} conf;

static const pb_option options[] = {
    {.name = "targets",
     .type = PB_TEXT,
     .offset = offsetof(conf, targets),
     .preset = "attn.k attn.v mlp.down",
     .help = "projections: mlp.down is scaled where x comes in, the others where y goes out"},
    {0},
};

static bool scales_input(const pb_site *site)
{
    return strcmp(site->role, "mlp.down") == 0;
}

/* y = l * (W x + b), or W (l * x) + b in the MLP; l starts as ones. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    bool before = scales_input(site);
    pb_node *l = pb_added(b, site, "l", 1, before ? site->in : site->out, pb_init_constant(1));
    if (before)
        return pb_inner_linear(b, site, pb_op_scale(b->graph, x, l));
    return pb_op_scale(b->graph, pb_inner_linear(b, site, x), l);
}

static void merge(pb_build *b, const pb_site *site, pb_real *w, pb_real *bias)
{
    bool before = scales_input(site);
    const pb_real *l = pb_find_added(b, site, "l")->x;
    for (int o = 0; o < site->out; o++)
        for (int i = 0; i < site->in; i++)
            w[o * site->in + i] *= l[before ? i : o];
    for (int o = 0; bias && !before && o < site->out; o++)
        bias[o] *= l[o];
}

const pb_method pb_method_ia3 = {
    .name = "ia3",
    .title = "(IA)3: learned rescaling of inner activations",
    .paper = "Liu et al. 2022, Few-shot parameter-efficient fine-tuning, arXiv:2205.05638",
    .help = "Multiplies keys, values and the MLP's inner activation by trained vectors.",
    .taxon = PB_ADDITIVE,
    .identity = true,
    .options = options,
    .conf_size = sizeof(conf),
    .linear = linear,
    .merge = merge,
};
