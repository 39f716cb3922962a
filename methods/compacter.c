/* compacter: a bottleneck after each sublayer, y + U f(D y), whose maps are sums of n Kronecker products: D is the
 * sum of A_i kron B_i over i, with A_i [n,n] and B_i [m/n,d/n] = s_i t_i of rank r, and U is built alike.  All maps
 * of all layers share the matrices A_i.  With shared = no and factored = no each map has its own A_i, and B_i is one
 * matrix. */
#include "peftbench.h"

PB_SETTINGS(BOTTLENECK_AS("24", "m, the bottleneck dimension; n divides it", "0.0001",
                          "standard deviation of A_i at the start", "attn mlp"),
            INT(n, "4", 1, 64, "the products in a sum; a divisor of the widths"),
            INT(rank, "1", 1, 4096, "r, the rank of B_i, if it is factored"),
            BOOL(shared, "yes", "all maps have the same A_i"), BOOL(factored, "yes", "B_i is a product of rank r"),
            BOOL(norms, "yes", "train the layer norms too, as the authors do"));

static bool trains(const void *settings, const pb_param *p, int layers)
{
    const conf *c = settings;
    return pb_bottleneck_selects(c->norms, p, layers);
}

/* With the gain sqrt(2) of the authors' code. */
static pb_init glorot(int rows, int cols)
{
    return pb_init_uniform(sqrt(2) * sqrt(6.0 / (rows + cols)));
}

/* A tensor of the map at `end` ("down" or "up") whose rows are those of n matrices [rows,cols], one below the other. */
static pb_node *stacked(pb_build *b, const pb_site *site, const char *end, const char *name, int rows, int cols)
{
    const conf *c = pb_conf(b);
    return pb_added(b, site, pb_name(b, "%s.%s", end, name), c->n * rows, cols, glorot(rows, cols));
}

/* x (A_i kron B_i)^T with B_i or with s_i t_i: the rows of the stacked tensors that belong to i. */
static pb_node *term(pb_graph *g, const conf *c, pb_node *x, pb_node *A, pb_node *s, pb_node *t, int i)
{
    int rows = s ? s->rows / c->n : 0;
    if (t)
        x = pb_op_kron(g, x, NULL, pb_op_rows(g, t, i * c->rank, c->rank));
    return pb_op_kron(g, x, pb_op_rows(g, A, i * c->n, c->n), pb_op_rows(g, s, i * rows, rows));
}

static pb_node *map(pb_build *b, const pb_site *site, const char *end, pb_node *x, int in, int out)
{
    const conf *c = pb_conf(b);
    const char *own = c->shared ? "A" : pb_name(b, "%s.A", end);
    pb_node *A = pb_added(b, c->shared ? NULL : site, own, c->n * c->n, c->n, pb_init_normal(c->adapter.init));
    pb_node *t = c->factored ? stacked(b, site, end, "t", c->rank, in / c->n) : NULL;
    pb_node *s = stacked(b, site, end, t ? "s" : "B", out / c->n, t ? c->rank : in / c->n), *sum = NULL;
    for (int i = 0; i < c->n; i++) {
        pb_node *one = term(b->graph, c, x, A, s, t, i);
        sum = i ? pb_op_add(b->graph, sum, one) : one;
    }
    return pb_op_shift(b->graph, sum, pb_vector(b, site, pb_name(b, "%s.bias", end), out, pb_init_constant(0)));
}

static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    const conf *c = pb_conf(b);
    int m = c->adapter.bottleneck, d = site->in;
    if (m % c->n || d % c->n)
        return pb_refuse("compacter: n: want a divisor of the widths %d and %d, got %d", d, m, c->n);
    pb_node *h = pb_op_act(b->graph, (pb_act)c->adapter.act, map(b, site, "down", y, d, m));
    return pb_op_add(b->graph, map(b, site, "up", h, m, d), y);
}

const pb_method pb_method_compacter = {
    .name = "compacter",
    .title = "Compacter: adapters of shared Kronecker products",
    .paper = "Mahabadi et al. 2021, Compacter, arXiv:2106.04647",
    .help = "Puts a bottleneck after attention and after the MLP whose matrices are sums of small Kronecker products.",
    .equation = "y + U f(D y + b_D) + b_U; D = sum_i A_i kron (s_i t_i), U alike, all with the same A_i",
    .notes = "The start is that of the authors' code: A_i with a standard deviation of 1e-4 and Glorot's uniform "
             "distribution with the gain sqrt(2) for s_i and t_i, so that the first outputs are nearly those of the "
             "base model. The bottleneck is that of T5-base, 768/32. Their code has GELU in its tanh form "
             "(act=gelu_tanh). The products are applied by their factors.",
    .count = "tall = bottleneck/n; wide = in/n; part = factored*rank*(tall+wide) + (1-factored)*tall*wide; 2*n*part + "
             "bottleneck + in + 2*(1-shared)*n*n*n; model: shared*n*n*n",
    .deviation = "A: init; down.A: init; up.A: init; *.bias: 0",
    .traits = {PB_ADDITIVE},
    .settings = {options, sizeof(conf), "bottleneck"},
    .presets = PB_PRESETS({"compacter-pp", "Compacter++: compacters after the MLP only",
                           "Mahabadi et al. 2021, Compacter, arXiv:2106.04647", "targets=mlp", NULL},
                          {"phm", "PHM adapters: sums of Kronecker products that no other layer shares",
                           "Mahabadi et al. 2021, Compacter, arXiv:2106.04647", "shared=no,factored=no,init=0.01",
                           "The authors' configuration has n = 12, which few small widths are divisible by. Matrices "
                           "A_i that are not shared start with a deviation of 0.01 in their code."}),
    .hooks = {.select = trains, .block = block},
};
