/* bottleneck: see bottleneck.h. */
#include "model/bottleneck.h"

enum { NAME = 64 };

pb_affine pb_affine_added(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init)
{
    char weight[NAME], bias[NAME];
    PB_CHECK(snprintf(weight, NAME, "%s.weight", name) < NAME);
    snprintf(bias, NAME, "%s.bias", name);
    pb_node *w = pb_added(b, site, weight, rows, cols, init);
    return (pb_affine){w, pb_vector(b, site, bias, rows, pb_init_constant(0))};
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
    pb_graph *g = b->graph;
    pb_node *h = pb_op_act(g, (pb_act)c->act, pb_op_linear(g, x, down.weight, down.bias));
    return pb_op_linear(g, h, up.weight, up.bias);
}
