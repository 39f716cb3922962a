/* few-shot: zero-shot prompting with k labelled training examples in front of the text. */
#include "peftbench.h"

static const pb_option options[] = {
    PB_OPTION(
        pb_prompting, shots, INT, "4", 1, 100000,
        "k examples, drawn by the seed and balanced over the classes; those that do not fit are dropped and counted"),
    PB_PROMPTING_OPTIONS,
    {0},
};

const pb_method pb_method_few_shot = {
    .name = "few-shot",
    .title = "Few-shot prompting (in-context learning)",
    .paper = "Brown et al. 2020, Language models are few-shot learners, arXiv:2005.14165",
    .help = "Shows k training examples with their answers in front of the text; nothing is trained.",
    .equation = "p(label | k examples, text)",
    .notes = "The gains that the paper shows are those of a model of 175 billion parameters; a small model shows the "
             "procedure and its costs.",
    .traits = {PB_BASELINE, .identity = true},
    .settings = {options, sizeof(pb_prompting)},
    .hooks = {.select = pb_select_nothing, .prompt = pb_prompt_settings},
};
