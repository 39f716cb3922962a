/* zero-shot: puts the text into a template and predicts the class whose verbalizer the decoder finds most probable.
 * Nothing trains; in a composition (lora+zero-shot) the other method learns to predict the verbalizers. */
#include "peftbench.h"

static const pb_option options[] = {PB_PROMPTING_OPTIONS, {0}};

const pb_method pb_method_zero_shot = {
    .name = "zero-shot",
    .title = "Zero-shot prompting",
    .paper = "Radford et al. 2019, Language models are unsupervised multitask learners",
    .help = "Puts the text into a template and predicts the class of the most probable verbalizer; nothing is trained.",
    .equation = "p(label | text)",
    .notes = "The paper's models have up to 1.5 billion parameters; a small model shows the procedure and its costs.",
    .traits = {PB_BASELINE, .identity = true},
    .settings = {options, sizeof(pb_prompting)},
    .hooks = {.select = pb_select_nothing, .prompt = pb_prompt_settings},
};
