/* osf: W' = U_h S_h V_h + U diag(s) V: the large singular values of W = U_h S_h V_h + U0 S0 V0 and their vectors stay,
 * and the k small ones train, from their own values: U [out,k], s [1,k] and V [k,in].  The gradient of U is made
 * orthogonal to the columns of U_h, and that of V to the rows of V_h. */
#include "peftbench.h"

PB_SETTINGS(REAL(share, "0.5", 0.001, 1, "k / the smaller side of W, rounded up"),
            TEXT(targets, "attn.* mlp.*", "projections to adapt"));

static int smaller_side(const pb_site *site)
{
    return site->in < site->out ? site->in : site->out;
}

/* k: what stays is a whole number of vectors, as PEFT counts them, and the rest trains. */
static int trained(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    double rounding = 1e-9, all = smaller_side(site); /* of 1 - share */
    return (int)(all - floor((1 - c->share) * all + rounding));
}

static pb_node *product(pb_build *b, pb_node *x, pb_node *U, pb_node *s, pb_node *V)
{
    return pb_op_linear(b->graph, pb_op_scale(b->graph, pb_op_linear(b->graph, x, V, NULL), s), U, NULL);
}

/* W x + (U diag(s) V - U0 diag(s0) V0) x: W as a whole stays where it is. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_init zero = pb_init_constant(0);
    int k = trained(b, site), kept = smaller_side(site) - k;
    pb_node *U = pb_added(b, site, "U", site->out, k, zero), *U0 = pb_fixed(b, site, "start.U", site->out, k, zero);
    pb_node *s = pb_vector(b, site, "s", k, zero), *s0 = pb_fixed(b, site, "start.s", 1, k, zero);
    pb_node *V = pb_added(b, site, "V", k, site->in, zero), *V0 = pb_fixed(b, site, "start.V", k, site->in, zero);
    if (kept && site->out > site->in)
        pb_fixed(b, site, "kept.U", site->out, kept, zero);
    if (kept && site->in > site->out)
        pb_fixed(b, site, "kept.V", kept, site->in, zero);
    pb_node *start = pb_op_times(b->graph, product(b, x, U0, s0, V0), -1);
    pb_node *change = pb_op_add(b->graph, product(b, x, U, s, V), start);
    return pb_op_add(b->graph, pb_inner_linear(b, site, x), change);
}

static void copy_tensor(pb_build *b, const pb_site *site, const char *from, const char *to)
{
    const pb_param *p = pb_tensor(b, site, from);
    memcpy(pb_tensor(b, site, to)->x, p->x, pb_param_elements(p) * sizeof *p->x);
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    PB_EACH_TARGET(b, site) {
        pb_param *U = pb_tensor(b, site, "U"), *V = pb_tensor(b, site, "V");
        pb_singular w;
        int kept = smaller_side(site) - U->cols;
        if (!pb_singular_of_weight(&w, site)) {
            pb_singular_left(&w, kept, 1, 0, U);
            pb_singular_right(&w, kept, 1, 0, V);
            memcpy(pb_tensor(b, site, "s")->x, w.s + kept, (size_t)U->cols * sizeof *w.s);
            if (kept && site->out > site->in)
                pb_singular_left(&w, 0, 1, 0, pb_tensor(b, site, "kept.U"));
            if (kept && site->in > site->out)
                pb_singular_right(&w, 0, 1, 0, pb_tensor(b, site, "kept.V"));
        }
        pb_singular_free(&w);
        copy_tensor(b, site, "U", "start.U");
        copy_tensor(b, site, "s", "start.s");
        copy_tensor(b, site, "V", "start.V");
    }
}

/* Leaves of each row of g [k,n] what lies within the space of the orthonormal rows of E [m,n], or what is orthogonal to
 * it. */
static void project_rows(pb_real *g, int k, const pb_param *E, bool within)
{
    int m = E->rows, n = E->cols;
    pb_real *turned = pb_alloc((size_t)m * (size_t)(n + k) * sizeof *turned), *parts = turned + (size_t)m * (size_t)n;
    pb_transpose(E->x, m, n, turned);
    pb_add_product(parts, k, m, 1, g, turned, n);
    if (within)
        memset(g, 0, (size_t)k * (size_t)n * sizeof *g);
    pb_add_product(g, k, n, within ? 1 : -1, parts, E->x, m);
    free(turned);
}

/* The same of the columns of g [n,k] and E [n,m]. */
static void project_columns(pb_real *g, int k, const pb_param *E, bool within)
{
    int m = E->cols, n = E->rows;
    pb_real *turned = pb_alloc((size_t)m * (size_t)(n + k) * sizeof *turned), *parts = turned + (size_t)m * (size_t)n;
    pb_transpose(E->x, n, m, turned);
    pb_add_product(parts, m, k, 1, turned, g, n);
    if (within)
        memset(g, 0, (size_t)k * (size_t)n * sizeof *g);
    pb_add_product(g, n, k, within ? 1 : -1, E->x, parts, m);
    free(turned);
}

/* Where the vectors that stay and those that train are a basis of the whole space, what is orthogonal to the former is
 * what lies within the space of the latter at their start. */
static void before_step(pb_build *b, const pb_step *step)
{
    (void)step;
    PB_EACH_TARGET(b, site) {
        const pb_param *U = pb_tensor(b, site, "U"), *V = pb_tensor(b, site, "V");
        int k = U->cols;
        bool tall = site->out > site->in, wide = site->in > site->out;
        if (k == smaller_side(site) || !U->reached || !V->reached)
            continue;
        project_columns(U->g, k, pb_tensor(b, site, tall ? "kept.U" : "start.U"), !tall);
        project_rows(V->g, k, pb_tensor(b, site, wide ? "kept.V" : "start.V"), !wide);
    }
}

const pb_method pb_method_osf = {
    .name = "osf",
    .title = "OSF: the small singular values and their vectors train",
    .paper = "Nayak et al. 2025, Sculpting subspaces: constrained full fine-tuning, arXiv:2504.07097",
    .help = "Trains the part of each weight with the small singular values, and keeps its gradients orthogonal to the "
            "part with the large ones.",
    .equation = "y = (U_h S_h V_h + U diag(s) V) x; dU orthogonal to U_h, dV to V_h",
    .notes =
        "W = U_h S_h V_h + U0 S0 V0 is the singular value decomposition, and U, s and V start as U0, S0 and V0. W "
        "stays as it is and the change of its small part is added, as in PEFT; from one start, 20 steps equal those of "
        "PEFT. The paper chooses how many vectors stay by layer, from the similarity of a layer's input and output; "
        "here and in PEFT it is one share of all, by default one half. Gradients are projected, as in the paper, and "
        "not the steps that AdamW makes of them, which leave the space a little. Half of the singular values of a "
        "square W are as many numbers as W has, so this is no method of few parameters, and the artifact holds the "
        "start besides. PEFT's adapter holds what trains only; the start is computed again when it is read. That "
        "earlier tasks are forgotten less, the paper's claim, needs a sequence of tasks, which is not here.",
    .count = "k = min(in, out) - floor((1-share)*min(in, out)+0.000000001); k*(in+out+1)",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "share"},
    .hooks = {.linear = linear, .start = start, .before_step = before_step},
    .peft = PB_PEFT("OSF",
                    PB_PEFT_TENSORS({"U", "osf_svd_params.U_low"}, {"s", "osf_svd_params.S_low", "cols"},
                                    {"V", "osf_svd_params.V_low"}, {"start.U"}, {"start.s"}, {"start.V"}, {"kept.U"},
                                    {"kept.V"}),
                    PB_PEFT_KEYS({"effective_rank", "share", .complement = true, .null = "0.5"})),
};
