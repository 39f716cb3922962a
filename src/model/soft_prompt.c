/* soft_prompt: see soft_prompt.h. */
#include "model/soft_prompt.h"

#include "model/bottleneck.h"

enum { FIRST, CLS }; /* pool */

pb_node *pb_soft_prompt_put(pb_build *b, pb_node *prompt, pb_node *x)
{
    const pb_soft_prompt_settings *c = pb_conf(b);
    if (c->pool == CLS && b->head_row >= 0)
        b->head_row += c->length;
    return pb_op_prepend(b->graph, prompt, x);
}

pb_node *pb_prefix_rows(pb_build *b, const pb_site *site, const char *name, int length, int hidden)
{
    pb_init wide = pb_init_kaiming(b->width), thin = pb_init_kaiming(hidden);
    pb_node *E = pb_added(b, NULL, "embed", length, b->width, pb_init_normal(1));
    pb_affine first = pb_affine_started(b, NULL, "mlp", hidden, b->width, wide, wide);
    pb_affine second = pb_affine_started(b, site, name, b->kv_width, hidden, thin, thin);
    return pb_affine_apply(b, second, pb_op_act(b->graph, PB_TANH, pb_affine_apply(b, first, E)));
}
