/* Weights made of parameters that are forgotten after their use (pb_graph_remake): what they cost in memory and FLOPs,
 * and that the gradients are the same to the bit, with and without gradient checkpointing and dead rows. */
#include "util.h"

#include "base/threads.h"
#include "graph/internal.h"
#include "graph/op.h"

enum { LAYERS = 3, C = 64, RANK = 2, WORDS = 9, TEXTS = 2, TOKENS = 5 };
enum { WEIGHT, DOWN, UP, GAIN, PER_LAYER, TABLE = LAYERS * PER_LAYER, SHARED, PARAMS };

static const int shape[PER_LAYER][2] = {{C, C}, {RANK, C}, {C, RANK}, {1, C}};

/* What a trial varies. */
typedef struct kind {
    bool remake, checkpoints, whole; /* mark the weights; mark the layers; ask for all rows of the last layer */
    bool rich;                       /* weights share a node, and one of their terms is a full-size matrix */
    bool early;                      /* all weights are made before the first is used */
    bool frozen;                     /* nothing of a weight trains; the table does */
} kind;

typedef struct net {
    kind kind;
    pb_param param[PARAMS];
    pb_arena *arena;
    pb_executor *executor;
    pb_graph *graph;
    pb_node *gate; /* of parameters, read by weights and by activations: never forgotten */
    pb_node *shared, *weight[LAYERS];
    pb_plan plan;
} net;

static size_t count(const pb_param *p)
{
    return (size_t)p->rows * (size_t)p->cols;
}

static net open_net(kind k)
{
    net n = {.kind = k};
    pb_rng r = pb_rng_named(11, "remake");
    for (int i = 0; i < PARAMS; i++) {
        const int *s = shape[i % PER_LAYER];
        pb_param *p = &n.param[i];
        *p = (pb_param){.rows = s[0], .cols = s[1]};
        if (i == TABLE)
            p->rows = WORDS, p->cols = C;
        if (i == SHARED)
            p->rows = RANK, p->cols = C;
        p->trainable = k.frozen ? i == TABLE : i == TABLE || i == SHARED || i % PER_LAYER != WEIGHT;
        p->x = random_reals(&r, count(p));
        p->g = pb_alloc(count(p) * sizeof *p->g);
        fill_nan(count(p), p->g);
    }
    n.arena = pb_arena_new("remake");
    n.executor = pb_executor_new();
    pb_executor_watch(n.executor, true);
    return n;
}

static void close_net(net *n)
{
    for (int i = 0; i < PARAMS; i++) {
        free(n->param[i].x);
        free(n->param[i].g);
    }
    pb_executor_free(n->executor);
    pb_arena_free(n->arena);
}

static pb_node *leaf(net *n, int which)
{
    return pb_graph_param(n->graph, &n->param[which]);
}

/* W + B A; in a rich net (W + B tanh(S)) diag(gate) + B A. */
static pb_node *make_weight(net *n, int layer)
{
    pb_graph *g = n->graph;
    int first = layer * PER_LAYER;
    pb_node *w = leaf(n, first + WEIGHT), *up = leaf(n, first + UP);
    if (n->kind.rich)
        w = pb_op_scale(g, pb_op_add(g, pb_op_product(g, up, false, n->shared, false), w), n->gate);
    w = pb_op_add(g, pb_op_product(g, up, false, leaf(n, first + DOWN), false), w);
    return n->kind.remake ? pb_graph_remake(g, w) : w;
}

/* Builds and plans. */
static void build(net *n)
{
    static const int offset[] = {0, 3, TOKENS}, ids[] = {1, 8, 3, 1, 0}, label[] = {2, 5};
    pb_arena_reset(n->arena);
    pb_graph *g = n->graph = pb_graph_new(n->arena, true);
    const pb_rows *set = pb_rows_whole(g, TEXTS, offset);
    pb_node *x = pb_op_embed(g, leaf(n, TABLE), set, ids);
    n->gate = pb_op_act(g, PB_SIGMOID, leaf(n, GAIN));
    n->shared = pb_op_act(g, PB_TANH, leaf(n, SHARED));
    for (int l = 0; l < LAYERS && n->kind.early; l++)
        n->weight[l] = make_weight(n, l);
    for (int l = 0; l < LAYERS; l++) {
        if (!n->kind.early)
            n->weight[l] = make_weight(n, l);
        x = pb_op_linear(g, pb_op_act(g, PB_GELU, x), n->weight[l], NULL);
        x = n->kind.rich ? pb_op_scale(g, x, n->gate) : pb_op_dropout(g, x, 0.1, (uint64_t)l);
        if (n->kind.checkpoints)
            pb_graph_checkpoint(g, x);
    }
    pb_node *loss = pb_op_cross_entropy(g, pb_op_select(g, x, pb_rows_pick(g, set, -1)), label);
    if (pb_graph_plan(g, n->kind.whole ? x : loss, loss, &n->plan))
        PB_BUG("%s", pb_error_text());
}

/* The passes of a training step; with `poison`, what the plan does not keep is overwritten between the two. */
static void step(net *n, bool poison)
{
    build(n);
    pb_executor_bind(n->executor, n->graph, &n->plan);
    pb_executor_forward(n->executor, n->graph);
    CHECK(pb_executor_flops(n->executor) == n->plan.forward_flops);
    if (poison)
        pb_executor_poison(n->executor, n->graph);
    pb_executor_backward(n->executor, n->graph);
    CHECK(pb_executor_flops(n->executor) == n->plan.backward_flops + n->plan.recompute_flops);
    size_t touched = pb_executor_touched(n->executor);
    CHECK(poison || (touched <= n->plan.activations && touched + 64 > n->plan.activations));
}

static void check_same(kind k)
{
    net marked = open_net(k);
    k.remake = false;
    net plain = open_net(k);
    step(&marked, false);
    step(&marked, true);
    step(&plain, true);
    CHECK((double)pb_graph_loss(marked.graph)->x[0] == (double)pb_graph_loss(plain.graph)->x[0]);
    CHECK_INT((long long)marked.plan.backward_flops, (long long)plain.plan.backward_flops);
    CHECK(marked.plan.recompute_flops >= plain.plan.recompute_flops + !k.checkpoints);
    for (int i = 0; i < PARAMS; i++)
        if (marked.param[i].trainable &&
            !CHECK(same_bits(count(&marked.param[i]), marked.param[i].g, plain.param[i].g)))
            printf("  gradient of parameter %d, kind %d%d%d%d%d\n", i, k.checkpoints, k.whole, k.rich, k.early,
                   k.frozen);
    close_net(&marked);
    close_net(&plain);
}

TEST(gradients_are_the_same_to_the_bit)
{
    for (int threads = 1; threads <= 2; threads++) {
        pb_threads_start(threads);
        for (int bits = 0; bits < 32; bits++)
            check_same((kind){.remake = true,
                              .checkpoints = bits & 1,
                              .whole = bits & 2,
                              .rich = bits & 4,
                              .early = bits & 8,
                              .frozen = bits & 16});
        pb_threads_stop();
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------ */

static pb_plan plan_of(kind k)
{
    net n = open_net(k);
    build(&n);
    pb_plan plan = n.plan;
    close_net(&n);
    return plan;
}

/* The most is alive in the gradient of the last layer's product: all weights and the gradient of the last one.  With the
 * marks it is the last weight and its gradient. */
TEST(three_weights_cost_one)
{
    pb_plan plain = plan_of((kind){0}), marked = plan_of((kind){.remake = true});
    CHECK_INT((long long)(plain.activations - marked.activations), (long long)((LAYERS - 1) * C * C * sizeof(pb_real)));
    CHECK_INT((long long)plain.recompute_flops, 0);
    CHECK_INT((long long)marked.recompute_flops, (long long)LAYERS * 2 * C * C * RANK);
    CHECK_INT((long long)marked.forward_flops, (long long)plain.forward_flops);
    CHECK_INT((long long)marked.backward_flops, (long long)plain.backward_flops);
}

/* With checkpoints a weight is made for the forward pass, for the layer that is computed once more if that reads it, and
 * for its gradient.  In the rich net the gradient of the gate reads the product; in the other one nothing does. */
TEST(a_weight_is_made_for_each_of_its_uses)
{
    for (int rich = 0; rich < 2; rich++) {
        pb_plan plain = plan_of((kind){.checkpoints = true, .rich = rich});
        pb_plan marked = plan_of((kind){.checkpoints = true, .rich = rich, .remake = true});
        long long products = rich ? 2 : 0; /* of a weight */
        CHECK_INT((long long)(marked.recompute_flops - plain.recompute_flops), products * LAYERS * 2 * C * C * RANK);
        CHECK(marked.activations <= plain.activations);
    }
}

/* If the input needs no gradient, the weight itself is not read and not made again. */
TEST(a_weight_that_no_gradient_reads_is_not_made_again)
{
    net n = open_net((kind){.remake = true});
    n.param[TABLE].trainable = false;
    build(&n);
    CHECK_INT((long long)n.plan.recompute_flops, (long long)(LAYERS - 1) * 2 * C * C * RANK);
    close_net(&n);
}

/* Small nodes without a mark, and what they share with a weight, are computed once. */
TEST(what_activations_read_is_not_made_again)
{
    net n = open_net((kind){.remake = true, .rich = true});
    build(&n);
    int gates = 0, shared = 0, weights = 0;
    for (int i = 0; i < n.graph->steps; i++) {
        const pb_schedule_step *s = &n.graph->step[i];
        gates += !s->backward && s->node->index == n.gate->index && s->node->op;
        shared += !s->backward && s->node->index == n.shared->index && s->node->op;
        for (int l = 0; l < LAYERS; l++)
            weights += !s->backward && s->node->index == n.weight[l]->index;
    }
    CHECK_INT(gates, 1);
    CHECK_INT(shared, 2); /* only weights read it: made again once, for all of them */
    CHECK_INT(weights, 2 * LAYERS);
    close_net(&n);
}
