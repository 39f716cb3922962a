/* method: names of categories, and hooks that several methods share. */
#include "model/method.h"

const char *const pb_category_name[] = {"baseline", "additive", "selective", "reparametrization", "hybrid"};

bool pb_select_nothing(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)p, (void)layers;
    return false;
}

bool pb_select_everything(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)p, (void)layers;
    return true;
}

unsigned pb_asks_inputs(const void *conf)
{
    (void)conf;
    return PB_ASK_INPUTS;
}

unsigned pb_asks_gradient(const void *conf)
{
    (void)conf;
    return PB_ASK_GRADIENT;
}

const pb_prompting *pb_prompt_settings(const void *conf)
{
    return conf;
}
