/* lt-sft: W + S, where S [out,in] trains whole in a first phase.  Then the elements of all S that have moved the most
 * are kept, S begins at 0 again, and in the second phase only those elements train: a lottery ticket. */
#include "peftbench.h"

PB_SETTINGS(REAL(share, "0.01", 1e-9, 1, "the share of the elements that the second phase trains"),
            REAL(phase, "0.5", 0.01, 0.99, "the share of the steps that are the first phase"),
            TEXT(targets, "attn.* mlp.*", "projections to adapt"));

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    pb_state(b, site, "mask", site->out * site->in);
    return pb_op_add(b->graph, w, pb_added(b, site, "S", site->out, site->in, pb_init_constant(0)));
}

static void before_step(pb_build *b, const pb_step *at)
{
    const conf *c = pb_conf(b);
    if (at->step >= pb_first_phase(c->phase, at))
        pb_mask_gradients(b, "S", "mask");
}

static void after_step(pb_build *b, const pb_step *at)
{
    const conf *c = pb_conf(b);
    if (pb_first_phase_ends(b, c->phase, at)) {
        pb_mark_largest(b, "S", c->share, "mask");
        pb_rewind(b, "S");
    }
}

const pb_method pb_method_lt_sft = {
    .name = "lt-sft",
    .title = "LT-SFT: a lottery ticket of the weights that fine-tuning moves most",
    .paper = "Ansell et al. 2022, Composable sparse fine-tuning for cross-lingual transfer, arXiv:2110.07560",
    .help = "Trains all weights, keeps the places that moved most, rewinds, and trains only those.",
    .equation = "W + S, where S is 0 outside of the share of places with the largest |S| after the first phase",
    .notes = "The change of a weight is a tensor of its own, so that weight decay pulls the weight to where it "
             "started; it is counted whole, although all but the share of it is 0; the artifact stores that share and "
             "its places. The authors' code masks embeddings and biases too, which are frozen here as the norms are in "
             "their scripts; here the head trains on. Their learning rate begins anew with the second phase, as "
             "AdamW's moments do here, and an epoch of the first phase is never selected. Their scripts keep 14 155 "
             "776 parameters of multilingual encoders of base size; the default share here is 1 %. The paper composes "
             "such differences over languages and tasks, which is not here.",
    .count = "in*out",
    .deviation = "S: 0",
    .traits = {PB_SELECTIVE, .identity = true, .ranks = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .hooks = {.weight = weight, .before_step = before_step, .after_step = after_step},
};
