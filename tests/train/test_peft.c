/* Training against PEFT (tests/golden/training, made by tests/parity/make_training.py): the adapter that PEFT saved at
 * its start is imported; then logits, loss and every gradient, and after 20 steps of AdamW every tensor, are PEFT's.
 *
 * A method is one row of `cases`. */
#include "fixture.h"
#include "golden.h"

#include "model/adapter.h"
#include "model/internal.h"
#include "train/optim.h"

enum { STEPS = 20 };
#define RATE 1e-3
#define TOLERANCE 1e-8 /* of the largest value of a tensor; the goldens have 13 digits */

/* A folder of tests/golden/training, and settings that PEFT's config has in another form: of AdaLoRA, shares of the 20
 * steps instead of their numbers. */
static const struct {
    const char *name, *option[3], *value[3];
} cases[] = {
    {.name = "lora"},
    {.name = "rslora"},
    {.name = "dora"},
    {.name = "ia3"},
    {"adalora", {"tinit", "tfinal"}, {"0.15", "0.25"}},
};

/* ---- names ---------------------------------------------------------------------------------- */

static bool names_end_of(const char *name, const char *module, const char *end)
{
    static const char prefix[] = "base_model.model.";
    size_t n = strlen(module);
    if (strncmp(name, prefix, strlen(prefix)) != 0 || strncmp(name + strlen(prefix), module, n) != 0)
        return false;
    const char *rest = name + strlen(prefix) + n;
    return *end ? *rest == '.' && !strcmp(rest + 1, end) : !*rest;
}

static pb_param *find_added(const pb_model *m, const pb_peft *peft, const char *name)
{
    for (int i = 0; i < m->config.layers * SITES; i++) {
        const pb_site *site = &m->layer[i / SITES].site[i % SITES];
        for (const pb_peft_tensor *t = peft->tensors; site->module && t->ours; t++)
            if (names_end_of(name, site->module, t->theirs))
                return pb_params_find_added(m, m->part[0].method, site, t->ours);
    }
    return NULL;
}

/* The parameter of a tensor in PEFT's file: one that the method adds, or one of the checkpoint's head. */
static pb_param *find_by_peft_name(const pb_model *m, const pb_peft *peft, const char *name)
{
    for (size_t i = 0; i < m->params; i++)
        if (m->origin[i] && names_end_of(name, m->origin[i], ""))
            return m->param[i];
    return find_added(m, peft, name);
}

/* ---- a run ---------------------------------------------------------------------------------- */

typedef struct run {
    const char *name;
    golden g;
    pb_adapter *adapter;
    fixture f;
    pb_train_options options;
    pb_arena *moments;
    pb_optim *optim;
    double logits, loss, gradients, after; /* the worst differences */
} run;

static run open_run(int which)
{
    const char *name = cases[which].name;
    run r = {.name = name, .moments = pb_arena_new("moments")};
    char *dir = pb_format("tests/golden/training/%s", name), *path = pb_format("%s/training.txt", dir);
    r.g = golden_open(path);
    r.adapter = pb_adapter_open(dir);
    r.f = (fixture){.arena = pb_arena_new("run"), .values = pb_arena_new("run"), .executor = pb_executor_new()};
    r.f.model = r.adapter ? pb_model_open(&(pb_opening){.path = TINY, .classes = pb_adapter_classes(r.adapter)}) : NULL;
    if (!r.f.model || pb_adapter_attach(r.f.model, r.adapter, false))
        PB_BUG("%s", pb_error_text());
    for (int i = 0; cases[which].option[i]; i++)
        CHECK(!pb_option_set(r.f.model->part[0].method->options, (void *)(uintptr_t)r.f.model->part[0].conf,
                             cases[which].option[i], cases[which].value[i]));
    pb_option_defaults(pb_train_table, &r.options);
    r.options.decay = r.options.clip = 0;
    r.options.beta1 = 0.9;
    r.options.beta2 = 0.999;
    r.options.eps = 1e-8;
    r.optim = pb_optim_new(r.f.model, &r.options, r.moments);
    free(path);
    free(dir);
    return r;
}

static void close_run(run *r)
{
    golden_close(&r->g);
    fixture_close(&r->f);
    pb_adapter_close(r->adapter);
    pb_arena_free(r->moments);
}

/* Computes logits, loss and gradients. */
static void differentiate(run *r)
{
    pb_batch batch = golden_batch(&r->g);
    fixture_forward(&r->f, &batch, true, 0);
    pb_executor_backward(r->f.executor, r->f.graph);
}

/* Trains; the gradients of the first step are there already. */
static void train(run *r)
{
    for (int step = 0; step < STEPS; step++) {
        if (step > 0)
            differentiate(r);
        pb_optim_step(r->optim, r->f.graph, &(pb_step){.step = step, .steps = STEPS, .rate = RATE});
    }
}

/* ---- comparison ----------------------------------------------------------------------------- */

/* Enters the difference, relative to the largest value of the tensor. */
static void compare(const run *r, const golden_tensor *t, const double *got, double *worst)
{
    double largest = golden_largest(t), d = golden_difference(t, got) / (largest > 0 ? largest : 1);
    *worst = fmax(*worst, d);
    if (!CHECK(d <= TOLERANCE))
        printf("  %s: %s %s is off by %.3g of %.3g\n", r->name, t->kind, t->name, d * largest, largest);
}

static void compare_node(const run *r, const golden_tensor *t, const pb_node *n, double *worst)
{
    double *got = pb_alloc((size_t)(t->rows * t->cols) * sizeof *got);
    if (CHECK_INT(n->rows * n->cols, t->rows * t->cols))
        for (int i = 0; i < t->rows * t->cols; i++)
            got[i] = (double)n->x[i];
    compare(r, t, got, worst);
    free(got);
}

static void compare_param(const run *r, const golden_tensor *t, bool gradient, double *worst)
{
    int count = t->rows * t->cols;
    const pb_param *p = find_by_peft_name(r->f.model, r->f.model->part[0].method->peft, t->name);
    if (!CHECK(p && p->trainable && p->rows * p->cols == count)) {
        printf("  %s: %s\n", r->name, t->name);
        return;
    }
    double *got = pb_alloc((size_t)count * sizeof *got);
    for (int i = 0; i < count; i++)
        got[i] = gradient ? fixture_gradient(p, (size_t)i) : (double)p->x[i];
    compare(r, t, got, worst);
    free(got);
}

static int count_trained(const pb_model *m)
{
    int count = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        count += pb_model_param(m, i)->trainable;
    return count;
}

static void check_training(int which)
{
    run r = open_run(which);
    golden_tensor t;
    int gradients = 0, after = 0;
    differentiate(&r);
    for (; golden_next(&r.g, &t); free(t.x))
        if (!strcmp(t.name, "logits"))
            compare_node(&r, &t, pb_graph_output(r.f.graph), &r.logits);
        else if (!strcmp(t.name, "loss"))
            compare_node(&r, &t, pb_graph_loss(r.f.graph), &r.loss);
        else if (!strcmp(t.kind, "grad"))
            compare_param(&r, &t, true, &r.gradients), gradients++;
        else {
            if (after++ == 0)
                train(&r);
            compare_param(&r, &t, false, &r.after);
        }
    CHECK_INT(gradients, count_trained(r.f.model)); /* nothing left uncompared */
    CHECK_INT(after, gradients);
    printf("  %-8s largest difference: logits %.1e, loss %.1e, gradients %.1e, after %d steps %.1e\n", r.name, r.logits,
           r.loss, r.gradients, STEPS, r.after);
    close_run(&r);
}

TEST(twenty_steps_equal_those_of_peft)
{
    if (sizeof(pb_real) < sizeof(double))
        SKIP("PEFT's numbers are in double; the double build compares them");
    for (int i = 0; i < (int)PB_COUNT(cases); i++)
        check_training(i);
}
