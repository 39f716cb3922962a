/* The graph as a whole: what the planner promises of memory, what narrowing promises of values,
 * what frozen features promise, on a small mixed network. */
#include "util.h"

#include "base/threads.h"
#include "graph/internal.h"
#include "graph/op.h"

/* ---- a network of every kind of op --------------------------------------------------------------------- */

enum { WORDS = 30, PLACES = 12, C = 12, HEADS = 3, HIDDEN = 20, RANK = 3, PREFIX = 2, CLASSES = 4, LAYERS = 2 };

enum {
    TABLE,
    PLACE,
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
static const int layer_shape[PER_LAYER][2] = {{C, C}, {1, C}, {C, C}, {C, C},      {RANK, C},   {C, RANK}, {C, C},
                                              {1, C}, {1, C}, {1, C}, {HIDDEN, C}, {1, HIDDEN}, {C, HIDDEN}};

typedef struct net {
    pb_param param[PARAMS];
    bool causal, prefixed;
    int pool; /* the row of each sequence that the head reads */
    double dropout;
    pb_arena *arena;
    pb_machine *machine;
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
    n.machine = pb_machine_new();
    return n;
}

static void close_net(net *n)
{
    for (int i = 0; i < PARAMS; i++) {
        free(n->param[i].x);
        free(n->param[i].g);
    }
    pb_machine_free(n->machine);
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

static pb_node *attend(net *n, int l, pb_node *x)
{
    pb_graph *g = n->graph;
    pb_node *q = pb_op_linear(g, x, in_layer(n, l, QW), in_layer(n, l, QB));
    pb_node *h = pb_op_linear(g, pb_op_dropout(g, x, n->dropout, (uint64_t)l), in_layer(n, l, DOWN_A), NULL);
    q = pb_op_linear_add(g, q, h, in_layer(n, l, UP_B), 0.5);
    pb_node *k = pb_op_linear(g, x, in_layer(n, l, KW), NULL), *v = pb_op_linear(g, x, in_layer(n, l, VW), NULL);
    if (n->prefixed) {
        k = pb_op_prepend(g, leaf(n, PREFIXED), k);
        v = pb_op_prepend(g, leaf(n, PREFIXED), v);
    }
    return pb_op_linear(g, pb_op_attention(g, q, k, v, HEADS, n->causal), in_layer(n, l, OW), NULL);
}

static pb_node *layer(net *n, int l, pb_node *x)
{
    pb_graph *g = n->graph;
    x = pb_op_add(g, pb_op_dropout(g, attend(n, l, x), n->dropout, 10 + (uint64_t)l), x);
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
    x = pb_op_position(g, x, leaf(n, PLACE), leaf(n, TYPE), 1);
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
    pb_machine_bind(n->machine, n->graph, &n->plan);
    pb_machine_forward(n->machine, n->graph);
}

/* Everything of a training step; the gradients one after the other. */
static pb_real *gradients(net *n, bool poison)
{
    build(n, true);
    forward(n, n->logits, n->loss);
    if (poison)
        pb_machine_poison(n->machine, n->graph);
    pb_machine_backward(n->machine, n->graph);
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

static double distance_of(size_t n, const pb_real *a, const pb_real *b)
{
    double *want = pb_alloc(n * sizeof *want), d;
    for (size_t i = 0; i < n; i++)
        want[i] = (double)b[i];
    d = distance(n, a, want);
    free(want);
    return d;
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
    pb_machine_watch(n->machine, true);
    for (int scoring = 0; scoring < 2; scoring++) {
        build(n, !scoring);
        forward(n, n->logits, scoring ? NULL : n->loss);
        CHECK(pb_machine_flops(n->machine) == n->plan.forward_flops);
        if (!scoring) {
            pb_machine_backward(n->machine, n->graph);
            CHECK(pb_machine_flops(n->machine) == n->plan.backward_flops);
        }
        size_t touched = pb_machine_touched(n->machine);
        CHECK(touched <= n->plan.activations && touched + 64 > n->plan.activations);
    }
}

TEST(the_plan_is_the_high_water_mark)
{
    for_all(check_high_water);
}

/* One tensor's bytes and the steps at which it must hold its value, found without the planner. */
typedef struct life {
    const char *name;
    size_t offset, bytes;
    int from, to;
    const pb_node *over; /* the op that may write this tensor while the one below it ends */
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
        size_t size = (size_t)x->rows * (size_t)x->cols * sizeof(pb_real);
        if (!x->op)
            continue;
        const struct pb_slot *p = x->place;
        out[found++] = (life){x->op->name, pb_span_root(&p->value)->offset, size, x->index, last_read(n, x, false), x};
        if (p->aux.bytes)
            out[found++] = (life){"aux", p->aux.offset, p->aux.bytes, x->index, last_read(n, x, true), NULL};
        if (n->graph->loss && x->needs)
            out[found++] = (life){"gradient",      pb_span_root(&p->gradient)->offset, size, first_write(n, x),
                                  back(n, x), NULL};
    }
    return found;
}

static bool overlap(const life *a, const life *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* In the step at which one tensor ends and the other begins they may share bytes, all of them and
 * in place, element over element: then the op has said so, and poisoned runs show that it can. */
static bool apart(const life *a, const life *b)
{
    if (a->to < b->from || b->to < a->from)
        return true;
    bool hand_over = (a->to == b->from) != (b->to == a->from) || (a->from == a->to && a->to == b->from);
    return hand_over && a->offset == b->offset && a->bytes == b->bytes;
}

static void check_offsets(net *n)
{
    life alive[1024];
    build(n, true);
    plan(n, n->logits, n->loss);
    size_t found = lives_of(n, alive), shared = 0;
    CHECK(found < PB_COUNT(alive));
    for (size_t i = 0; i < found; i++) {
        CHECK(alive[i].offset % 64 == 0 && alive[i].offset + alive[i].bytes <= n->plan.activations);
        for (size_t k = 0; k < i; k++) {
            shared += overlap(&alive[i], &alive[k]);
            if (overlap(&alive[i], &alive[k]) && !CHECK(apart(&alive[i], &alive[k])))
                printf("  %s %d..%d and %s %d..%d\n", alive[i].name, alive[i].from, alive[i].to, alive[k].name,
                       alive[k].from, alive[k].to);
        }
    }
    CHECK(shared > found / 2); /* memory is used again at all */
}

TEST(tensors_alive_together_have_their_own_bytes)
{
    for_all(check_offsets);
}
