/* frod: W = U diag(l0) V^T, with one V [in,in] for a role in all layers and columns of U [out,in] of length 1, becomes
 * W' = U (diag(l) + S) V^T, with l [in] and S [in,in] trained, S at few places off its diagonal, the same in all
 * layers.  U = W V^-T diag(1 / l0), so that W' x = W (x + V^-T diag(1 / l0) (diag(l - l0) + S) V^T x) needs V alone. */
#include "peftbench.h"

PB_SETTINGS(REAL(rate, "0.01", 1e-9, 1, "the places of S / its elements"),
            REAL(ridge, "0.001", 0, 1e6, "alpha, added to the Gram matrices that V is made of"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The name of what all layers share of a role: "V.attn.q". */
static const char *named(pb_build *b, const char *what, const pb_site *site)
{
    return pb_name(b, "%s.%s", what, site->role);
}

static int places_at(const conf *c, const pb_site *site)
{
    double in = site->in, n = floor(c->rate * in * in);
    return (int)fmax(1, fmin(n, in * in - in));
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int in = site->in, k = places_at(c, site);
    pb_node *V = pb_fixed(b, NULL, named(b, "V", site), in, in, pb_init_constant(0));       /* V^T */
    pb_node *back = pb_fixed(b, NULL, named(b, "back", site), in, in, pb_init_constant(0)); /* V^-T */
    const int *places = pb_indices(b, NULL, named(b, "places", site), k, in * in);
    pb_node *l = pb_vector(b, site, "l", in, pb_init_constant(0)), *s = pb_vector(b, site, "s", k, pb_init_constant(0));
    pb_node *start = pb_fixed(b, site, "start", 1, in, pb_init_constant(0)); /* l0, and 1 / l0 or 0 */
    pb_node *inverse = pb_fixed(b, site, "inverse", 1, in, pb_init_constant(0));
    pb_node *z = pb_op_linear(g, x, V, NULL);
    pb_node *h = pb_op_scale(g, z, pb_op_add(g, l, pb_op_times(g, start, -1)));
    h = pb_op_scale(g, pb_op_sparse_add(g, h, z, s, places, 0), inverse);
    return pb_inner_linear(b, site, pb_op_add(g, x, pb_op_linear(g, h, back, NULL)));
}

/* ---- V ---------------------------------------------------------------------------------------------------------- */

/* The weights of a role, one layer below the other: w [layers*out,in]. */
typedef struct stack {
    int in, out, layers;
    pb_real *w;
} stack;

static stack stack_of(pb_build *b, const pb_site *first)
{
    stack k = {.in = first->in, .out = first->out, .layers = pb_count_targets(b, first->role)};
    k.w = pb_alloc((size_t)k.layers * (size_t)k.out * (size_t)k.in * sizeof *k.w);
    pb_real *w = k.w;
    for (const pb_site *s = first; s; s = pb_next_target(b, s))
        if (!strcmp(s->role, first->role)) {
            pb_param_values(s->w, 0, s->out, 0, s->in, w);
            w += s->out * s->in;
        }
    return k;
}

/* Adds x^T x + ridge I to gram [n,n]; x [rows,n]. */
static void add_gram(const pb_real *x, int rows, int n, double ridge, pb_real *gram)
{
    pb_real *turned = pb_alloc((size_t)rows * (size_t)n * sizeof *turned);
    pb_transpose(x, rows, n, turned);
    pb_add_product(gram, n, n, 1, turned, x, rows);
    for (int i = 0; i < n; i++)
        gram[i * n + i] += (pb_real)ridge;
    free(turned);
}

/* Sets x [n,n] to the inverse of a [n,n]. */
static int invert(const pb_real *a, int n, pb_real *x)
{
    memset(x, 0, (size_t)n * (size_t)n * sizeof *x);
    for (int i = 0; i < n; i++)
        x[i * n + i] = 1;
    return pb_solve(a, n, x, n);
}

/* Adds the mean over the layers of (Q_i^T Q_i + ridge I)^-1 to mean [n,n]; work [2*n*n]. */
static int add_inverses(const stack *k, const pb_real *q, double ridge, pb_real *mean, pb_real *work)
{
    int n = k->in, bad = 0;
    pb_real *gram = work, *inverse = work + n * n;
    for (int i = 0; i < k->layers && !bad; i++) {
        memset(gram, 0, (size_t)n * (size_t)n * sizeof *gram);
        add_gram(q + i * k->out * n, k->out, n, ridge, gram);
        bad = invert(gram, n, inverse);
        for (int j = 0; j < n * n && !bad; j++)
            mean[j] += inverse[j] / (pb_real)k->layers;
    }
    return bad;
}

/* The joint decomposition of the layers [W_1; ..; W_L] = [Q_1; ..; Q_L] R: V = R^T E, where the columns of E are the
 * eigenvectors of the mean of (Q_i^T Q_i + ridge I)^-1.  With fewer rows than columns V holds the right singular
 * vectors of all layers together.  Sets V [in,in] to its transpose. */
static int decompose(const stack *k, double ridge, pb_real *V)
{
    size_t n = (size_t)k->in, rows = (size_t)k->layers * (size_t)k->out;
    pb_real *q = pb_alloc((rows * n + 5 * n * n + n) * sizeof *q), *R = q + rows * n, *mean = R + n * n;
    pb_real *E = mean + n * n, *work = E + n * n, *values = work + 2 * n * n;
    int bad;
    if (rows < n) {
        add_gram(k->w, (int)rows, k->in, 0, mean);
        bad = pb_eigen(mean, k->in, values, V);
    } else {
        bad = pb_qr(k->w, (int)rows, k->in, q, R) || add_inverses(k, q, ridge, mean, work) ||
              pb_eigen(mean, k->in, values, E);
        memset(V, 0, n * n * sizeof *V);
        if (!bad)
            pb_add_product(V, k->in, k->in, 1, E, R, k->in);
    }
    free(q);
    return bad ? -1 : 0;
}

/* ---- the start -------------------------------------------------------------------------------------------------- */

/* Random places off the diagonal, in ascending order. */
static void choose_places(pb_build *b, const pb_site *site)
{
    const char *name = named(b, "places", site);
    pb_param *places = pb_tensor(b, NULL, name);
    int in = site->in;
    pb_random_places(in * (in - 1), places->cols, pb_seed(b, NULL, name), places->index);
    for (int i = 0; in > 1 && i < places->cols; i++) {
        int row = places->index[i] / (in - 1), col = places->index[i] % (in - 1);
        places->index[i] = row * in + col + (col >= row);
    }
}

/* l0 are the lengths of the columns of W V^-T. */
static void start_site(pb_build *b, const pb_site *site, const pb_real *back)
{
    pb_param *l = pb_tensor(b, site, "l"), *start = pb_tensor(b, site, "start"),
             *inverse = pb_tensor(b, site, "inverse");
    pb_real *w = pb_weight_values(site), *u = pb_alloc((size_t)site->out * (size_t)site->in * sizeof *u);
    pb_add_product(u, site->out, site->in, 1, w, back, site->in);
    for (int j = 0; j < site->in; j++) {
        double sum = 0;
        for (int i = 0; i < site->out; i++)
            sum += (double)u[i * site->in + j] * (double)u[i * site->in + j];
        l->x[j] = start->x[j] = (pb_real)sqrt(sum);
        inverse->x[j] = sum > 1e-12 ? (pb_real)(1 / sqrt(sum)) : 0;
    }
    free(u);
    free(w);
}

static bool is_first(pb_build *b, const pb_site *site)
{
    const pb_site *s = pb_next_target(b, NULL);
    while (strcmp(s->role, site->role) != 0)
        s = pb_next_target(b, s);
    return s == site;
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    PB_EACH_TARGET(b, site) {
        pb_real *back = pb_tensor(b, NULL, named(b, "back", site))->x;
        if (is_first(b, site)) {
            stack layers = stack_of(b, site);
            pb_param *V = pb_tensor(b, NULL, named(b, "V", site));
            int bad = decompose(&layers, c->ridge, V->x) || invert(V->x, site->in, back);
            free(layers.w);
            if (bad)
                return;
            choose_places(b, site);
        }
        start_site(b, site, back);
    }
}

const pb_method pb_method_frod = {
    .name = "frod",
    .title = "FRoD: one basis for a role in all layers, and sparse rotations in it",
    .paper = "Wan et al. 2025, FRoD: full-rank efficient fine-tuning with rotational degrees, arXiv:2512.23485",
    .help =
        "Decomposes the weights of all layers jointly, and trains their scales and a sparse matrix between the parts.",
    .equation = "W = U diag(l0) V^T; y = U (diag(l) + S) V^T x, V is that of all layers, S is sparse",
    .notes =
        "V is made as in PEFT, which computes in 32 bits; the order of its columns is open, and the places of S are "
        "drawn by this program's generator. PEFT keeps a dense U for each projection; here W V^-T takes its place, so "
        "that V and its inverse are kept for each role, and the first outputs are those of the base to the bit. Both "
        "have in * in elements, as many as a square W, and are in the artifact: a method of few trained numbers and of "
        "no small memory. Where V is nearly singular its inverse enlarges rounding. Adapters of PEFT are not read. "
        "That training converges as fast as full fine-tuning is a claim about larger models.",
    .count = "in+max(1, min(floor(rate*in*in), in*in-in))",
    .deviation = "s: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rate"},
    .hooks = {.linear = linear, .start = start},
};
