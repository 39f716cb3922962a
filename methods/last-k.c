/* last-k: the top of the network trains, the bottom is frozen. */
#include "peftbench.h"

PB_SETTINGS(INT(k, "1", 1, 1000, "the number of layers that train"));

/* The pooler and the head train as well; the embeddings do not. */
static bool trains(const void *settings, const pb_param *p, int layers)
{
    const conf *c = settings;
    bool top = p->layer < 0 && strncmp(p->name, "embed.", 6) != 0;
    return top || (p->layer >= 0 && p->layer >= layers - c->k);
}

const pb_method pb_method_last_k = {
    .name = "last-k",
    .title = "The last k layers",
    .paper = "Lee et al. 2019, What would Elsa do? Freezing layers during transformer fine-tuning, arXiv:1911.03090",
    .help = "Trains the last k layers, the pooler and the head.",
    .equation = "W of the last k layers trains",
    .notes = "The paper finds that training a fourth of the layers reaches 90 % of the quality of full fine-tuning; "
             "here the default is one layer.",
    .traits = {PB_SELECTIVE, .identity = true},
    .settings = {options, sizeof(conf), "k"},
    .hooks = {.select = trains},
};
