/* ia3: keys and values become l * (W x + b), the input x of mlp.down becomes l * x, with l trained from ones. */
#include "peftbench.h"

PB_SETTINGS(TEXT(targets, "attn.k attn.v attn.qkv mlp.down", "projections to rescale"),
            TEXT(inputs, "mlp.down", "those whose input is rescaled; the others have their output rescaled"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    bool input = pb_site_in(c->inputs, site);
    pb_node *l = pb_vector(b, site, "l", input ? site->in : site->out, pb_init_constant(1));
    pb_node *y = pb_inner_linear(b, site, input ? pb_op_scale(b->graph, x, l) : x);
    return input ? y : pb_op_scale(b->graph, y, l);
}

const pb_method pb_method_ia3 = {
    .name = "ia3",
    .title = "(IA)3: learned rescaling of inner activations",
    .paper = "Liu et al. 2022, Few-shot parameter-efficient fine-tuning, arXiv:2205.05638",
    .help = "Multiplies keys, values and the MLP's intermediate activation by trained vectors.",
    .equation = "k = l * (W x + b), v likewise; mlp.down reads l * x",
    .notes = "PEFT's default targets of a BERT also rescale the input of attn.o, because the name output.dense matches "
             "both: 3 width + intermediate elements a layer instead of 2 width + intermediate. The paper trains with "
             "Adafactor; here it is AdamW.",
    .count = "inputs*in+(1-inputs)*out",
    .traits = {PB_ADDITIVE, .identity = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .hooks = {.linear = linear},
    /* [1,in] of an input, [out,1] of an output. */
    .peft = PB_PEFT("IA3", PB_PEFT_TENSORS({"l", "ia3_l", "max(inputs, (1-inputs)*cols), max(1-inputs, inputs*cols)"}),
                    .input_option = "inputs"),
};
