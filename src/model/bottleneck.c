/* bottleneck: see bottleneck.h. */
#include "model/bottleneck.h"

enum { NAME = 64 };

pb_affine pb_affine_started(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init,
                            pb_init start)
{
    char weight[NAME], bias[NAME];
    PB_CHECK(snprintf(weight, NAME, "%s.weight", name) < NAME);
    snprintf(bias, NAME, "%s.bias", name);
    pb_node *w = pb_added(b, site, weight, rows, cols, init);
    return (pb_affine){w, pb_vector(b, site, bias, rows, start)};
}

pb_affine pb_affine_added(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init)
{
    return pb_affine_started(b, site, name, rows, cols, init, pb_init_constant(0));
}

pb_node *pb_affine_apply(pb_build *b, pb_affine map, pb_node *x)
{
    return pb_op_linear(b->graph, x, map.weight, map.bias);
}

bool pb_bottleneck_selects(bool norms, const pb_param *p, int layers)
{
    bool norm = p->kind == PB_NORM_GAIN || p->kind == PB_NORM_BIAS;
    return p->kind == PB_HEAD || (norms && norm && p->layer >= 0 && p->layer < layers);
}

pb_affine pb_bottleneck_down(pb_build *b, const pb_site *site, const char *name)
{
    const pb_bottleneck_settings *c = pb_conf(b);
    return pb_affine_added(b, site, name, c->bottleneck, site->in, pb_init_normal(c->init));
}

pb_affine pb_bottleneck_up(pb_build *b, const pb_site *site, const char *name)
{
    const pb_bottleneck_settings *c = pb_conf(b);
    return pb_affine_added(b, site, name, site->out, c->bottleneck, pb_init_constant(0));
}

pb_node *pb_bottleneck_apply(pb_build *b, pb_affine down, pb_affine up, pb_node *x)
{
    const pb_bottleneck_settings *c = pb_conf(b);
    return pb_affine_apply(b, up, pb_op_act(b->graph, (pb_act)c->act, pb_affine_apply(b, down, x)));
}
