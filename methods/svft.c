/* svft: h = W x + U M V^T x with all singular vectors of W = U S V^T, which stay: B [out,k] holds U and A [k,in] holds
 * V^T.  M [k,k] trains on its diagonal (plain), on a band about it, at random places, or at those where the singular
 * vectors are most alike (top).
 *
 * With relu = yes, W becomes U diag(relu(S + delta)) V^T, as in SVDiff: M = diag(relu(S + delta) - S). */
#include "peftbench.h"

enum { PLAIN, BANDED, RANDOM, TOP };

PB_SETTINGS(CHOICE(pattern, "plain", "plain|banded|random|top", "the places of M that train"),
            INT(band, "2", 1, 4096,
                "d, the diagonals of M above and below the main one; random and top have as many places as this band"),
            INT(rank, "0", 0, 65536, "k, the largest singular values that are used; 0: all"),
            BOOL(relu, "no", "keep the singular values from becoming negative (SVDiff); with plain only"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static int values_of(const conf *c, const pb_site *site)
{
    return c->rank ? c->rank : site->in < site->out ? site->in : site->out;
}

/* The places of a band: (2d + 1) k - d (d + 1). */
static int places_of(const conf *c, int k)
{
    return c->pattern == PLAIN ? k : (2 * c->band + 1) * k - c->band * (c->band + 1);
}

static int check(pb_build *b, const pb_site *site, int k)
{
    const conf *c = pb_conf(b);
    if (pb_rank_fits(b, site, k))
        return -1;
    if (c->relu && c->pattern != PLAIN)
        return pb_error("svft: relu: want the pattern plain");
    if (c->pattern != PLAIN && c->band >= k)
        return pb_error("svft: band: want less than the %d singular values of %s, got %d", k, site->role, c->band);
    if (c->pattern == TOP && site->in != site->out)
        return pb_error(
            "svft: pattern: top compares left and right singular vectors, want a square projection; %s is [%d,%d]",
            site->role, site->out, site->in);
    return 0;
}

/* M h;  h [T,k] */
static pb_node *apply(pb_build *b, const pb_site *site, pb_node *h, int k)
{
    const conf *c = pb_conf(b);
    int n = places_of(c, k);
    pb_node *values = pb_vector(b, site, "M", n, pb_init_constant(0));
    if (c->pattern != PLAIN) {
        const int *places = pb_indices(b, site, "places", n, k * k);
        return pb_op_sparse_add(b->graph, pb_op_times(b->graph, h, 0), h, values, places, 0);
    }
    if (!c->relu)
        return pb_op_scale(b->graph, h, values);
    pb_node *s = pb_fixed(b, site, "S", 1, k, pb_init_constant(0));
    pb_node *kept = pb_op_act(b->graph, PB_RELU, pb_op_add(b->graph, s, values));
    return pb_op_scale(b->graph, h, pb_op_add(b->graph, kept, pb_op_times(b->graph, s, -1)));
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    int k = values_of(pb_conf(b), site);
    if (check(b, site, k))
        return NULL;
    pb_node *A = pb_fixed(b, site, "A", k, site->in, pb_init_constant(0));
    pb_node *B = pb_fixed(b, site, "B", site->out, k, pb_init_constant(0));
    pb_node *h = pb_op_linear(b->graph, x, A, NULL);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), apply(b, site, h, k), B, 1);
}

static void choose_band(int k, int band, int *place)
{
    for (int i = 0; i < k; i++)
        for (int j = i > band ? i - band : 0; j < k && j <= i + band; j++)
            *place++ = i * k + j;
}

/* |u_i . v_j|, whose largest ones are chosen; u is [n,k] with vectors as columns, vt is [k,n]. */
static void choose_top(const pb_singular *w, int k, pb_param *places)
{
    pb_top top = {
        .keep = places->cols, .value = pb_alloc((size_t)places->cols * sizeof(pb_real)), .place = places->index};
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++) {
            double sum = 0;
            for (int q = 0; q < w->in; q++)
                sum += (double)w->u[q * w->k + i] * (double)w->vt[j * w->in + q];
            pb_top_offer(&top, (pb_real)fabs(sum), i * k + j);
        }
    pb_top_sort(&top);
    free(top.value);
}

static void choose(pb_build *b, const pb_site *site, const pb_singular *w, int k)
{
    const conf *c = pb_conf(b);
    pb_param *places = pb_tensor(b, site, "places");
    if (c->pattern == BANDED)
        choose_band(k, c->band, places->index);
    else if (c->pattern == RANDOM)
        pb_random_places(places->below, places->cols, pb_seed(b, site, "places"), places->index);
    else
        choose_top(w, k, places);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    PB_EACH_TARGET(b, site) {
        int k = values_of(c, site);
        pb_singular w;
        if (!pb_singular_of_weight(&w, site)) {
            pb_singular_left(&w, 0, 1, 0, pb_tensor(b, site, "B"));
            pb_singular_right(&w, 0, 1, 0, pb_tensor(b, site, "A"));
            for (int i = 0; i < k && c->relu; i++)
                pb_tensor(b, site, "S")->x[i] = w.s[i];
            if (c->pattern != PLAIN)
                choose(b, site, &w, k);
        }
        pb_singular_free(&w);
    }
}

const pb_method pb_method_svft = {
    .name = "svft",
    .title = "SVFT: a sparse matrix between all singular vectors",
    .paper = "Lingam et al. 2024, SVFT: parameter-efficient fine-tuning with singular vectors, arXiv:2405.19597",
    .help = "Trains chosen elements of a matrix between the fixed singular vectors of each weight.",
    .equation = "y = W x + U M V^T x, W = U S V^T",
    .notes = "M starts as zero and has no gate: the authors' code starts it at random and multiplies it by the sigmoid "
             "of one more trained number. Random places are distinct. top takes the largest |u_i . v_j|, as the signs "
             "of singular vectors are arbitrary, and is refused where W is not square. U and V^T do not train, but "
             "each artifact holds them: about twice the weights that are adapted.",
    .count = "k = rank+(rank==0)*min(in,out); (pattern==0)*k+(pattern>0)*((2*band+1)*k-band*(band+1))",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .presets = PB_PRESETS(
        {"svdiff", "SVDiff: the singular values train",
         "Han et al. 2023, SVDiff: compact parameter space for diffusion fine-tuning, arXiv:2303.11305", "relu=yes",
         "The paper adapts the convolutions and projections of image models, by their weights as matrices."}),
    .hooks = {.linear = linear, .start = start},
};
