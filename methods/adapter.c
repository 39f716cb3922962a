/* adapter: y + s U f(D z + b_D) + s b_U at a sublayer, with the bottleneck D [m,C] and U [C,m].  z is the sublayer's
 * output y, or with place = parallel its input x.  With `own_norm` z is normalized first.  The first `drop` layers have
 * no adapter; with `robust` their number is drawn in each step. */
#include "peftbench.h"

enum { AFTER, PARALLEL }; /* place */

PB_SETTINGS(BOTTLENECK("64", "0.01", "attn mlp"),
            CHOICE(place, "after", "after|parallel", "reads the sublayer's output, or its input"),
            REAL(scale, "1", 1e-9, 1e6, "s, the factor of what the adapter adds"),
            BOOL(kaiming, "no", "draw W_down as LoRA's A, uniform within 1/sqrt(C), instead of by init"),
            BOOL(own_norm, "no", "a norm of the adapter's own in front of it, which trains"),
            BOOL(norms, "yes", "train the base's norms too, as Houlsby et al. do"),
            INT(drop, "0", 0, 1000, "n: the first n layers have no adapter"),
            BOOL(robust, "no", "all layers have one; n is drawn in each step, and `drop` is n elsewhere"));

static bool trains(const void *settings, const pb_param *p, int layers)
{
    const conf *c = settings;
    return pb_bottleneck_selects(c->norms, p, layers);
}

/* n, which the first target of each pass draws: 0 .. layers - 1. */
static int dropped(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    int *drawn = c->robust ? pb_memo(b, sizeof *drawn) : NULL;
    if (drawn && site == pb_next_target(b, NULL))
        *drawn = pb_draw(b, b->layers);
    return drawn && *drawn >= 0 ? *drawn : c->drop;
}

/* The paper starts near the identity; U = 0 starts exactly there. */
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    const conf *c = pb_conf(b);
    bool off = site->layer < dropped(b, site);
    if (c->drop >= b->layers)
        return pb_refuse("adapter: drop: want less than the %d layers, got %d", b->layers, c->drop);
    if (off && !c->robust)
        return y;
    pb_node *z = c->place == PARALLEL ? x : y;
    z = c->own_norm ? pb_added_norm(b, site, "norm", z) : z;
    pb_init init = c->kaiming ? pb_init_kaiming(site->in) : pb_init_normal(c->adapter.init);
    pb_affine down = pb_affine_added(b, site, "down", c->adapter.bottleneck, site->in, init);
    pb_affine up = pb_bottleneck_up(b, site, "up");
    return off ? y : pb_op_add(b->graph, pb_op_times(b->graph, pb_bottleneck_apply(b, down, up, z), c->scale), y);
}

const pb_method pb_method_adapter = {
    .name = "adapter",
    .tensors = "houlsby",
    .title = "Adapter: a bottleneck with a residual",
    .paper = "Houlsby et al. 2019, Parameter-efficient transfer learning for NLP, arXiv:1902.00751",
    .help = "Puts a trained bottleneck with a residual after, or parallel to, chosen sublayers.",
    .equation = "y + s U f(D z + b_D) + s b_U, where z is the sublayer's output y or, with place=parallel, its input x",
    .notes = "W_up starts at zero, so that training starts at the base model exactly.  The biases do not decay.",
    .count = "max(robust, layer >= drop) * (bottleneck*(in+out+1) + out + own_norm*norm*in)",
    .deviation = "down.weight: (1-kaiming)*init + kaiming/sqrt(3*in); up.weight: 0; *.bias: 0; norm.weight: 1",
    .traits = {PB_ADDITIVE, .identity = true},
    .settings = {options, sizeof(conf), "bottleneck"},
    .presets = PB_PRESETS(
        {"houlsby", "Houlsby adapters, one after each sublayer",
         "Houlsby et al. 2019, Parameter-efficient transfer learning for NLP, arXiv:1902.00751",
         "bottleneck=64,act=gelu,init=0.01,targets=attn mlp,norms=yes",
         "The authors' code draws W_up as W_down, with a deviation of 0.001; here W_up starts at zero, so that "
         "training starts at the base model."},
        {"pfeiffer", "Pfeiffer adapters, one after each MLP", "Pfeiffer et al. 2021, AdapterFusion, arXiv:2005.00247",
         "bottleneck=48,act=relu,init=0.02,targets=mlp,norms=no",
         "m = 48 is d/16 of BERT-base.  AdapterHub's code puts the adapter behind the base's norm of the sum of the "
         "MLP's output and the residual; here it reads the MLP's output, as Houlsby's does.  AdapterFusion itself, "
         "which combines adapters of several tasks, is not here."},
        {"lin", "Adapters with a norm of their own, one behind each layer",
         "Lin et al. 2020, Exploring versatile generative language model via parameter-efficient transfer learning, "
         "arXiv:2004.03829",
         "bottleneck=100,act=relu,init=0.02,targets=layer,own_norm=yes,norms=no",
         "m is 10 to 300 in the paper, by the task.  The adapter reads the residual stream behind a layer, as in the "
         "authors' code; the LoRA paper's Adapter^L, which it says to stand after the MLP, has as many parameters."},
        {"parallel", "Scaled parallel adapters beside the MLP",
         "He et al. 2022, Towards a unified view of parameter-efficient transfer learning, arXiv:2110.04366",
         "place=parallel,bottleneck=512,act=relu,scale=4,kaiming=yes,targets=mlp,norms=no",
         "m = 512 and s = 4 are those of the paper's summarization and translation; on GLUE its m is 16 and its s is "
         "2.  In a pre-norm network the adapter reads what the MLP reads, behind the norm."},
        {"adapterdrop", "AdapterDrop: adapters that do without those of the first layers",
         "Rücklé et al. 2021, AdapterDrop, arXiv:2010.11918",
         "bottleneck=48,act=relu,init=0.02,targets=mlp,norms=no,robust=yes",
         "The robust variant, in which n is drawn from 0 to layers - 1 for each batch, as the paper's 0 to 11 of 12 "
         "layers; drop is n when scoring.  robust=no,drop=5 is the specialized variant of the paper's main result.  "
         "The paper's gain is speed of inference, which is a setting of scoring only."}),
    .hooks = {.select = trains, .block = block},
};
