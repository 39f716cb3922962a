/* prompt: trained word embeddings in front of the text. */
#include "peftbench.h"

enum { POOL_FIRST, POOL_CLS };

typedef struct conf {
    int length, pool;
    double init;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, length, INT, "20", 1, 4096, "P, the number of soft tokens"),
    PB_OPTION(conf, pool, CHOICE, "cls", "first|cls",
              "what an encoder's head reads: the first row (a soft token, as in PEFT) or the text's [CLS]; the head of "
              "a decoder reads the last row"),
    PB_OPTION(conf, init, REAL, "0.05", 0, 10, "standard deviation at the start; word embeddings have about 0.05"),
    {0},
};

/* [P; x]: P [P,C] takes the first positions of every sequence. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (c->pool == POOL_CLS && b->head_row >= 0)
        b->head_row += c->length;
    pb_node *prompt = pb_added(b, NULL, "embed", c->length, b->width, pb_init_normal(c->init));
    return pb_op_prepend(b->graph, prompt, x);
}

static const pb_peft peft = {
    .type = "PROMPT_TUNING",
    .also = "P_TUNING",
    .layout = PB_PEFT_PROMPT,
    .tensors = (const pb_peft_tensor[]){{.ours = "embed", .theirs = "prompt_embeddings"}, {0}},
    .keys = (const pb_peft_key[]){{.key = "num_virtual_tokens", .option = "length"}, {0}},
    .loaded = (const pb_peft_tensor[]){{.ours = "pool", .theirs = "first"}, {0}},
    .fixed = "\"prompt_tuning_init\": \"RANDOM\"",
};

const pb_method pb_method_prompt = {
    .name = "prompt",
    .title = "Prompt tuning: trained input embeddings",
    .paper = "Lester et al. 2021, The power of scale for parameter-efficient prompt tuning, arXiv:2104.08691",
    .help = "Puts P trained embeddings in front of every text.",
    .count = "model: length*width",
    .deviation = "embed: init",
    .category = PB_ADDITIVE,
    .options = options,
    .conf_size = sizeof(conf),
    .size = "length",
    .embed = embed,
    .peft = &peft,
};
