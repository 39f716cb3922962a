/* low_rank: see low_rank.h. */
#include "model/low_rank.h"

pb_low_rank pb_low_rank_at(const void *settings, const pb_site *site)
{
    const pb_low_rank_settings *c = settings;
    int r = (int)pb_at_site(c->rank_pattern, site, c->rank);
    return (pb_low_rank){"A", "B", r, pb_at_site(c->alpha_pattern, site, c->alpha) / r, .additive = true};
}

pb_node *pb_low_rank_down(pb_build *b, const pb_site *site, int rank)
{
    return pb_added(b, site, "A", rank, site->in, pb_init_kaiming(site->in));
}

pb_node *pb_low_rank_up(pb_build *b, const pb_site *site, int rank)
{
    return pb_added(b, site, "B", site->out, rank, pb_init_constant(0));
}

pb_node *pb_low_rank_add(pb_build *b, const pb_site *site, pb_node *x, pb_node *A, pb_node *B, double scale)
{
    const pb_low_rank_settings *c = pb_conf(b);
    pb_node *h = pb_op_linear(b->graph, pb_drop(b, x, c->dropout), A, NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, B, scale);
}
