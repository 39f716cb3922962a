/* The graph as a whole: what the planner promises of memory, what dead-row elimination promises of values,
 * what frozen features promise, on a small mixed network. */
#include "util.h"

#include "base/threads.h"
#include "graph/internal.h"
#include "graph/op.h"

/* ---- a network of every kind of op --------------------------------------------------------------------- */

enum { WORDS = 30, PLACES = 12, C = 12, HEADS = 3, HIDDEN = 20, RANK = 3, PREFIX = 2, CLASSES = 4, LAYERS = 2 };

enum {
    TABLE,
    POSITION_TABLE,
    TYPE,
    PREFIXED,
    HEAD_W,
    HEAD_B,
    OUTER, /* parameters outside of the layers */
    QW = 0,
    QB,
    KW,
    VW,
    DOWN_A,
    UP_B,
    OW,
    GAIN,
    BIAS,
    SCALE,
    INNER_W,
    INNER_B,
    OUTER_W,
    PER_LAYER,
    PARAMS = OUTER + LAYERS * PER_LAYER
};

static const int outer_shape[OUTER][2] = {{WORDS, C}, {PLACES, C}, {1, C}, {PREFIX, C}, {CLASSES, C}, {1, CLASSES}};
static const int layer_shape[PER_LAYER][2] = {{C, C}, {1, C}, {C, C}, {C, C},      {RANK, C},   {C, RANK},  {C, C},
                                              {1, C}, {1, C}, {1, C}, {HIDDEN, C}, {1, HIDDEN}, {C, HIDDEN}};

typedef struct net {
    pb_param param[PARAMS];
    bool causal, prefixed;
    int pool; /* the row of each sequence that the head reads */
    double dropout;
    pb_arena *arena;
    pb_executor *executor;
    pb_graph *graph;
    pb_node *layer[LAYERS + 1]; /* what the layers read, then the last one's output */
    pb_node *logits, *loss;
    pb_plan plan;
} net;

static const int offset[] = {0, 3, 4, 9, 11, 15};
static const int ids[] = {1, 5, 9, 5, 0, 28, 29, 3, 9, 7, 11, 2, 2, 13, 17};
static const int label[] = {0, 3, -1, 2, 1};
enum { TEXTS = 5 };

static size_t count(const pb_param *p)
{
    return (size_t)p->rows * (size_t)p->cols;
}

static net open_net(void)
{
    net n = {.dropout = 0.1, .prefixed = true};
    pb_rng r = pb_rng_named(5, "net");
    for (int i = 0; i < PARAMS; i++) {
        const int *shape = i < OUTER ? outer_shape[i] : layer_shape[(i - OUTER) % PER_LAYER];
        pb_param *p = &n.param[i];
        *p = (pb_param){.rows = shape[0], .cols = shape[1], .trainable = true};
        p->x = random_reals(&r, count(p));
        p->g = pb_alloc(count(p) * sizeof *p->g);
        for (size_t k = 0; p->rows > 1 && k < count(p); k++)
            p->x[k] *= (pb_real)0.5;
    }
    n.arena = pb_arena_new("net");
    n.executor = pb_executor_new();
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

/* Only the parameters from `first` on train. */
static void freeze_below(net *n, int first)
{
    for (int i = 0; i < PARAMS; i++)
        n->param[i].trainable = i >= first;
}

static pb_node *leaf(net *n, int which)
{
    return pb_graph_param(n->graph, &n->param[which]);
}

static pb_node *in_layer(net *n, int layer, int which)
{
    return leaf(n, OUTER + layer * PER_LAYER + which);
}

static pb_node *drop(net *n, pb_node *x, uint64_t key)
{
    return n->dropout > 0 ? pb_op_dropout(n->graph, x, n->dropout, key) : x;
}

static pb_node *attend(net *n, int l, pb_node *x)
{
    pb_graph *g = n->graph;
    pb_node *q = pb_op_linear(g, x, in_layer(n, l, QW), in_layer(n, l, QB));
    pb_node *h = pb_op_linear(g, drop(n, x, (uint64_t)l), in_layer(n, l, DOWN_A), NULL);
    q = pb_op_linear_add(g, q, h, in_layer(n, l, UP_B), 0.5);
    pb_node *k = pb_op_linear(g, x, in_layer(n, l, KW), NULL), *v = pb_op_linear(g, x, in_layer(n, l, VW), NULL);
    if (n->prefixed) {
        k = pb_op_prepend(g, leaf(n, PREFIXED), k);
        v = pb_op_prepend(g, leaf(n, PREFIXED), v);
    }
    double p = n->dropout;
    pb_node *a = pb_op_attention(
        g, q, k, v, (pb_attention_conf){.heads = HEADS, .causal = n->causal, .drop = p, .key = 20 + (uint64_t)l});
    return pb_op_linear(g, a, in_layer(n, l, OW), NULL);
}

static pb_node *layer(net *n, int l, pb_node *x)
{
    pb_graph *g = n->graph;
    x = pb_op_add(g, drop(n, attend(n, l, x), 10 + (uint64_t)l), x);
    x = pb_op_norm(g, x, in_layer(n, l, GAIN), in_layer(n, l, BIAS), 1e-5);
    pb_node *h = pb_op_act(g, PB_GELU, pb_op_linear(g, x, in_layer(n, l, INNER_W), in_layer(n, l, INNER_B)));
    h = pb_op_scale(g, pb_op_linear(g, h, in_layer(n, l, OUTER_W), NULL), in_layer(n, l, SCALE));
    return pb_op_add(g, h, x);
}

/* Texts s0 .. s1-1 of the batch. */
static void build_some(net *n, bool training, int s0, int s1)
{
    pb_arena_reset(n->arena);
    pb_graph *g = n->graph = pb_graph_new(n->arena, training);
    int *from = pb_arena_alloc(n->arena, PB_META, (size_t)(s1 - s0 + 1) * sizeof *from);
    for (int s = s0; s <= s1; s++)
        from[s - s0] = offset[s] - offset[s0];
    const pb_rows *set = pb_rows_whole(g, s1 - s0, from);
    pb_node *x = pb_op_embed(g, leaf(n, TABLE), set, ids + offset[s0]);
    x = pb_op_position(g, x, leaf(n, POSITION_TABLE), leaf(n, TYPE), 1, NULL);
    for (int l = 0; l < LAYERS; l++)
        x = layer(n, l, n->layer[l] = x);
    n->layer[LAYERS] = x;
    pb_node *row = pb_op_select(g, x, pb_rows_pick(g, set, n->pool));
    n->logits = pb_op_linear(g, pb_op_act(g, PB_TANH, row), leaf(n, HEAD_W), leaf(n, HEAD_B));
    n->loss = pb_op_cross_entropy(g, n->logits, label + s0);
}

static void build(net *n, bool training)
{
    build_some(n, training, 0, TEXTS);
}

static void plan(net *n, pb_node *output, pb_node *loss)
{
    if (pb_graph_plan(n->graph, output, loss, &n->plan))
        PB_BUG("%s", pb_error_text());
}

static void forward(net *n, pb_node *output, pb_node *loss)
{
    plan(n, output, loss);
    pb_executor_bind(n->executor, n->graph, &n->plan);
    pb_executor_forward(n->executor, n->graph);
}

/* Everything of a training step; the gradients one after the other. */
static pb_real *gradients(net *n, bool poison)
{
    build(n, true);
    forward(n, n->logits, n->loss);
    if (poison)
        pb_executor_poison(n->executor, n->graph);
    pb_executor_backward(n->executor, n->graph);
    pb_real *all = NULL;
    size_t total = 0, capacity = 0;
    for (int i = 0; i < PARAMS; i++)
        for (size_t k = 0; n->param[i].trainable && k < count(&n->param[i]); k++) {
            pb_grow(&all, total, &capacity, sizeof *all);
            all[total++] = n->param[i].g[k];
        }
    return all;
}

static size_t trainable(const net *n)
{
    size_t sum = 0;
    for (int i = 0; i < PARAMS; i++)
        sum += n->param[i].trainable ? count(&n->param[i]) : 0;
    return sum;
}

/* Equal but for rounding, which counts even where the truth is zero (a softmax over one key). */
static bool near(size_t n, const pb_real *a, const pb_real *b)
{
    double difference = 0, largest = 0.01;
    for (size_t i = 0; i < n; i++) {
        difference = fmax(difference, isfinite((double)a[i]) ? fabs((double)a[i] - (double)b[i]) : INFINITY);
        largest = fmax(largest, fabs((double)b[i]));
    }
    return difference <= 100 * EXACT * largest;
}

static pb_real *values(const pb_node *n)
{
    pb_real *x = pb_alloc((size_t)(n->rows * n->cols) * sizeof *x);
    memcpy(x, n->x, (size_t)(n->rows * n->cols) * sizeof *x);
    return x;
}

/* Calls `check` for nets of every kind: what trains, and how the head and the attention read. */
static void for_all(void (*check)(net *n))
{
    static const int first[] = {0, PREFIXED, HEAD_W, OUTER + PER_LAYER, OUTER + PER_LAYER + DOWN_A, PARAMS - 1};
    for (size_t i = 0; i < PB_COUNT(first); i++)
        for (int kind = 0; kind < 8; kind++) {
            net n = open_net();
            freeze_below(&n, first[i]);
            n.causal = kind & 1;
            n.prefixed = kind & 2;
            n.pool = kind & 4 ? -1 : 0;
            int before = test_state.failures;
            check(&n);
            if (test_state.failures > before)
                printf("  parameters from %d on train, kind %d\n", first[i], kind);
            close_net(&n);
        }
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

static void check_poison(net *n)
{
    pb_real *clean = gradients(n, false), *poisoned = gradients(n, true);
    CHECK(same_bits(trainable(n), clean, poisoned));
    free(clean);
    free(poisoned);
}

TEST(backward_reads_only_what_is_kept)
{
    for_all(check_poison);
}

static void check_high_water(net *n)
{
    pb_executor_watch(n->executor, true);
    for (int scoring = 0; scoring < 2; scoring++) {
        build(n, !scoring);
        forward(n, n->logits, scoring ? NULL : n->loss);
        CHECK(pb_executor_flops(n->executor) == n->plan.forward_flops);
        if (!scoring) {
            pb_executor_backward(n->executor, n->graph);
            CHECK(pb_executor_flops(n->executor) == n->plan.backward_flops);
        }
        size_t touched = pb_executor_touched(n->executor);
        CHECK(touched <= n->plan.activations && touched + 64 > n->plan.activations);
    }
}

TEST(the_plan_is_the_high_water_mark)
{
    for_all(check_high_water);
}

/* One tensor's bytes and the steps at which it must hold its value, found without the planner. */
typedef struct life {
    const pb_node *node;
    enum { VALUE, AUX, GRADIENT } what;
    size_t offset, bytes;
    int from, to;
} life;

static int back(const net *n, const pb_node *node)
{
    return 2 * (int)n->graph->nodes - 1 - node->index;
}

/* The last step at which somebody reads the value, or what is beside it, of `node`. */
static int last_read(const net *n, const pb_node *node, bool aux)
{
    int last = !aux && (node == n->graph->output || node == n->graph->loss) ? 2 * (int)n->graph->nodes : node->index;
    for (size_t i = 0; i < n->graph->nodes; i++) {
        const pb_node *reader = n->graph->node[i];
        for (int k = 0; k < PB_MAX_INPUTS && reader->op; k++) {
            bool wanted = n->graph->loss && (reader->want >> k & 1);
            for (int j = 0; j < PB_MAX_INPUTS && !aux; j++) {
                if (reader->in[j] != node)
                    continue;
                last = reader->index > last ? reader->index : last;
                if (wanted && (reader->op->reads[k] >> j & 1) && back(n, reader) > last)
                    last = back(n, reader);
            }
            if (reader == node && wanted && reader->op->reads[k] & (aux ? PB_AUX : PB_OUT) && back(n, node) > last)
                last = back(n, node);
        }
    }
    return last;
}

/* The backward step of the reader that writes the gradient first: the last one in order. */
static int first_write(const net *n, const pb_node *node)
{
    int first = back(n, node);
    for (size_t i = 0; i < n->graph->nodes; i++)
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->graph->node[i]->in[k] == node && (n->graph->node[i]->want >> k & 1))
                first = back(n, n->graph->node[i]) < first ? back(n, n->graph->node[i]) : first;
    return first;
}

static size_t lives_of(const net *n, life *out)
{
    size_t found = 0;
    for (size_t i = 0; i < n->graph->nodes; i++) {
        const pb_node *x = n->graph->node[i];
        const struct pb_node_plan *p = x->plan;
        size_t size = (size_t)x->rows * (size_t)x->cols * sizeof(pb_real);
        if (!x->op)
            continue;
        out[found++] = (life){x, VALUE, pb_allocation_root(&p->value)->offset, size, x->index, last_read(n, x, false)};
        if (x->op->aux)
            out[found++] =
                (life){x, AUX, p->aux.offset, x->op->aux(x) * sizeof(pb_real), x->index, last_read(n, x, true)};
        if (n->graph->loss && x->requires_grad)
            out[found++] =
                (life){x, GRADIENT, pb_allocation_root(&p->gradient)->offset, size, first_write(n, x), back(n, x)};
    }
    return found;
}

static bool overlap(const life *a, const life *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* Whether an op that says it can makes b over a, element by element, in a's last step. */
static bool handed_over(const life *a, const life *b)
{
    const pb_node *op = a->what == VALUE ? b->node : a->node, *input = a->what == VALUE ? a->node : b->node;
    unsigned can = a->what == VALUE ? op->op->inplace : op->op->inplace_grad;
    if (a->what == AUX || a->what != b->what || a->to != b->from || a->offset != b->offset || a->bytes != b->bytes)
        return false;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (op->in[k] == input && (can >> k & 1))
            return true;
    return false;
}

static bool apart(const life *a, const life *b)
{
    return !overlap(a, b) || a->to < b->from || b->to < a->from || handed_over(a, b) || handed_over(b, a);
}

static const char *describe(const life *a)
{
    static char text[2][64], *next = text[0];
    static const char *const what[] = {"value", "aux", "gradient"};
    next = next == text[0] ? text[1] : text[0];
    snprintf(next, sizeof text[0], "%s of %s %d, %d..%d", what[a->what], a->node->op->name, a->node->index, a->from,
             a->to);
    return next;
}

static void check_offsets(net *n)
{
    life alive[1024];
    build(n, true);
    plan(n, n->logits, n->loss);
    size_t found = lives_of(n, alive), shared = 0;
    for (size_t i = 0; i < found; i++) {
        CHECK(alive[i].offset % 64 == 0 && alive[i].offset + alive[i].bytes <= n->plan.activations);
        for (size_t k = 0; k < i; k++) {
            shared += overlap(&alive[i], &alive[k]);
            if (!CHECK(apart(&alive[i], &alive[k])))
                printf("  %s; %s\n", describe(&alive[i]), describe(&alive[k]));
        }
    }
    CHECK(shared > found / 2); /* memory is used again at all */
}

TEST(tensors_alive_together_have_their_own_bytes)
{
    for_all(check_offsets);
}

static size_t lines(int elements)
{
    return ((size_t)elements * sizeof(pb_real) + 63) / 64 * 64;
}

TEST(a_small_plan_by_hand)
{
    static const int classes[15] = {3, 1, 0, 2};
    net n = open_net();
    freeze_below(&n, PARAMS);
    n.param[HEAD_W].trainable = true;
    pb_graph *g = n.graph = pb_graph_new(n.arena, true);
    const pb_rows *set = pb_rows_whole(g, TEXTS, offset);
    pb_node *x = pb_op_embed(g, leaf(&n, TABLE), set, ids);
    n.logits = pb_op_linear(g, x, leaf(&n, HEAD_W), leaf(&n, HEAD_B));
    n.loss = pb_op_cross_entropy(g, n.logits, classes);
    plan(&n, n.logits, n.loss);
    /* The most is alive in the loss' backward: the input (for dW), logits (the output) and their
     * gradient, three numbers a row, the loss and its gradient. */
    CHECK_INT((long long)n.plan.activations,
              (long long)(lines(15 * C) + 2 * lines(15 * CLASSES) + lines(15 * 3) + 2 * lines(1)));
    CHECK_INT((long long)n.plan.gradients, (long long)(CLASSES * C * sizeof(pb_real)));
    CHECK_INT((long long)n.plan.forward_flops, 2 * 15 * C * CLASSES);
    CHECK_INT((long long)n.plan.backward_flops, 2 * 15 * C * CLASSES);
    CHECK_INT(n.plan.nodes, 3);
    CHECK_INT(n.plan.tokens, 15);
    close_net(&n);
}

TEST(a_plan_takes_no_memory_of_its_own)
{
    enum { SEQUENCES = 1000, LENGTH = 1000, DEEP = 60 };
    net n = open_net();
    int *where = pb_alloc((SEQUENCES + 1) * sizeof *where), *zeros = pb_alloc(SEQUENCES * LENGTH * sizeof *zeros);
    for (int s = 0; s <= SEQUENCES; s++)
        where[s] = s * LENGTH;
    size_t before = pb_peak_rss();
    pb_graph *g = n.graph = pb_graph_new(n.arena, true);
    pb_node *x = pb_op_embed(g, leaf(&n, TABLE), pb_rows_whole(g, SEQUENCES, where), zeros);
    for (int i = 0; i < DEEP; i++)
        x = pb_op_linear(g, x, in_layer(&n, 0, QW), NULL);
    plan(&n, x, pb_op_cross_entropy(g, x, zeros));
    CHECK(n.plan.activations > (size_t)DEEP * SEQUENCES * LENGTH * C * sizeof(pb_real));
    CHECK(pb_peak_rss() - before < 100 << 20);
    free(where);
    free(zeros);
    close_net(&n);
}

/* An executor grows and is used again, for other batches and other numbers of threads. */
TEST(an_executor_keeps_nothing_from_batch_to_batch)
{
    net n = open_net();
    pb_real *first = gradients(&n, false);
    for (int s = 0; s < TEXTS; s++)
        if (label[s] >= 0) {
            build_some(&n, true, s, s + 1);
            forward(&n, n.logits, n.loss);
            pb_executor_backward(n.executor, n.graph);
        }
    pb_real *again = gradients(&n, false);
    CHECK(same_bits(trainable(&n), first, again));
    pb_threads_start(2);
    pb_real *two = gradients(&n, true), *twice = gradients(&n, true);
    pb_threads_stop();
    CHECK(same_bits(trainable(&n), two, twice)); /* the bits depend on the thread count only */
    CHECK(near(trainable(&n), two, first));
    free(first);
    free(again);
    free(two);
    free(twice);
    close_net(&n);
}

TEST(given_values_are_not_written)
{
    net n = open_net();
    pb_rng r = pb_rng_named(6, "given");
    pb_real *x = random_reals(&r, 15 * C), *kept = pb_alloc(15 * C * sizeof *kept);
    memcpy(kept, x, 15 * C * sizeof *kept);
    pb_graph *g = n.graph = pb_graph_new(n.arena, true);
    pb_node *in = pb_graph_input(g, pb_rows_whole(g, TEXTS, offset), C, x);
    in = pb_op_scale(g, pb_op_act(g, PB_TANH, in), in_layer(&n, 0, SCALE));
    in = pb_op_select(g, in, pb_rows_pick(g, in->set, 0));
    n.logits = pb_op_linear(g, in, leaf(&n, HEAD_W), NULL);
    n.loss = pb_op_cross_entropy(g, n.logits, label);
    forward(&n, n.logits, n.loss);
    pb_executor_backward(n.executor, g);
    CHECK(same_bits(15 * C, x, kept));
    free(x);
    free(kept);
    close_net(&n);
}

/* ---- dead-row elimination -------------------------------------------------------------------------------- */

static void check_dead_rows(net *n)
{
    pb_real *restricted = gradients(n, true);
    double loss = (double)pb_graph_loss(n->graph)->x[0];
    pb_plan small = n->plan;
    build(n, true);
    forward(n, n->layer[LAYERS], n->loss); /* all rows of the last layer are read */
    double whole_loss = (double)pb_graph_loss(n->graph)->x[0];
    pb_executor_backward(n->executor, n->graph);
    CHECK_NEAR(loss, whole_loss, 10 * EXACT);
    CHECK(small.forward_flops < n->plan.forward_flops && small.backward_flops <= n->plan.backward_flops);
    CHECK(small.activations <= n->plan.activations);
    for (size_t i = 0, at = 0; i < PARAMS; i++)
        if (n->param[i].trainable) {
            if (!CHECK(near(count(&n->param[i]), restricted + at, n->param[i].g)))
                printf("  gradient of parameter %zu\n", i);
            at += count(&n->param[i]);
        }
    free(restricted);
}

TEST(rows_that_nobody_reads_make_no_difference)
{
    for_all(check_dead_rows);
}

/* With a head on one row of each text, the last layer's products are on those rows but for the keys
 * and values. */
TEST(dead_row_elimination_saves_the_last_layer_s_other_rows)
{
    net n = open_net();
    build(&n, false);
    plan(&n, n.logits, NULL);
    uint64_t restricted = n.plan.forward_flops;
    build(&n, false);
    plan(&n, n.layer[LAYERS], NULL);
    uint64_t per_row = 2 * (2 * C * C + 2 * C * RANK + 2 * C * HIDDEN), head = 2 * TEXTS * C * CLASSES, pairs = 0;
    for (int s = 0; s < TEXTS; s++) {
        uint64_t length = (uint64_t)(offset[s + 1] - offset[s]);
        pairs += (length - 1) * (length + PREFIX);
    }
    CHECK_INT((long long)(n.plan.forward_flops + head - restricted),
              (long long)((15 - TEXTS) * per_row + 2 * 2 * pairs * C));
    close_net(&n);
}

static void check_alone(net *n)
{
    n->dropout = 0; /* its mask depends on the position in the batch */
    build(n, false);
    forward(n, n->logits, NULL);
    pb_real *together = values(pb_graph_output(n->graph));
    for (int s = 0; s < TEXTS; s++) {
        build_some(n, false, s, s + 1);
        forward(n, n->logits, NULL);
        CHECK(near(CLASSES, pb_graph_output(n->graph)->x, together + (ptrdiff_t)s * CLASSES));
    }
    free(together);
}

TEST(a_text_does_not_see_its_neighbours)
{
    for_all(check_alone);
}

TEST(what_only_the_output_reads_gets_no_gradient)
{
    net n = open_net();
    build(&n, true);
    plan(&n, n.logits, n.loss);
    pb_plan usual = n.plan;
    build(&n, true);
    pb_param beside = {.rows = 1, .cols = CLASSES, .x = n.param[HEAD_B].x, .g = n.param[HEAD_B].g, .trainable = true};
    pb_node *output = pb_op_scale(n.graph, n.logits, pb_graph_param(n.graph, &beside));
    forward(&n, output, n.loss);
    pb_executor_backward(n.executor, n.graph);
    CHECK_INT((long long)n.plan.gradients, (long long)usual.gradients);
    CHECK_INT((long long)n.plan.backward_flops, (long long)usual.backward_flops);
    for (int i = 0; i < CLASSES; i++)
        CHECK(isfinite((double)n.param[HEAD_B].g[i]));
    close_net(&n);
}

TEST(where_nothing_trains_there_is_no_backward)
{
    net n = open_net();
    freeze_below(&n, PARAMS);
    build(&n, true);
    forward(&n, n.logits, n.loss);
    CHECK(!pb_graph_loss(n.graph));
    CHECK(n.plan.backward_flops == 0 && n.plan.gradients == 0);
    close_net(&n);
}

/* ---- features ---------------------------------------------------------------------------------------------- */

TEST(a_feature_computed_once_stands_for_what_is_below)
{
    net n = open_net();
    n.dropout = 0;
    freeze_below(&n, PARAMS);
    n.param[HEAD_W].trainable = n.param[HEAD_B].trainable = true;
    pb_real *want = gradients(&n, false);
    uint64_t flops = n.plan.forward_flops;
    build(&n, false);
    pb_node *f = pb_graph_feature(n.graph, n.logits);
    if (!CHECK(f && f->rows == TEXTS && f->cols == C))
        return;
    forward(&n, f, NULL);
    pb_real *feature = values(pb_graph_output(n.graph));
    build(&n, true);
    pb_graph_cut(n.graph, pb_graph_feature(n.graph, n.logits), feature);
    forward(&n, n.logits, n.loss);
    pb_executor_backward(n.executor, n.graph);
    CHECK(same_bits(CLASSES * C, want, n.param[HEAD_W].g));
    CHECK(same_bits(CLASSES, want + CLASSES * C, n.param[HEAD_B].g));
    CHECK_INT((long long)n.plan.forward_flops, 2 * TEXTS * C * CLASSES);
    CHECK(n.plan.forward_flops < flops / 10);
    free(want);
    free(feature);
    close_net(&n);
}

/* Dropout within an attention is dropout as well. */
TEST(there_is_no_feature_above_a_dropping_attention)
{
    net n = open_net();
    freeze_below(&n, HEAD_W);
    for (int drops = 0; drops < 2; drops++) {
        pb_graph *g = n.graph = pb_graph_new(n.arena, true);
        const pb_rows *set = pb_rows_whole(g, TEXTS, offset);
        pb_node *q = pb_op_embed(g, leaf(&n, TABLE), set, ids), *k = pb_op_act(g, PB_TANH, q);
        pb_node *v = pb_op_act(g, PB_GELU, q);
        pb_node *a =
            pb_op_attention(g, q, k, v, (pb_attention_conf){.heads = HEADS, .drop = drops ? 0.1 : 0, .key = 1});
        pb_node *row = pb_op_select(g, a, pb_rows_pick(g, set, 0));
        pb_node *logits = pb_op_linear(g, row, leaf(&n, HEAD_W), NULL);
        CHECK((pb_graph_feature(g, logits) == row) == !drops);
    }
    close_net(&n);
}

static bool has_feature(net *n)
{
    build(n, true);
    return pb_graph_feature(n->graph, n->logits) != NULL;
}

TEST(there_is_no_feature_above_what_trains_or_drops)
{
    net n = open_net();
    freeze_below(&n, HEAD_W);
    CHECK(!has_feature(&n)); /* the layers train */
    freeze_below(&n, PARAMS);
    n.param[HEAD_W].trainable = true;
    CHECK(!has_feature(&n)); /* dropout in the layers */
    n.dropout = 0;
    CHECK(has_feature(&n));
    n.param[PREFIXED].trainable = true;
    CHECK(!has_feature(&n));
    n.param[PREFIXED].trainable = false;
    n.param[OUTER + PER_LAYER + OUTER_W].trainable = true; /* frozen values come in by two ways */
    CHECK(!has_feature(&n));
    close_net(&n);
}

/* ---- rows and leaves ------------------------------------------------------------------------------------- */

TEST(row_sets_know_where_they_come_from)
{
    static const int lengths[] = {0, 3, 4, 9};
    pb_arena *arena = pb_arena_new("rows");
    pb_graph *g = pb_graph_new(arena, false);
    const pb_rows *whole = pb_rows_whole(g, 3, lengths), *longer = pb_rows_extended(g, whole, 2);
    const pb_rows *first = pb_rows_pick(g, whole, 0), *last = pb_rows_pick(g, longer, -1);
    CHECK(whole->count == 9 && whole->sequences == 3 && !whole->of && !whole->index);
    CHECK(whole->position[2] == 2 && whole->position[3] == 0 && whole->position[8] == 4);
    CHECK(longer->count == 15 && longer->offset[1] == 5 && longer->offset[2] == 8 && longer->position[14] == 6);
    CHECK(first->count == 3 && first->of == whole && first->offset[3] == 3);
    CHECK(first->index[0] == 0 && first->index[1] == 3 && first->index[2] == 4 && first->position[2] == 0);
    CHECK(last->index[0] == 4 && last->index[1] == 7 && last->index[2] == 14 && last->position[2] == 6);
    CHECK_INT(pb_rows_origin(pb_rows_pick(g, first, 0), 2), 4); /* through two selections */
    CHECK_INT(pb_rows_origin(whole, 7), 7);
    pb_arena_free(arena);
}

TEST(a_parameter_has_one_leaf_a_graph)
{
    net n = open_net();
    pb_graph *one = pb_graph_new(n.arena, true);
    pb_node *a = pb_graph_param(one, &n.param[0]), *b = pb_graph_param(one, &n.param[1]);
    CHECK(a != b && pb_graph_param(one, &n.param[0]) == a && pb_graph_param(one, &n.param[1]) == b);
    pb_graph *two = pb_graph_new(n.arena, false);
    pb_node *c = pb_graph_param(two, &n.param[0]);
    CHECK(c != a && pb_graph_param(two, &n.param[0]) == c && a->requires_grad && !c->requires_grad);
    CHECK(pb_graph_training(one) && !pb_graph_training(two) && pb_graph_arena(two) == n.arena);
    close_net(&n);
}
