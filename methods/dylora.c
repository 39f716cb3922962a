/* dylora: LoRA of which each training step uses the first b of r rows of A and columns of B, h = W x + alpha/b * B_b
 * A_b x, where b is drawn from 1 .. r for the whole model.  The trained update may then be cut to any rank; it is used
 * whole here. */
#include "peftbench.h"

PB_SETTINGS(LOW_RANK("attn.q attn.v attn.qkv"),
            BOOL(frozen, "no", "a step trains row and column b only, and not those before them"));

/* Returns b of this graph, the same at all sites; 0 where nothing is drawn, and the whole update counts. */
static int drawn_rank(pb_build *b)
{
    struct {
        bool known;
        int rank;
    } *memo = pb_memo(b, sizeof *memo);
    if (!memo->known)
        memo->rank = pb_draw(b, pb_low_rank_largest(b)) + 1;
    memo->known = true;
    return memo->rank;
}

/* y + scale * B A x for `count` rows of A and columns of B, from number `first` on. */
static pb_node *add_part(pb_graph *g, pb_node *y, pb_node *x, pb_node *A, pb_node *B, int first, int count,
                         double scale, bool stop)
{
    pb_node *down = pb_op_rows(g, A, first, count), *up = pb_op_columns(g, B, first, count);
    if (stop) {
        down = pb_op_stop(g, down);
        up = pb_op_stop(g, up);
    }
    return pb_op_linear_add(g, y, pb_op_linear(g, x, down, NULL), up, scale);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = pb_low_rank_at(c, site);
    int drawn = drawn_rank(b), rank = drawn && drawn < u.rank ? drawn : u.rank;
    double scale = u.scale * u.rank / rank;
    bool alone = c->frozen && drawn;
    pb_node *A = pb_low_rank_down(b, site, u.rank), *B = pb_low_rank_up(b, site, u.rank);
    if (!alone && rank == u.rank)
        return pb_low_rank_add(b, site, x, A, B, u.scale);
    pb_node *y = pb_inner_linear(b, site, x), *dropped = pb_drop(b, x, c->update.dropout);
    if (!alone)
        return add_part(b->graph, y, dropped, A, B, 0, rank, scale, false);
    if (rank > 1)
        y = add_part(b->graph, y, dropped, A, B, 0, rank - 1, scale, true);
    return add_part(b->graph, y, dropped, A, B, rank - 1, 1, scale, false);
}

const pb_method pb_method_dylora = {
    .name = "dylora",
    .title = "DyLoRA: LoRA that is trained for all ranks at once",
    .paper = "Valipour et al. 2022, DyLoRA, arXiv:2210.07558",
    .help = "Draws a rank in each training step and trains that many rows of A and columns of B.",
    .equation = "y = W x + alpha/b * B[:,1..b] A[1..b,:] x, b drawn from 1..rank in each step",
    .notes = "b is uniform, and the same for all projections in a step; a projection with a smaller rank of its own "
             "takes at most that. Rows that a step does not use have a gradient of zero, and AdamW still moves them by "
             "its averages, as in the authors' code. Scores are those of the full rank; the ranks below it, for which "
             "the paper is meant, are not scored.",
    .count = "rank*(in+out)",
    .deviation = "A: 1/sqrt(3*in); B: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear, .low_rank = pb_low_rank_at},
    .peft = &pb_low_rank_peft,
};
