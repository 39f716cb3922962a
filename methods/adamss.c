/* adamss: with [W b] = U S V of the r largest singular values, the rows of U are parted into K clusters, and so are
 * those of W: the rows of W in cluster c change by B_c A_c V, with A_c [q,r] and B_c of q columns trained.  The rows of
 * all B_c are those of B [out,q], and A [K*q,r] holds A_1 to A_K, one below the other. */
#include "peftbench.h"

enum { ITERATIONS = 10 }; /* of K-means, as in the authors' code */

PB_SETTINGS(INT(rank, "100", 1, 4096, "r, the singular values that are used, or all if there are fewer"),
            INT(subspaces, "5", 1, 4096, "K, the clusters of the rows of U"),
            INT(subspace_rank, "1", 1, 4096, "q, the rank of the update of each cluster"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static int rank_at(const conf *c, const pb_site *site)
{
    return pb_min(c->rank, pb_min(site->in, site->out));
}

/* Row i of B [out,q] in the columns of its cluster, [out,K*q]. */
static pb_node *spread(pb_build *b, const pb_site *site, pb_node *B)
{
    const conf *c = pb_conf(b);
    int q = c->subspace_rank, cols = c->subspaces * q;
    const int *cluster = pb_indices(b, site, "cluster", site->out, site->out);
    int *index = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)site->out * (size_t)cols * sizeof *index);
    for (int i = 0; i < site->out; i++)
        for (int j = 0; j < cols; j++)
            index[i * cols + j] = j / q == cluster[i] % c->subspaces ? i * q + j % q : -1;
    return pb_op_gather(b->graph, pb_op_reshape(b->graph, B, 1, site->out * q), index, NULL, site->out, cols);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int r = rank_at(c, site), q = c->subspace_rank;
    if (c->subspaces > site->out || q > r)
        return pb_refuse("adamss: subspaces=%d, subspace_rank=%d: want at most %d and %d at %s", c->subspaces, q,
                         site->out, r, site->role);
    pb_node *V = pb_fixed(b, site, "V", r, site->in, pb_init_constant(0));
    pb_node *v = site->b ? pb_fixed(b, site, "v", 1, r, pb_init_constant(0)) : NULL; /* the column of the bias */
    pb_node *A = pb_added(b, site, "A", c->subspaces * q, r, pb_init_constant(0));
    pb_node *B = pb_added(b, site, "B", site->out, q, pb_init_constant(0));
    pb_node *h = pb_op_linear(g, pb_op_linear(g, x, V, v), A, NULL);
    return pb_op_linear_add(g, pb_inner_linear(b, site, x), h, spread(b, site, B), 1);
}

/* ---- the start -------------------------------------------------------------------------------------------------- */

/* [W b] with the bias as its last column, if there is one. */
static int decompose(pb_singular *d, const pb_site *site)
{
    int cols = site->in + (site->b != NULL);
    pb_real *w = pb_weight_values(site), *both = pb_alloc((size_t)site->out * (size_t)cols * sizeof *both);
    for (int i = 0; i < site->out; i++) {
        memcpy(both + i * cols, w + i * site->in, (size_t)site->in * sizeof *w);
        if (site->b)
            both[i * cols + site->in] = site->b->x[i];
    }
    int rc = pb_singular_of(d, both, site->out, cols);
    free(both);
    free(w);
    return rc;
}

/* Sets V [r,in] and v [1,r] to the r right singular vectors, whose last element is in v. */
static void keep_right(pb_build *b, const pb_site *site, const pb_singular *d, int r)
{
    pb_param *V = pb_tensor(b, site, "V");
    for (int i = 0; i < r; i++) {
        memcpy(V->x + i * site->in, d->vt + i * d->in, (size_t)site->in * sizeof *V->x);
        if (site->b)
            pb_tensor(b, site, "v")->x[i] = d->vt[i * d->in + site->in];
    }
}

/* The first right singular vectors of the rows of x [n,r] in a cluster become A_c [q,r]. */
static void start_cluster(const pb_real *x, int n, int r, const int *cluster, int c, int q, pb_real *A)
{
    pb_real *rows = pb_alloc((size_t)n * (size_t)r * sizeof *rows);
    int size = 0;
    for (int i = 0; i < n; i++)
        if (cluster[i] == c)
            memcpy(rows + size++ * r, x + i * r, (size_t)r * sizeof *rows);
    pb_singular d;
    if (!pb_singular_of(&d, rows, size, r))
        memcpy(A, d.vt, (size_t)pb_min(q, d.k) * (size_t)r * sizeof *A);
    pb_singular_free(&d);
    free(rows);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    PB_EACH_TARGET(b, site) {
        int r = rank_at(c, site), q = c->subspace_rank, *cluster = pb_tensor(b, site, "cluster")->index;
        pb_param U = {.rows = site->out, .cols = r, .x = pb_alloc((size_t)site->out * (size_t)r * sizeof *U.x)};
        pb_singular d;
        if (!decompose(&d, site)) {
            pb_singular_left(&d, 0, 1, 0, &U);
            keep_right(b, site, &d, r);
            pb_cluster_rows(U.x, site->out, r, c->subspaces, ITERATIONS, pb_seed(b, site, "cluster"), cluster);
            for (int k = 0; k < c->subspaces; k++)
                start_cluster(U.x, site->out, r, cluster, k, q, pb_tensor(b, site, "A")->x + k * q * r);
        }
        pb_singular_free(&d);
        free(U.x);
    }
}

const pb_method pb_method_adamss = {
    .name = "adamss",
    .title = "AdaMSS: updates of clusters of the weight's rows",
    .paper = "Zheng et al. 2025, AdaMSS: adaptive multi-subspace approach, NeurIPS, openreview 8ZdWmpYxT0",
    .help = "Parts the rows of each weight into clusters of similar singular vectors, and trains a low-rank update of "
            "each cluster in the space of the weight's own right singular vectors.",
    .equation = "y_c = W_c x + b_c + B_c A_c V [x; 1], [W b] = U S V, c a cluster of the rows of U",
    .notes = "The clusters are those of K-means after ten iterations from random rows, as in the authors' code and "
             "PEFT, by this program's random numbers. A_c starts with the right singular vectors of the rows of U in "
             "the cluster, as in both, which find them by a random algorithm; here the decompositions are exact. With "
             "one cluster 20 steps from one start equal those of PEFT. The defaults are PEFT's; the authors use up to "
             "10 clusters of rank 3. The paper's reduction of the clusters while training (ASA), which PEFT leaves off "
             "by default, is not here. B is multiplied as [out, K*q] with zeros between the clusters. Adapters of PEFT "
             "are not read: their tensors are as many and as large as the clusters of the base turn out.",
    .count = "r = min(rank, min(in, out)); subspace_rank*(subspaces*r+out)",
    .deviation = "B: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .ranks = true, .merges = true},
    .settings = {options, sizeof(conf), "subspace_rank"},
    .hooks = {.linear = linear, .start = start},
};
