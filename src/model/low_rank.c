/* low_rank: see low_rank.h. */
#include "model/low_rank.h"

#include <math.h>
#include <string.h>

static const pb_peft_tensor tensors[] = {PB_LOW_RANK_PEFT_TENSORS, {0}};
static const pb_peft_key keys[] = {PB_LOW_RANK_PEFT_KEYS, {0}};
const pb_peft pb_low_rank_peft = {
    .type = "LORA",
    .only_written = true,
    .tensors = tensors,
    .keys = keys,
    .fixed = "\"bias\": \"none\", \"init_lora_weights\": true",
};

pb_low_rank pb_low_rank_at(const void *settings, const pb_site *site)
{
    const pb_low_rank_settings *c = settings;
    int r = (int)pb_at_site(c->rank_pattern, site, c->rank);
    return (pb_low_rank){"A", "B", r, pb_at_site(c->alpha_pattern, site, c->alpha) / r, .additive = true};
}

int pb_low_rank_largest(pb_build *b)
{
    int most = 0;
    PB_EACH_TARGET(b, s) {
        int rank = pb_low_rank_at(pb_conf(b), s).rank;
        most = rank > most ? rank : most;
    }
    return most;
}

pb_node *pb_shared_part(pb_build *b, pb_node *whole, int rows, int cols)
{
    whole = whole && rows < whole->rows ? pb_op_rows(b->graph, whole, 0, rows) : whole;
    return whole && cols < whole->cols ? pb_op_columns(b->graph, whole, 0, cols) : whole;
}

void pb_shared_factors(pb_build *b, const pb_site *site, int rows, int rank, pb_node **A, pb_node **B)
{
    int in, out;
    pb_widest_target(b, &in, &out);
    *A = pb_shared_part(b, pb_seeded(b, NULL, "A", rows, in, pb_init_uniform(sqrt(6.0 / in))), rows, site->in);
    *B = pb_shared_part(b, pb_seeded(b, NULL, "B", out, rank, pb_init_uniform(sqrt(6.0 / rank))), site->out, rank);
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

/* ---- the change since the start ----------------------------------------------------------------------------- */

static pb_node *product(pb_build *b, pb_node *x, pb_node *A, pb_node *B)
{
    return pb_op_linear(b->graph, pb_op_linear(b->graph, x, A, NULL), B, NULL);
}

/* The two products are subtracted from each other before W x is added: (y + a) - a is not y. */
pb_node *pb_low_rank_add_change(pb_build *b, const pb_site *site, pb_node *x, pb_low_rank update)
{
    const pb_low_rank_settings *c = pb_conf(b);
    pb_node *A = pb_low_rank_down(b, site, update.rank), *B = pb_low_rank_up(b, site, update.rank);
    pb_node *A0 = pb_fixed(b, site, "A0", update.rank, site->in, pb_init_constant(0));
    pb_node *B0 = pb_fixed(b, site, "B0", site->out, update.rank, pb_init_constant(0));
    pb_node *dropped = pb_drop(b, x, c->dropout);
    pb_node *start = pb_op_times(b->graph, product(b, dropped, A0, B0), -1);
    pb_node *change = pb_op_add(b->graph, product(b, dropped, A, B), start);
    return pb_op_add(b->graph, pb_inner_linear(b, site, x), pb_op_times(b->graph, change, update.scale));
}

static void copy_tensor(pb_build *b, const pb_site *site, const char *from, const char *to)
{
    const pb_param *p = pb_tensor(b, site, from);
    memcpy(pb_tensor(b, site, to)->x, p->x, (size_t)p->rows * (size_t)p->cols * sizeof *p->x);
}

void pb_low_rank_keep_start(pb_build *b, const pb_site *site)
{
    copy_tensor(b, site, "A", "A0");
    copy_tensor(b, site, "B", "B0");
}
