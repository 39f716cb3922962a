/* adalora: h = W x + alpha/r * P (lambda * (Q x)), the shape of a singular value decomposition, with Q [r,in], lambda
 * [1,r] and P [out,r].  Triplet i is column i of P, lambda_i and row i of Q.  A penalty keeps P and Q nearly
 * orthogonal.  While training, a falling budget of triplets is given to the most important ones of all projections, and
 * lambda_i of the others is set to 0; they may come back until the budget is final. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "12", 1, 4096, "r, the rank at the start; the first budget is r for each projection"),
            INT(target_rank, "8", 1, 4096, "the mean rank at the end"),
            REAL(alpha, "16", 1e-9, 1e6, "the update is scaled by alpha / r"),
            REAL(dropout, "0", 0, 0.99, "of the input of Q, while training"),
            REAL(orthogonality, "0.5", 0, 1e6, "gamma, the weight of the mean |P^T P - I| and |Q Q^T - I|"),
            REAL(tinit, "0.1", 0, 0.99, "t_i / T, the share of the steps before the budget falls"),
            REAL(tfinal, "0.3", 0, 0.99, "t_f / T, the share of the steps with the final budget"),
            INT(interval, "1", 1, 1e9, "steps from one allocation of the budget to the next"),
            REAL(beta1, "0.85", 0, 0.9999, "of the moving average of the sensitivity"),
            REAL(beta2, "0.85", 0, 0.9999, "of the moving average of its uncertainty"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

/* The parts of a triplet; and what is kept for each of their elements: its sensitivity, then its uncertainty. */
enum { P, LAMBDA, Q, PARTS };
static const char *const value[] = {"P", "lambda", "Q"};
static const char *const averages[] = {"P.averages", "lambda.averages", "Q.averages"};

static int check(const conf *c)
{
    if (c->target_rank > c->rank)
        return pb_error("adalora: target_rank: want at most the rank, %d, got %d", c->rank, c->target_rank);
    if (c->tinit + c->tfinal >= 1)
        return pb_error("adalora: tinit + tfinal: want less than 1, got %g", c->tinit + c->tfinal);
    return 0;
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    int r = c->rank, targets = pb_count_targets(b, NULL);
    if (check(c))
        return NULL;
    pb_node *p = pb_added(b, site, value[P], site->out, r, pb_init_normal(0.02));
    pb_node *lambda = pb_added(b, site, value[LAMBDA], 1, r, pb_init_constant(0));
    pb_node *q = pb_added(b, site, value[Q], r, site->in, pb_init_normal(0.02));
    pb_penalty(b, pb_op_orthogonality(b->graph, p, true), c->orthogonality / (2 * targets));
    pb_penalty(b, pb_op_orthogonality(b->graph, q, false), c->orthogonality / (2 * targets));
    pb_state(b, site, averages[P], 2 * site->out * r);
    pb_state(b, site, averages[LAMBDA], 2 * r);
    pb_state(b, site, averages[Q], 2 * r * site->in);
    pb_state(b, NULL, "importance", r * targets);
    pb_node *h = pb_op_scale(b->graph, pb_op_linear(b->graph, pb_drop(b, x, c->dropout), q, NULL), lambda);
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, p, c->alpha / (r + 1e-5)); /* 1e-5 as in PEFT */
}

/* Sensitivity I = |w dL/dw|, smoothed, and uncertainty |I - smoothed I|, smoothed (section 3.2). */
static void measure(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    for (int k = 0; k < PARTS; k++) {
        const pb_param *w = pb_tensor(b, site, value[k]);
        int n = w->rows * w->cols;
        pb_real *smooth = pb_tensor(b, site, averages[k])->x, *uncertainty = smooth + n;
        for (int i = 0; i < n && w->reached; i++) {
            double now = fabs((double)w->x[i] * (double)w->g[i]);
            smooth[i] = (pb_real)(c->beta1 * (double)smooth[i] + (1 - c->beta1) * now);
            uncertainty[i] =
                (pb_real)(c->beta2 * (double)uncertainty[i] + (1 - c->beta2) * fabs(now - (double)smooth[i]));
        }
    }
}

/* The mean of sensitivity * uncertainty over n elements of a part: number `first`, first + step, .. */
static double mean_score(pb_build *b, const pb_site *site, int part, int first, int step, int n)
{
    const pb_param *both = pb_tensor(b, site, averages[part]);
    const pb_real *smooth = both->x + first, *uncertainty = smooth + both->cols / 2;
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)smooth[i * step] * (double)uncertainty[i * step];
    return sum / n;
}

/* Sets lambda_i = 0 of all triplets but the `budget` most important ones (section 3.2).  Of equals the first stay. */
static void allocate(pb_build *b, int budget)
{
    const conf *c = pb_conf(b);
    pb_param *importance = pb_tensor(b, NULL, "importance");
    pb_real *own = importance->x;
    for (const pb_site *s = NULL; (s = pb_next_target(b, s));)
        for (int i = 0; i < c->rank; i++)
            *own++ = (pb_real)(mean_score(b, s, LAMBDA, i, 1, 1) + mean_score(b, s, P, i, c->rank, s->out) +
                               mean_score(b, s, Q, i * s->in, 1, s->in));
    own = importance->x;
    for (const pb_site *s = NULL; (s = pb_next_target(b, s));)
        for (int i = 0; i < c->rank; i++, own++) {
            int before = 0; /* triplets that are more important */
            for (pb_real *other = importance->x; other < importance->x + importance->cols; other++)
                before += *other > *own || (*other == *own && other < own);
            if (before >= budget)
                pb_tensor(b, s, value[LAMBDA])->x[i] = 0;
        }
}

/* The budget falls from step `first` on (section 3.3), and is final from step `last` on, for one step at least.  Then
 * nothing is measured any more, so that the same triplets stay. */
static void after_step(pb_build *b, const pb_step *at)
{
    const conf *c = pb_conf(b);
    int targets = pb_count_targets(b, NULL), start = c->rank * targets, target = c->target_rank * targets;
    int first = (int)lround(c->tinit * at->steps), final = (int)lround(c->tfinal * at->steps);
    int last = at->steps - (final > 1 ? final : 1);
    for (const pb_site *s = NULL; at->step < last && (s = pb_next_target(b, s));)
        measure(b, s);
    if (at->step >= last)
        allocate(b, target);
    else if (at->step > first && at->step % c->interval == 0)
        allocate(b, (int)((start - target) * pow(1 - (at->step - first) / (double)(last - first), 3) + target));
}

const pb_method pb_method_adalora = {
    .name = "adalora",
    .title = "AdaLoRA: a budget of rank for the projections that need it",
    .paper = "Zhang et al. 2023, AdaLoRA, arXiv:2303.10512",
    .help = "Adds trained triplets of singular vectors and values, and drops the less important ones while training.",
    .equation = "y = W x + alpha/rank * P (lambda * Q x)",
    .notes = "A budget of triplets (a column of P, an element of lambda, a row of Q), which falls while training, is "
             "given to the most important triplets of all projections together; lambda of the others becomes 0. The "
             "penalty is the mean of |P^T P - I| and |Q Q^T - I| over all projections and the scale is alpha / (rank + "
             "0.00001) with the rank at the start, as in PEFT; the paper adds the squares. tinit and tfinal are shares "
             "of the steps, where the paper and PEFT have numbers of steps, so that one setting serves runs of any "
             "length. Of triplets with equal importance those of earlier projections stay, so that exactly the budget "
             "stays, where PEFT drops all. Dropped triplets stay in memory, in the FLOPs and in the artifact, so these "
             "costs are those of rank; storage.rank is the rank that is left.",
    .count = "rank*(in+out)+rank",
    .deviation = "P: 0.02; lambda: 0; Q: 0.02",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.linear = linear, .after_step = after_step},
    /* After training PEFT saves only the triplets that are left. */
    .peft = PB_PEFT("ADALORA",
                    PB_PEFT_TENSORS({"Q", "lora_A", .kept = 1}, {"lambda", "lora_E", "cols, 1", .kept = 1},
                                    {"P", "lora_B", .kept = 2}),
                    PB_PEFT_KEYS({"init_r", "rank"}, {"target_r", "target_rank"}, {"lora_alpha", "alpha"},
                                 {"lora_dropout", "dropout"}, {"orth_reg_weight", "orthogonality"},
                                 {"deltaT", "interval"}, {"beta1", "beta1"}, {"beta2", "beta2"}),
                    .kept_key = "rank_pattern",
                    .fixed = PB_PEFT_NO_BIAS
                    ", \"init_lora_weights\": true, \"tinit\": 0, \"tfinal\": 0, \"total_step\": 1"),
};
