/* The optimizers: the parameters after 20 steps are those of PyTorch, transformers and lion-pytorch; what they keep is as
 * planned; and methods compose with them. */
#include "toy.h"

#include "base/threads.h"
#include "golden.h"

enum { STEPS = 20, SUMS = 4 };
#define TOLERANCE (sizeof(pb_real) == 8 ? 1e-9 : 1e-3) /* of the largest of a tensor's sums */
#define DECAY 0.1
#define CLIP 0.5

/* ---- against the originals --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int optimizer;
    double momentum, rate;
} cases[] = {{"adamw", PB_ADAMW, 0, 1e-3},
             {"sgd", PB_SGD, 0.9, 0.05},
             {"sgd-plain", PB_SGD, 0, 0.5},
             {"adafactor", PB_ADAFACTOR, 0, 1e-2},
             {"lion", PB_LION, 0, 1e-3}};

/* All but the biases of the keys, whose gradient is rounding noise. */
static bool select_most(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)layers;
    return !strstr(p->name, "attn.k.bias");
}

static pb_model *open_model(void)
{
    static const pb_method most = {.name = "most", .hooks.select = select_most};
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
    if (!m || pb_model_attach(m, &(pb_attached){&most, NULL}, 1))
        PB_BUG("%s", pb_error_text());
    return m;
}

/* Copies of the values of all parameters.  The caller frees them. */
static double **copy_values(const pb_model *m)
{
    double **copy = pb_alloc((size_t)pb_model_params(m) * sizeof *copy);
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        copy[i] = pb_alloc(pb_param_elements(p) * sizeof **copy);
        for (size_t k = 0; k < pb_param_elements(p); k++)
            copy[i][k] = (double)p->x[k];
    }
    return copy;
}

/* The sums of the change of a parameter, as make_optimizers.py computes them. */
static void sum_changes(const pb_param *p, const double *start, double sum[SUMS])
{
    for (int f = 1; f <= SUMS; f++) {
        sum[f - 1] = 0;
        for (size_t k = 0; k < pb_param_elements(p); k++)
            sum[f - 1] += ((double)p->x[k] - start[k]) * cos(f * ((double)k + 1));
    }
}

/* Takes the steps, and compares the losses. */
static void train_model(pb_model *m, const golden *g, const golden_tensor *losses, pb_optim *optim, double rate)
{
    pb_arena *arena = pb_arena_new("step");
    pb_executor *executor = pb_executor_new();
    pb_batch batch = golden_batch(g);
    double worst = 0;
    for (int step = 0; step < STEPS; step++) {
        pb_outputs out;
        pb_plan plan;
        pb_arena_reset(arena);
        pb_graph *graph = pb_graph_new(arena, true);
        if (pb_model_build(m, graph, &batch, 0, 0, &out) || pb_graph_plan(graph, out.logits, out.loss, &plan))
            PB_BUG("%s", pb_error_text());
        pb_executor_bind(executor, graph, &plan);
        pb_executor_forward(executor, graph);
        worst = fmax(worst, fabs((double)pb_graph_loss(graph)->x[0] - losses->x[step]));
        pb_executor_backward(executor, graph);
        pb_optim_step(optim, graph, &(pb_step){.step = step, .steps = STEPS, .rate = rate});
    }
    printf("  losses off by %.2g", worst);
    CHECK(worst <= TOLERANCE);
    pb_executor_free(executor);
    pb_arena_free(arena);
}

static void compare_changes(golden *g, golden_tensor *t, const pb_model *m, double **start)
{
    double worst = 0, got[SUMS];
    int compared = 0, trained = 0;
    do {
        int i = 0;
        while (i < pb_model_params(m) && strcmp(pb_model_param(m, i)->name, t->name) != 0)
            i++;
        if (!CHECK(i < pb_model_params(m) && t->cols == SUMS))
            break;
        sum_changes(pb_model_param(m, i), start[i], got);
        double off = golden_difference(t, got) / golden_largest(t);
        if (!CHECK(off <= TOLERANCE))
            printf("  %s is off by %.3g\n", t->name, off);
        worst = fmax(worst, off);
        compared++;
        free(t->x);
    } while (golden_next(g, t));
    for (int i = 0; i < pb_model_params(m); i++)
        trained += pb_model_param(m, i)->trainable;
    CHECK_INT(compared, trained);
    printf(", changes by %.2g of a tensor's\n", worst);
}

static void check_case(size_t which, int threads)
{
    char *path = pb_format("tests/golden/optimizers/%s.txt", cases[which].name);
    golden g = golden_open(path);
    golden_tensor t;
    pb_train_options o;
    pb_option_defaults(pb_train_table, &o);
    o.optimizer = cases[which].optimizer;
    o.momentum = cases[which].momentum;
    o.decay = DECAY;
    o.clip = CLIP;
    pb_threads_start(threads);
    pb_model *m = open_model();
    pb_arena *run = pb_arena_new("run");
    allocate_all_gradients(m);
    while (golden_next(&g, &t) && !strcmp(t.kind, "start")) {
        for (int k = 0; k < t.rows * t.cols; k++)
            pb_model_find(m, t.name)->x[k] = (pb_real)t.x[k];
        free(t.x);
    }
    double **start = copy_values(m);
    printf("  %-10s %d thread%s:", cases[which].name, threads, threads > 1 ? "s" : "");
    train_model(m, &g, &t, pb_optim_new(m, &o, run), cases[which].rate);
    free(t.x);
    if (CHECK(golden_next(&g, &t)))
        compare_changes(&g, &t, m, start);
    for (int i = 0; i < pb_model_params(m); i++) {
        free(start[i]);
        free(pb_model_param(m, i)->trainable ? pb_model_param(m, i)->g : NULL);
    }
    free(start);
    pb_model_free(m);
    pb_arena_free(run);
    pb_threads_stop();
    golden_close(&g);
    free(path);
}

TEST(twenty_steps_are_those_of_the_originals)
{
    for (size_t i = 0; i < PB_COUNT(cases); i++)
        for (int threads = 1; threads <= 3; threads += 2)
            check_case(i, threads);
}

/* ---- memory ------------------------------------------------------------------------------------------------ */

/* What an optimizer keeps of all that trains, counted here from the shapes. */
static size_t bytes_kept(const pb_model *m, const pb_train_options *o)
{
    size_t bytes = 0;
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        size_t all = pb_arena_size(pb_param_elements(p) * sizeof(pb_real));
        bool vector = p->rows == 1 && (p->kind != PB_ADDED || p->vector);
        size_t sides = pb_arena_size((size_t)p->rows * sizeof(pb_real)) +
                       pb_arena_size((size_t)p->cols * sizeof(pb_real));
        if (p->trainable)
            bytes += o->optimizer == PB_ADAMW       ? 2 * all
                     : o->optimizer == PB_SGD       ? (o->momentum > 0 ? all : 0)
                     : o->optimizer == PB_ADAFACTOR ? (vector ? all : sides)
                                                    : all;
    }
    return bytes;
}

TEST(memory_is_what_each_keeps)
{
    static const char *const specs[] = {"full", "lora:rank=1", "bitfit"};
    pb_encoded *f = toy_set(24);
    for (size_t s = 0; s < PB_COUNT(specs); s++)
        for (size_t i = 0; i < PB_COUNT(cases); i++) {
            pb_train_options o = options_with(1, cases[i].rate);
            o.optimizer = cases[i].optimizer;
            o.momentum = cases[i].momentum;
            fixture r = fixture_open(specs[s], 2, 6);
            pb_footprint planned;
            CHECK(!pb_train_plan(r.model, f, &o, 6, &planned));
            pb_result out = train(&r, f, &o, 6);
            double kept = pb_result_get(&out, -1, "memory.train.optimizer");
            printf("  %-11s %-9s %6.0f bytes\n", specs[s], cases[i].name, kept);
            CHECK(kept == (double)planned.optimizer && planned.optimizer == bytes_kept(r.model, &o));
            pb_result_free(&out);
            fixture_close(&r);
        }
    toy_free(f);
}

/* ---- methods ----------------------------------------------------------------------------------------------- */

/* Those with rates of their own, with gradients that they make or mask, with moments that they restart, and with a
 * second pass. */
TEST(methods_compose_with_each)
{
    static const char *const specs[] = {
        "full",   "lora:ratio=16", "lora:precondition=yes",        "lora:freeze=A", "child-tuning",
        "lt-sft", "diff-pruning",  "adalora:rank=4,target_rank=2", "osf",           "adamix:experts=2",
        "dept",   "lora+prefix"};
    pb_encoded *f = toy_set(24);
    for (size_t s = 0; s < PB_COUNT(specs); s++)
        for (size_t i = 1; i < PB_COUNT(cases); i++) {
            pb_train_options o = options_with(3, 0.1 * cases[i].rate);
            o.optimizer = cases[i].optimizer;
            o.momentum = cases[i].momentum;
            fixture r = fixture_open(specs[s], 2, 6), again = fixture_open(specs[s], 2, 6);
            pb_result out = train(&r, f, &o, 6), other = train(&again, f, &o, 6);
            if (!CHECK(!strcmp(out.status, "done") && same_parameters(&r, &again)))
                printf("  %s, %s: %s\n", specs[s], cases[i].name, out.status);
            pb_result_free(&out);
            pb_result_free(&other);
            fixture_close(&r);
            fixture_close(&again);
        }
    toy_free(f);
}
