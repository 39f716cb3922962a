/* lora: h = W x + alpha/r * B A x, with A [r,in] and B [out,r].  Dropout is applied to the input of A only.
 *
 * With dora = yes, each row of V = W + alpha/r * B A is a direction and a trained magnitude m [1,out] its length: h is
 * m / |V| * V x.  Gradients do not flow through the row norms |V|, as in the paper (section 4.3).
 *
 * ratio, freeze and precondition change how A and B are trained, and not what is computed with them. */
#include "peftbench.h"

enum { FREEZE_NONE, FREEZE_A }; /* freeze */

PB_SETTINGS(LOW_RANK("attn.q attn.v attn.qkv"),
            BOOL(rslora, "no", "scale by alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732)"),
            BOOL(dora, "no", "train the norm of each row of W + B A (Liu et al. 2024, arXiv:2402.09353)"),
            REAL(ratio, "1", 1e-6, 1e6, "B learns at the rate of A times this ratio"),
            CHOICE(freeze, "none", "none|A", "a matrix that keeps its random start"),
            BOOL(precondition, "no",
                 "multiply the gradient of A by (B^T B + damping I)^-1 and that of B by (A A^T + damping I)^-1"),
            REAL(damping, "0.01", 1e-9, 1e6, "added to the diagonals of the preconditioner"));

static pb_low_rank low_rank(const void *settings, const pb_site *site)
{
    const conf *c = settings;
    pb_low_rank u = pb_low_rank_at(c, site);
    u.scale *= c->rslora ? sqrt(u.rank) : 1;
    u.additive = !c->dora;
    return u;
}

/* y = V x + bias becomes m / |V| * V x + bias. */
static pb_node *rescale(pb_build *b, const pb_site *site, pb_node *y, pb_node *B, pb_node *A, double scale)
{
    pb_node *m = pb_vector(b, site, "m", site->out, pb_init_row_norms(site->w));
    pb_node *inverse = pb_op_inverse_row_norms(b->graph, pb_inner_weight(b, site), B, A, scale);
    return pb_op_scale_about(b->graph, y, pb_op_scale(b->graph, m, inverse), pb_base_bias(b, site));
}

/* ---- the preconditioner (Zhang and Pilanci 2024) --------------------------------------------------------------- */

/* What the preconditioner of a site of rank r is computed in: a Gram matrix and its inverse [r,r], and r numbers. */
static void reserve(pb_build *b)
{
    int r = pb_low_rank_largest(b);
    pb_state(b, NULL, "preconditioner", 2 * r * r + r);
}

/* Sets inverse [r,r] to (G + damping I)^-1 with the Gram matrix G of r vectors of `count` elements: element k of vector
 * i is x[i*next + k*step]. */
static int invert(const pb_real *x, int r, int next, int count, int step, double damping, pb_real *gram)
{
    pb_real *inverse = gram + r * r;
    for (int i = 0; i < r; i++)
        for (int j = 0; j < r; j++) {
            double sum = i == j ? damping : 0;
            for (int k = 0; k < count; k++)
                sum += (double)x[i * next + k * step] * (double)x[j * next + k * step];
            gram[i * r + j] = (pb_real)sum;
            inverse[i * r + j] = i == j;
        }
    return pb_solve(gram, r, inverse, r);
}

/* Multiplies `count` vectors of r elements by the symmetric inverse behind gram [r,r]: element i of vector k is
 * g[k*next + i*step]. */
static void multiply(const pb_real *gram, int r, int count, int next, int step, pb_real *g)
{
    const pb_real *inverse = gram + r * r;
    pb_real *old = (pb_real *)(uintptr_t)(inverse + r * r);
    for (int k = 0; k < count; k++) {
        for (int i = 0; i < r; i++)
            old[i] = g[k * next + i * step];
        for (int i = 0; i < r; i++)
            g[k * next + i * step] = pb_dot((size_t)r, inverse + i * r, old);
    }
}

/* A gradient that is not finite is left as it is: the engine ends the run by it. */
static bool has_gradient(const pb_param *p)
{
    double sum = 0;
    for (int i = 0; p->g && p->reached && i < p->rows * p->cols; i++)
        sum += (double)p->g[i] * 0;
    return p->g && p->reached && sum == 0;
}

static void before_step(pb_build *b, const pb_step *step)
{
    (void)step;
    const conf *c = pb_conf(b);
    for (const pb_site *s = pb_next_target(b, NULL); s && c->precondition; s = pb_next_target(b, s)) {
        pb_param *A = pb_tensor(b, s, "A"), *B = pb_tensor(b, s, "B");
        pb_real *gram = pb_tensor(b, NULL, "preconditioner")->x;
        int r = A->rows;
        if (has_gradient(A) && !invert(B->x, r, 1, s->out, r, c->damping, gram))
            multiply(gram, r, s->in, 1, s->in, A->g);
        if (has_gradient(B) && !invert(A->x, r, s->in, s->in, 1, c->damping, gram))
            multiply(gram, r, s->out, r, 1, B->g);
    }
}

/* ---- the update ------------------------------------------------------------------------------------------------ */

static pb_node *down(pb_build *b, const pb_site *site, int rank)
{
    const conf *c = pb_conf(b);
    return c->freeze == FREEZE_A ? pb_fixed(b, site, "A", rank, site->in, pb_init_kaiming(site->in))
                                 : pb_low_rank_down(b, site, rank);
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_low_rank u = low_rank(c, site);
    pb_node *A = down(b, site, u.rank), *B = pb_rated(pb_low_rank_up(b, site, u.rank), c->ratio);
    if (c->precondition)
        reserve(b);
    pb_node *y = pb_low_rank_add(b, site, x, A, B, u.scale);
    return c->dora ? rescale(b, site, y, B, A, u.scale) : y;
}

const pb_method pb_method_lora = {
    .name = "lora",
    .title = "LoRA: low-rank update of linear layers",
    .paper = "Hu et al. 2021, LoRA, arXiv:2106.09685",
    .help = "Adds a trained product of two thin matrices to chosen projections.",
    .equation = "y = W x + alpha/rank * B A x; rsLoRA: alpha/sqrt(rank); DoRA: y = m / |V| * V x with V = W + "
                "alpha/rank * B A and the norms |V| of its rows",
    .notes = "A starts as in PEFT, uniform with the bound 1/sqrt(in); the paper says normal.",
    .count = "rank*((freeze==0)*in+out)+dora*out",
    .deviation = "A: 1/sqrt(3*in); B: 0",
    .traits = {PB_REPARAMETRIZATION, .identity = true, .merges = true},
    .settings = {options, sizeof(conf), "rank"},
    .presets = PB_PRESETS(
        {"rslora", "rsLoRA: scaled by alpha / sqrt(r)", "Kalajdzievski 2023, rsLoRA, arXiv:2312.03732", "rslora=yes"},
        {"dora", "DoRA: the norm of each row is a parameter", "Liu et al. 2024, DoRA, arXiv:2402.09353", "dora=yes",
         "Gradients do not flow through the norms |V|, as the paper suggests and PEFT does. The norms are those of the "
         "rows of W [out,in], as in PEFT. Dropout falls on the input of A alone, where PEFT's also falls on that of W "
         "in the part (m / |V| - 1) W x."},
        {"lora-plus", "LoRA+: B learns faster than A", "Hayou et al. 2024, LoRA+, arXiv:2402.12354", "ratio=16",
         "The learning rate of [train] is that of A and of the head; PEFT's optimizer multiplies that of biases too. "
         "The paper recommends a ratio of about 16 and tunes it by task."},
        {"lora-fa", "LoRA-FA: A is random and does not train",
         "Zhang et al. 2023, Memory-efficient low-rank adaptation (LoRA-FA), arXiv:2308.03303", "freeze=A",
         "This is the method of the paper's first version. Its second version and the optimizer of PEFT also multiply "
         "the gradient of B by (A A^T)^-1 / s^2, which is precondition=yes here but for the factor 1 / s^2, which "
         "every optimizer but SGD ignores."},
        {"riemannian", "Riemannian preconditioned LoRA: gradients scaled by r x r matrices",
         "Zhang and Pilanci 2024, Riemannian preconditioned LoRA, arXiv:2402.02347", "precondition=yes",
         "The gradients are preconditioned before they are clipped, so that large ones of A, while B is small, can "
         "take most of the clipping norm; the authors' code and PEFT precondition what has been clipped. The paper "
         "leaves the damping open: the default is that of PEFT, and the authors' runs use 0 (GPT-2) to 4.5 "
         "(Mistral)."}),
    .hooks = {.linear = linear, .before_step = before_step, .low_rank = low_rank},
    .peft = PB_PEFT("LORA",
                    PB_PEFT_TENSORS(PB_LOW_RANK_PEFT_TENSORS, {"m", "lora_magnitude_vector", "cols",
                                                               .embedding = "lora_magnitude_vector", .when = "dora"}),
                    PB_PEFT_KEYS(PB_LOW_RANK_PEFT_KEYS, {"use_rslora", "rslora"}, {"use_dora", "dora"}),
                    .fixed = PB_PEFT_NO_BIAS ", \"init_lora_weights\": true", .bias = "lora_B.bias",
                    .bias_key = "lora_bias", .init_key = "init_lora_weights"),
};
