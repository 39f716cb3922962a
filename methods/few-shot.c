/* few-shot: zero-shot behind k solved examples of the training split. */
#include "peftbench.h"

static const pb_option options[] = {
    {.name = "shots",
     .type = PB_INT,
     .offset = offsetof(pb_prompting, shots),
     .preset = "4",
     .min = 1,
     .max = 100000,
     .help = "k, drawn by the seed, as many of each class as possible; those without room are dropped and counted"},
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

static bool trains(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)p, (void)layers;
    return false;
}

const pb_method pb_method_few_shot = {
    .name = "few-shot",
    .title = "Few-shot prompting (in-context learning)",
    .paper = "Brown et al. 2020, Language models are few-shot learners, arXiv:2005.14165",
    .help = "Shows k training examples with their answers in front of the text; nothing is trained.",
    .taxon = PB_BASELINE,
    .identity = true,
    .options = options,
    .conf_size = sizeof(pb_prompting),
    .select = trains,
    .prompt = prompt,
};
