/* The preparation before training: what methods ask for against an independent computation, its plan, and what it leaves
 * behind. */
#include "fixture.h"

#include "base/threads.h"
#include "model/start.h"
#include "util.h"

/* ---- a method that keeps what it is told ----------------------------------------------------------------- */

typedef struct conf {
    int ask, samples;
    const char *targets;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, ask, INT, "7", 0, 7, "bits PB_ASK_.."),
    PB_OPTION(conf, samples, INT, "5", 1, 100, "examples"),
    PB_OPTION(conf, targets, TEXT, "*.attn.q 1.mlp.down", "projections"),
    {0},
};

enum { MOST = 96 };

/* Copies of what the hook was told, by site. */
static struct told {
    int calls, examples, classes;
    bool asked[3];
    pb_real *matrix[3][MOST];
    char weight[MOST][64]; /* the weight's name; empty for a site that is no target */
} told;

static pb_node *pass(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *y = pb_inner_linear(b, site, x);
    return pb_op_linear_add(b->graph, y, x, pb_added(b, site, "A", site->out, site->in, pb_init_constant(0)), 1);
}

static unsigned asks(const void *settings)
{
    return (unsigned)((const conf *)settings)->ask;
}

static void keep(const pb_site *site, int which, const pb_real *const *from, size_t n)
{
    if (from && from[site->number])
        told.matrix[which][site->number] =
            memcpy(pb_alloc(n * sizeof(pb_real)), from[site->number], n * sizeof(pb_real));
}

static void start(pb_build *b, const pb_training_stats *s)
{
    told.calls++;
    told.examples = s->examples;
    told.classes = s->classes;
    told.asked[0] = s->inputs != NULL;
    told.asked[1] = s->gradient != NULL;
    told.asked[2] = s->squares != NULL;
    for (const pb_site *site = pb_next_target(b, NULL); site; site = pb_next_target(b, site)) {
        size_t n = (size_t)site->out * (size_t)site->in;
        snprintf(told.weight[site->number], 64, "%s", site->w->name);
        keep(site, 0, s->inputs, (size_t)site->in * (size_t)site->in);
        keep(site, 1, s->gradient, n);
        keep(site, 2, s->squares, n);
        const pb_param *own = pb_tensor(b, site, "A");
        CHECK((own->g != NULL) == told.asked[1]);
        if (own->g) /* y = (W + A) x: the gradients are the same */
            CHECK(same_bits(n, own->g, s->gradient[site->number]));
    }
}

static const pb_method listener = {.name = "listener",
                                   .settings = {options, sizeof(conf)},
                                   .hooks.linear = pass,
                                   .hooks.asks = asks,
                                   .hooks.start = start};

/* Another one, which does not ask. */
static const pb_method deaf = {.name = "deaf", .settings = {options, sizeof(conf)}, .hooks.linear = pass};

static void forget(void)
{
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < MOST; i++)
            free(told.matrix[k][i]);
    told = (struct told){0};
}

/* ---- models and examples ---------------------------------------------------------------------------------- */

enum { EXAMPLES = 5 };

static pb_model *open_model(int classes, int precision, int layers, const pb_attached *part, int parts)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY,
                                              .classes = classes,
                                              .seed = 3,
                                              .layers = layers,
                                              .bare = !classes,
                                              .base = {.precision = precision}});
    if (!m || pb_model_attach(m, part, parts))
        PB_BUG("%s", pb_error_text());
    return m;
}

static pb_batch make(const void *ctx, pb_arena *arena, const int *example, int n)
{
    const pb_batch *all = ctx;
    int *offset = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *offset), at = 0;
    int *id = pb_arena_alloc(arena, PB_META, (size_t)all->offset[all->sequences] * sizeof *id);
    int *label = pb_arena_alloc(arena, PB_META, (size_t)n * sizeof *label);
    for (int s = 0; s < n; s++) {
        label[s] = all->label[example[s]];
        for (int r = all->offset[example[s]]; r < all->offset[example[s] + 1]; r++)
            id[at++] = all->ids[r];
        offset[s + 1] = at;
    }
    return (pb_batch){.sequences = n, .offset = offset, .ids = id, .label = label};
}

static const int class_count[] = {2, 1, 2};

static pb_samples samples_in_batches_of(int batch)
{
    return (pb_samples){.classes = 3,
                        .class_count = class_count,
                        .count = EXAMPLES,
                        .batch = batch,
                        .make = make,
                        .ctx = &fixture_batch};
}

static pb_preparation run(pb_model *m, int batch)
{
    pb_samples s = samples_in_batches_of(batch);
    pb_preparation planned;
    forget();
    if (pb_model_plan_start(m, &s, &planned) || pb_model_start(m, &s, &planned))
        PB_BUG("%s", pb_error_text());
    return planned;
}

/* ---- the same by other means -------------------------------------------------------------------------------- */

static const pb_method everything = {.name = "everything", .hooks.select = pb_select_everything};

/* Runs a batch of the examples (NULL: all of them), forward and backward, with fresh gradients. */
static void backward(pb_model *m, const int *example, int n)
{
    static const int all[] = {0, 1, 2, 3, 4};
    pb_arena *arena = pb_arena_new("backward");
    pb_executor *e = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, true);
    pb_batch batch = make(&fixture_batch, arena, example ? example : all, n);
    pb_outputs out;
    pb_plan plan;
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        free(p->g);
        p->g = p->trainable ? pb_alloc((size_t)p->rows * (size_t)p->cols * sizeof *p->g) : NULL;
    }
    if (pb_model_build(m, g, &batch, 0, 0, &out) || pb_graph_plan(g, out.logits, out.loss, &plan))
        PB_BUG("%s", pb_error_text());
    pb_executor_bind(e, g, &plan);
    pb_executor_forward(e, g);
    pb_executor_backward(e, g);
    pb_executor_free(e);
    pb_arena_free(arena);
}

static void close_trained(pb_model *m)
{
    for (int i = 0; i < pb_model_params(m); i++)
        free(pb_model_param(m, i)->g);
    pb_model_free(m);
}

/* Compares what the listener was told of each target with the gradients of the trained model, or with `squares`
 * [params] of them. */
static void compare(int which, const pb_model *trained, double *const *want)
{
    int targets = 0;
    for (int i = 0; i < MOST; i++) {
        if (!CHECK((told.matrix[which][i] != NULL) == (told.weight[i][0] != 0)) || !told.weight[i][0])
            continue;
        for (int k = 0; k < pb_model_params(trained); k++) {
            const pb_param *p = pb_model_param(trained, k);
            if (strcmp(p->name, told.weight[i]) != 0)
                continue;
            targets++;
            CHECK(distance((size_t)p->rows * (size_t)p->cols, told.matrix[which][i], want[k]) <= 20 * EXACT);
        }
    }
    CHECK_INT(targets, 3); /* attn.q of both layers and mlp.down of the last */
}

static double **new_sums(const pb_model *m)
{
    double **sum = pb_alloc((size_t)pb_model_params(m) * sizeof(double *));
    for (int k = 0; k < pb_model_params(m); k++)
        sum[k] = pb_alloc((size_t)pb_model_param(m, k)->rows * (size_t)pb_model_param(m, k)->cols * sizeof(double));
    return sum;
}

static void add_gradients(const pb_model *m, double **sum, int power, double weight)
{
    for (int k = 0; k < pb_model_params(m); k++) {
        const pb_param *p = pb_model_param(m, k);
        for (int i = 0; i < p->rows * p->cols && p->g; i++)
            sum[k][i] += weight * pow((double)p->g[i], power);
    }
}

static void free_sums(const pb_model *m, double **sum)
{
    for (int k = 0; k < pb_model_params(m); k++)
        free(sum[k]);
    free(sum);
}

TEST(gradients_and_squares_are_those_of_training)
{
    const conf c = {.ask = PB_ASK_GRADIENT | PB_ASK_SQUARES, .samples = 100, .targets = "*.attn.q 1.mlp.down"};
    pb_model *m = open_model(3, PB_IN_FP32, 0, &(pb_attached){&listener, &c}, 1);
    pb_model *trained = open_model(3, PB_IN_FP32, 0, &(pb_attached){&everything, NULL}, 1);
    double **mean = new_sums(trained), **squares = new_sums(trained);
    pb_threads_start(2);
    backward(trained, NULL, EXAMPLES);
    add_gradients(trained, mean, 1, 1);
    for (int i = 0; i < EXAMPLES; i++) {
        backward(trained, &i, 1);
        add_gradients(trained, squares, 2, 1.0 / EXAMPLES);
    }
    run(m, 2);
    CHECK_INT(told.calls, 1);
    CHECK_INT(told.examples, EXAMPLES);
    CHECK_INT(told.classes, 3);
    CHECK(!told.asked[0]);
    compare(1, trained, mean);
    compare(2, trained, squares);
    pb_threads_stop();
    free_sums(trained, mean);
    free_sums(trained, squares);
    close_trained(trained);
    pb_model_free(m);
}

/* In batches of 2, 2 and 1, and in one of all: each example counts once. */
TEST(the_mean_gradient_does_not_depend_on_the_batches)
{
    const conf c = {.ask = PB_ASK_GRADIENT, .samples = 100, .targets = "*.attn.q 1.mlp.down"};
    pb_model *trained = open_model(3, PB_IN_FP32, 0, &(pb_attached){&everything, NULL}, 1);
    double **mean = new_sums(trained);
    backward(trained, NULL, EXAMPLES);
    add_gradients(trained, mean, 1, 1);
    for (int batch = 1; batch <= 6; batch++) {
        pb_model *m = open_model(3, PB_IN_FP32, 0, &(pb_attached){&listener, &c}, 1);
        run(m, batch);
        compare(1, trained, mean);
        pb_model_free(m);
    }
    free_sums(trained, mean);
    close_trained(trained);
}

/* The inputs of layer 1's attention are the outputs of a network of one layer. */
TEST(the_inputs_are_those_of_the_projection)
{
    enum { WIDTH = 16 };
    const conf c = {.ask = PB_ASK_INPUTS, .samples = 100, .targets = "1.attn.q"};
    pb_model *m = open_model(3, PB_IN_FP32, 0, &(pb_attached){&listener, &c}, 1),
             *one = open_model(0, PB_IN_FP32, 1, NULL, 0);
    double want[WIDTH * WIDTH] = {0};
    pb_arena *arena = pb_arena_new("inputs");
    pb_executor *e = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, false);
    pb_outputs out;
    pb_plan plan;
    CHECK(!pb_model_build(one, g, &fixture_batch, 0, 0, &out) && !pb_graph_plan(g, out.logits, NULL, &plan));
    pb_executor_bind(e, g, &plan);
    pb_executor_forward(e, g);
    const pb_node *x = pb_graph_output(g);
    for (int i = 0; i < WIDTH * WIDTH; i++)
        for (int t = 0; t < x->rows; t++)
            want[i] += (double)x->x[t * WIDTH + i / WIDTH] * (double)x->x[t * WIDTH + i % WIDTH] / x->rows;
    CHECK_INT(x->rows, fixture_offset[EXAMPLES]);
    run(m, 2);
    CHECK(told.asked[0] && !told.asked[1] && !told.asked[2]);
    for (int i = 0; i < MOST; i++)
        CHECK(!told.matrix[0][i] || distance(WIDTH * WIDTH, told.matrix[0][i], want) <= 20 * EXACT);
    pb_executor_free(e);
    pb_arena_free(arena);
    pb_model_free(one);
    pb_model_free(m);
}

/* A base in four bits has the gradients of a base in full precision with the same values. */
TEST(gradients_of_a_quantized_base)
{
    const conf c = {.ask = PB_ASK_GRADIENT, .samples = 100, .targets = "*.attn.q 1.mlp.down"};
    pb_model *m = open_model(3, PB_IN_NF4, 0, &(pb_attached){&listener, &c}, 1);
    pb_model *trained = open_model(3, PB_IN_FP32, 0, &(pb_attached){&everything, NULL}, 1);
    double **mean = new_sums(trained);
    for (int k = 0; k < pb_model_params(trained); k++) {
        pb_param *p = pb_model_param(trained, k);
        const pb_param *packed = pb_model_find(m, p->name);
        if (packed->packed)
            pb_param_values(packed, 0, p->rows, 0, p->cols, p->x);
    }
    CHECK(pb_model_find(m, "layer.1.mlp.down.weight")->packed != NULL);
    backward(trained, NULL, EXAMPLES);
    add_gradients(trained, mean, 1, 1);
    run(m, 2);
    compare(1, trained, mean);
    free_sums(trained, mean);
    close_trained(trained);
    pb_model_free(m);
}

/* A method that draws, drops out, penalizes and wants two passes while training. */
static pb_node *draw_and_drop(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_penalty(b, pb_op_sum(b->graph, x), 3);
    x = pb_draw(b, 2) < 0 ? x : pb_op_times(b->graph, x, 2);
    return pb_inner_linear(b, site, pb_drop(b, x, 0.5));
}

static pb_node *diverge(pb_build *b, pb_node *first, pb_node *second)
{
    return pb_op_consistency(b->graph, first, second);
}

static const pb_method noisy = {.name = "noisy", .hooks.linear = draw_and_drop, .hooks.consistency = diverge};

TEST(what_training_adds_is_in_no_statistic)
{
    const conf c = {.ask = PB_ASK_GRADIENT, .samples = 100, .targets = "*.attn.q 1.mlp.down"};
    pb_model *m = open_model(3, PB_IN_FP32, 0, (const pb_attached[]){{&listener, &c}, {&noisy, NULL}}, 2);
    pb_model *trained = open_model(3, PB_IN_FP32, 0, &(pb_attached){&everything, NULL}, 1);
    double **mean = new_sums(trained);
    backward(trained, NULL, EXAMPLES);
    add_gradients(trained, mean, 1, 1);
    run(m, 2);
    compare(1, trained, mean);
    free_sums(trained, mean);
    close_trained(trained);
    pb_model_free(m);
}

TEST(a_statistic_that_is_not_finite_is_refused)
{
    static const char *const what[] = {"the Gram matrix of the inputs", "the mean gradient",
                                       "the mean square of the gradient"};
    for (int k = 0; k < 3; k++) {
        const conf c = {.ask = 1 << k, .samples = 100, .targets = "1.mlp.down"};
        pb_model *m = open_model(3, PB_IN_FP32, 0, (const pb_attached[]){{&listener, &c}, {&everything, NULL}}, 2);
        pb_samples s = samples_in_batches_of(2);
        pb_preparation planned;
        pb_model_find(m, "layer.1.mlp.up.weight")->x[0] = (pb_real)NAN;
        CHECK(!pb_model_plan_start(m, &s, &planned));
        CHECK(pb_model_start(m, &s, &planned) == -1);
        if (!CHECK(!strncmp(pb_error_text(), what[k], strlen(what[k])) &&
                   strstr(pb_error_text(), "of 'layer.1.mlp.down.weight' over the training examples is not finite")))
            printf("  %s\n", pb_error_text());
        pb_error_clear();
        pb_model_free(m);
    }
}

/* ---- memory, and what stays ----------------------------------------------------------------------------------- */

static size_t bytes_of_targets(void)
{
    return 2 * pb_arena_size(16 * 16 * sizeof(pb_real)) + pb_arena_size(16 * 32 * sizeof(pb_real));
}

/* Gradients or squares take two buffers of the size of the targets, whatever the number of examples. */
TEST(two_dense_buffers)
{
    conf c = {.samples = 100, .targets = "*.attn.q 1.mlp.down"};
    pb_model *m = open_model(3, PB_IN_FP32, 0, &(pb_attached){&listener, &c}, 1);
    c.ask = PB_ASK_SQUARES;
    pb_preparation p = run(m, 2);
    CHECK_INT((long long)p.gradients, (long long)bytes_of_targets());
    CHECK_INT((long long)p.statistics, (long long)bytes_of_targets());
    c.ask = PB_ASK_GRADIENT; /* and the listener's own tensors, which are as large */
    p = run(m, 2);
    CHECK_INT((long long)p.gradients, 2 * (long long)bytes_of_targets());
    CHECK_INT((long long)p.statistics, 2 * (long long)bytes_of_targets());
    c.ask = 0;
    p = run(m, 2);
    CHECK_INT((long long)(p.gradients + p.statistics + p.activations + p.workspace + p.flops), 0);
    CHECK_INT(told.calls, 1);
    CHECK_INT(told.examples, 0);
    pb_model_free(m);
}

/* Nothing frozen is written, and what trains is what trained before. */
TEST(the_model_stays_as_it_was)
{
    const conf c = {.ask = 7, .samples = 100, .targets = "*.attn.q 1.mlp.down"};
    pb_model *m = open_model(3, PB_IN_FP32, 0, &(pb_attached){&listener, &c}, 1);
    pb_model *before = open_model(3, PB_IN_FP32, 0, &(pb_attached){&listener, &c}, 1);
    run(m, 2);
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i), *q = pb_model_param(before, i);
        CHECK(p->trainable == q->trainable && !p->g);
        CHECK(!memcmp(p->x, q->x, pb_param_bytes(p)));
    }
    pb_model_free(before);
    pb_model_free(m);
}

/* The examples are drawn by a stream of the model's seed: the same ones again, and all of them if there are no more. */
TEST(samples_are_drawn_once)
{
    const conf c = {.ask = PB_ASK_SQUARES, .samples = 2, .targets = "1.mlp.down"};
    pb_real *first = NULL;
    pb_threads_start(2);
    for (int again = 0; again < 2; again++) {
        pb_model *m = open_model(3, PB_IN_FP32, 0, &(pb_attached){&listener, &c}, 1);
        run(m, 5);
        CHECK_INT(told.examples, 2);
        for (int i = 0; i < MOST; i++)
            if (told.matrix[2][i]) {
                if (first)
                    CHECK(same_bits(16 * 32, first, told.matrix[2][i]));
                else
                    first = memcpy(pb_alloc(16 * 32 * sizeof *first), told.matrix[2][i], 16 * 32 * sizeof *first);
            }
        pb_model_free(m);
    }
    CHECK(first != NULL);
    free(first);
    pb_threads_stop();
}

TEST(methods_that_want_different_samples_are_refused)
{
    const conf few = {.ask = 1, .samples = 2, .targets = "*"}, many = {.ask = 2, .samples = 3, .targets = "*"};
    static const pb_method other = {.name = "other",
                                    .settings = {options, sizeof(conf)},
                                    .hooks.linear = pass,
                                    .hooks.asks = asks,
                                    .hooks.start = start};
    const pb_attached part[] = {{&listener, &few}, {&deaf, &many}, {&other, &many}};
    pb_model *m = open_model(3, PB_IN_FP32, 0, part, 3);
    pb_samples s = samples_in_batches_of(2);
    pb_preparation planned;
    CHECK_INT(pb_model_plan_start(m, &s, &planned), -1);
    CHECK_TEXT(pb_error_text(), "listener and other: samples: 2 and 3; want one number for both");
    s.count = 0;
    pb_error_clear();
    pb_model_free(m);
    m = open_model(3, PB_IN_FP32, 0, part, 1);
    CHECK_INT(pb_model_plan_start(m, &s, &planned), -1);
    CHECK_TEXT(pb_error_text(), "listener: there is no training example to start from");
    pb_error_clear();
    pb_model_free(m);
    forget();
}

static void fail(pb_build *b, const pb_training_stats *stats)
{
    (void)b;
    (void)stats;
    pb_error("no decomposition");
}

static const pb_method failing = {.name = "failing", .hooks.linear = pass, .hooks.start = fail};

TEST(the_error_of_a_hook_ends_the_preparation)
{
    pb_model *m = open_model(3, 0, 0, &(pb_attached){.method = &failing}, 1);
    pb_samples s = samples_in_batches_of(5);
    pb_preparation planned;
    CHECK(!pb_model_plan_start(m, &s, &planned));
    CHECK(pb_model_start(m, &s, &planned) == -1);
    CHECK_TEXT(pb_error_text(), "failing: start: no decomposition");
    pb_model_free(m);
}
