/* sites: the sites of a network by their numbers. */
#include "model/internal.h"

int pb_model_sites(const pb_model *m)
{
    return m->config.layers * (SITES + BLOCKS);
}

const pb_site *pb_model_site(const pb_model *m, int i)
{
    const pb_layer *l = &m->layer[i / (SITES + BLOCKS)];
    int k = i % (SITES + BLOCKS);
    return k < SITES ? &l->site[k] : &l->block[k - SITES];
}

bool pb_model_targets(const pb_model *m, int part, const pb_site *site)
{
    return site->number < 0 || m->matches[part * pb_model_sites(m) + site->number];
}
