/* zero-shot: the text in a template; the class whose word the decoder finds likeliest. */
#include "peftbench.h"

static const pb_option options[] = {
    {.name = "template",
     .type = PB_TEXT,
     .offset = offsetof(pb_prompting, template),
     .preset = "",
     .help = "a file with {text} and {label}; empty: the task's"},
    {.name = "normalize",
     .type = PB_BOOL,
     .offset = offsetof(pb_prompting, normalize),
     .preset = "yes",
     .help = "divide a word's log-probability by its tokens"},
    {.name = "calibrate",
     .type = PB_BOOL,
     .offset = offsetof(pb_prompting, calibrate),
     .preset = "no",
     .help = "divide by the probabilities behind texts without content (Zhao et al. 2021, arXiv:2102.09690)"},
    {.name = "chat",
     .type = PB_TEXT,
     .offset = offsetof(pb_prompting, chat),
     .preset = "none",
     .help = "of a model that was trained to answer: its format by name, or auto; the template is the user's text"},
    {0},
};

static const pb_prompting *prompt(const void *conf)
{
    return conf;
}

/* In words nothing trains by itself; composed with another method (lora+zero-shot), the words are learned. */
static bool trains(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)p, (void)layers;
    return false;
}

const pb_method pb_method_zero_shot = {
    .name = "zero-shot",
    .title = "Zero-shot prompting",
    .paper = "Radford et al. 2019, Language models are unsupervised multitask learners",
    .help = "Writes the text into a template and asks the decoder which class's word comes next; nothing is trained.",
    .taxon = PB_BASELINE,
    .identity = true,
    .options = options,
    .conf_size = sizeof(pb_prompting),
    .select = trains,
    .prompt = prompt,
};
