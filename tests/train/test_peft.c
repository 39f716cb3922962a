/* Training against PEFT (tests/golden/training, made by tests/parity/make_training.py): the adapter that PEFT saved at
 * its start is imported; then logits, loss and every gradient, and after 20 steps of AdamW every tensor, are PEFT's.
 *
 * A method is one row of `cases`.  If no such adapter can be imported, the row says how the method is attached here and
 * which method's names the tensors have in PEFT's file. */
#include "fixture.h"
#include "golden.h"

#include "model/adapter_internal.h"
#include "model/adapter_format.h"
#include "model/internal.h"
#include "model/start.h"
#include "train/optim.h"
#include "weights/safetensors.h"

enum { STEPS = 20 };
#define RATE 1e-3
#define TOLERANCE 1e-8 /* of the largest value of a tensor; the goldens have 13 digits */

typedef struct method_case {
    const char *name;                 /* the folder in tests/golden/training */
    const char *option[3], *value[3]; /* settings that PEFT's config has in another form */
    const char *spec, *stored_as; /* if the folder cannot be imported: the method, and whose names its tensors have */
    const pb_peft *names;         /* .. or these names */
    bool starts; /* the method starts here first, since PEFT's file lacks tensors that it computes from the weights */
} method_case;

static const pb_peft kasa_names = {.tensors = (const pb_peft_tensor[]){{.ours = "A", .theirs = "lora_A.weight"},
                                                                       {.ours = "B", .theirs = "lora_B.weight"},
                                                                       {.ours = "sigma", .theirs = "lora_diag"},
                                                                       {0}}};
static const pb_peft adamss_names = {.tensors = (const pb_peft_tensor[]){{.ours = "A", .theirs = "adamss_A.0"},
                                                                         {.ours = "B", .theirs = "adamss_B.0"},
                                                                         {0}}};
static const pb_peft psoft_names = {.tensors = (const pb_peft_tensor[]){{.ours = "Q", .theirs = "psoft_R.weight"},
                                                                        {.ours = "a", .theirs = "psoft_R.vector_a"},
                                                                        {.ours = "b", .theirs = "psoft_R.vector_b"},
                                                                        {0}}};
static const method_case cases[] = {
    {.name = "lora"},
    {.name = "rslora"},
    {.name = "dora"},
    {.name = "ia3"},
    {.name = "beft"},
    {.name = "adalora", .option = {"tinit", "tfinal"}, .value = {"0.15", "0.25"}}, /* shares of the 20 steps */
    {.name = "hra"},
    {.name = "oft"},
    {.name = "oft-exact"},
    {.name = "gralora"},
    {.name = "boft"},
    {.name = "c3a"},
    {.name = "fourierft"},
    {.name = "fourierft-pattern"},
    {.name = "waveft"},
    {.name = "vera"},
    {.name = "pvera", .option = {"sample", "divergence"}, .value = {"fixed", "0.3"}}, /* a known noise */
    {.name = "vblora", .option = {"ratio"}, .value = {"1"}},                          /* one learning rate */
    {.name = "hira"},
    {.name = "loha"},
    {.name = "miss"},
    {.name = "bat"},
    {.name = "delora"},
    {.name = "glora"},
    {.name = "peanut"},
    {.name = "lokr"},
    {.name = "lokr-both"},
    {.name = "road"},
    {.name = "road-2"},
    {.name = "road-4"},
    {.name = "lora-ga", .spec = "lora-ga:rank=2,alpha=3", .stored_as = "lora"},
    {.name = "lora-plus", .spec = "lora-plus:rank=2,alpha=3", .stored_as = "lora"},
    {.name = "lora-fa", .spec = "lora-fa:rank=2,alpha=3", .stored_as = "lora"},
    {.name = "riemannian", .spec = "riemannian:rank=2,alpha=3", .stored_as = "lora"},
    {.name = "pissa", .spec = "pissa:rank=2,alpha=3", .stored_as = "lora"},
    {.name = "olora", .spec = "olora:rank=2,alpha=3", .stored_as = "lora"},
    {.name = "mica", .spec = "mica:rank=2,alpha=3", .stored_as = "lora"},
    {.name = "kasa", .spec = "kasa:rank=2,alpha=3,beta=0.2,gamma=0.1", .names = &kasa_names, .starts = true},
    {.name = "tinylora"},
    {.name = "osf"},
    {.name = "adamss", .spec = "adamss:rank=16,subspaces=1,subspace_rank=2", .names = &adamss_names, .starts = true},
    {.name = "psoft", .spec = "psoft:rank=3", .names = &psoft_names, .starts = true},
};

static const method_case *case_of(const char *name)
{
    for (size_t i = 0; i < PB_COUNT(cases); i++)
        if (!strcmp(cases[i].name, name))
            return &cases[i];
    PB_BUG("no case %s", name);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* A tensor in PEFT's file: the parameter here, and how the file has it.  `how` is empty where it has it as it is. */
typedef struct stored_param {
    pb_param *p; /* NULL: there is none */
    pb_stored how;
} stored_param;

static bool is_whole(const char *name, const char *origin)
{
    static const char prefix[] = "base_model.model.", soft[] = "base_model."; /* soft: of a prompt or a prefix */
    return (!strncmp(name, prefix, strlen(prefix)) && !strcmp(name + strlen(prefix), origin)) ||
           (!strncmp(name, soft, strlen(soft)) && !strcmp(name + strlen(soft), origin));
}

/* The parameter of a tensor in PEFT's file: one of the checkpoint's head, or one that the method adds. */
static stored_param find_by_peft_name(const pb_model *m, const pb_peft *peft, const char *name)
{
    stored_param t = {0};
    for (size_t i = 0; i < m->params && !t.p; i++)
        if (m->origin[i] && is_whole(name, m->origin[i]))
            t.p = m->param[i];
    if (!t.p)
        t.p = pb_stored_find(m, peft, name, &t.how);
    return t;
}

/* The place here of element i of the file's tensor. */
static size_t place_of(const stored_param *t, size_t i)
{
    return t->how.dims ? pb_stored_place(&t->how, i) : i;
}

/* ---- a run ---------------------------------------------------------------------------------- */

typedef struct run {
    const method_case *what;
    const pb_peft *peft; /* the names of its tensors */
    golden g;
    pb_adapter *adapter; /* NULL: not imported */
    fixture f;
    pb_train_options options;
    pb_arena *moments;
    pb_optim *optim;
    double logits, loss, gradients, after; /* the worst differences */
} run;

static void import_start(run *r, const char *dir)
{
    r->adapter = pb_adapter_open(dir);
    r->f = (fixture){.arena = pb_arena_new("run"), .values = pb_arena_new("run"), .executor = pb_executor_new()};
    r->f.model = r->adapter ? pb_model_open(&(pb_opening){.path = TINY, .classes = pb_adapter_classes(r->adapter)})
                            : NULL;
    if (!r->f.model || pb_adapter_attach(r->f.model, r->adapter, false))
        PB_BUG("%s", pb_error_text());
    r->peft = r->adapter->peft;
    const pb_attached *part = &r->f.model->part[0];
    for (int i = 0; r->what->option[i]; i++)
        CHECK(!pb_option_set(part->method->settings.options, (void *)(uintptr_t)part->conf, r->what->option[i],
                             r->what->value[i]));
}

/* The golden's texts, all of them in one batch. */
static pb_batch all_texts(const void *ctx, pb_arena *arena, const int *example, int n)
{
    (void)arena;
    (void)example;
    PB_CHECK(n == ((const golden *)ctx)->sequences);
    return golden_batch(ctx);
}

/* Starts the method as it does here. */
static void start_here(run *r)
{
    int count[3] = {0};
    for (int i = 0; i < r->g.labels; i++)
        count[r->g.label[i]]++;
    pb_samples s = {
        .classes = 3, .class_count = count, .count = r->g.sequences, .batch = r->g.sequences, .make = all_texts};
    s.ctx = &r->g;
    pb_preparation planned;
    if (pb_model_plan_start(r->f.model, &s, &planned) || pb_model_start(r->f.model, &s, &planned))
        PB_BUG("%s", pb_error_text());
}

/* Reads the tensors of PEFT's file.  Those that stay, such as A0, are as the trained ones, such as A, start. */
static void read_start(run *r, const char *dir)
{
    char *path = pb_format("%s/adapter_model.safetensors", dir);
    pb_safetensors *file = pb_safetensors_open(path);
    r->peft = r->what->names ? r->what->names : pb_method_find(r->what->stored_as)->peft;
    r->f = fixture_open(r->what->spec, 3, 0);
    if (r->what->starts)
        start_here(r);
    for (size_t i = 0; i < pb_safetensors_count(file); i++) {
        const pb_array *a = pb_safetensors_at(file, i);
        stored_param t = find_by_peft_name(r->f.model, r->peft, a->name);
        if (!t.p || (t.how.dims ? pb_stored_read(&t.how, path, a, t.p) : pb_array_reals(a, 0, a->count, t.p->x)))
            PB_BUG("%s: %s", path, a->name);
        char *kept = pb_format("%s0", t.p->name);
        pb_param *fixed = pb_model_find(r->f.model, kept);
        if (fixed)
            memcpy(fixed->x, t.p->x, a->count * sizeof *t.p->x);
        free(kept);
    }
    pb_safetensors_close(file);
    free(path);
}

/* The optimizer keeps the address of r->options. */
static void open_run(run *r, const method_case *what)
{
    *r = (run){.what = what, .moments = pb_arena_new("moments")};
    char *dir = pb_format("tests/golden/training/%s", what->name), *path = pb_format("%s/training.txt", dir);
    r->g = golden_open(path);
    (what->spec ? read_start : import_start)(r, dir);
    pb_option_defaults(pb_train_table, &r->options);
    r->options.decay = r->options.clip = 0;
    r->options.beta1 = 0.9;
    r->options.beta2 = 0.999;
    r->options.eps = 1e-8;
    r->optim = pb_optim_new(r->f.model, &r->options, r->moments);
    free(path);
    free(dir);
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
        printf("  %s: %s %s is off by %.3g of %.3g\n", r->what->name, t->kind, t->name, d * largest, largest);
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
    stored_param found = find_by_peft_name(r->f.model, r->peft, t->name);
    const pb_param *p = found.p;
    if (!CHECK(p && p->trainable && p->rows * p->cols == count)) {
        printf("  %s: %s\n", r->what->name, t->name);
        return;
    }
    double *got = pb_alloc((size_t)count * sizeof *got);
    for (int i = 0; i < count; i++)
        got[i] = gradient ? fixture_gradient(p, place_of(&found, (size_t)i))
                          : (double)p->x[place_of(&found, (size_t)i)];
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

static void check_training(const method_case *what)
{
    run r;
    open_run(&r, what);
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
    printf("  %-8s largest difference: logits %.1e, loss %.1e, gradients %.1e, after %d steps %.1e\n", what->name,
           r.logits, r.loss, r.gradients, STEPS, r.after);
    close_run(&r);
}

TEST(twenty_steps_equal_those_of_peft)
{
    if (sizeof(pb_real) < sizeof(double))
        SKIP("PEFT's numbers are in double; the double build compares them");
    for (size_t i = 0; i < PB_COUNT(cases); i++)
        check_training(&cases[i]);
}

/* ---- LoRA-GA's start ------------------------------------------------------------------------ */

/* A vector of A or B; `next` elements from one number to the next. */
typedef struct vector {
    const pb_real *x;
    int n, next;
} vector;

static vector vector_of(const pb_param *p, int k, bool row)
{
    return row ? (vector){p->x + k * p->cols, p->cols, 1} : (vector){p->x + k, p->rows, p->cols};
}

static double dot(vector a, vector b)
{
    double sum = 0;
    for (int i = 0; i < a.n; i++)
        sum += (double)a.x[i * a.next] * (double)b.x[i * b.next];
    return sum;
}

/* PEFT leaves the rows of A as they are and multiplies column i of B by its singular value, where the paper scales both
 * alike: the directions are compared, and the signs are open.  The gradient of layer.1.attn.q has rank 5, that of the
 * five rows which the head reads, so that with rank 2 none of the four directions is any of a space. */
TEST(lora_ga_starts_in_the_directions_of_peft)
{
    const method_case *what = case_of("lora-ga");
    run theirs, ours;
    open_run(&theirs, what);
    open_run(&ours, what);
    int compared = 0;
    double worst = 0;
    start_here(&ours);
    for (int i = 0; i < pb_model_params(ours.f.model); i++) {
        const pb_param *p = pb_model_param(ours.f.model, i), *q = pb_model_param(theirs.f.model, i);
        bool row = pb_ends_in(p->name, ".lora-ga.A"), column = pb_ends_in(p->name, ".lora-ga.B");
        for (int k = 0; k < 2 && (row || column); k++) {
            vector a = vector_of(p, k, row), b = vector_of(q, k, row);
            worst = fmax(worst, 1 - fabs(dot(a, b)) / sqrt(dot(a, a) * dot(b, b)));
            compared++;
        }
    }
    CHECK_INT(compared, 2 * 2 * 2 * 2);                                /* layers, projections, A and B, rank */
    CHECK(worst <= (sizeof(pb_real) < sizeof(double) ? 1e-8 : 1e-13)); /* the golden is rounded to 32 bits */
    printf("  lora-ga  directions of A and B: |cos| with PEFT's is at least 1 - %.1e\n", worst);
    close_run(&theirs);
    close_run(&ours);
}

/* ---- starts from the weights ----------------------------------------------------------------- */

/* The largest difference between two products B A, relative to the largest element. */
static double product_difference(const run *ours, const run *theirs, const pb_site *s)
{
    const pb_method *method = ours->f.model->part[0].method;
    const pb_param *A[2], *B[2];
    const run *r[] = {ours, theirs};
    double worst = 0, largest = 0;
    for (int k = 0; k < 2; k++) {
        A[k] = pb_params_find_added(r[k]->f.model, method, s, "A");
        B[k] = pb_params_find_added(r[k]->f.model, method, s, "B");
    }
    for (int i = 0; i < s->out; i++)
        for (int j = 0; j < s->in; j++) {
            double sum[2] = {0};
            for (int k = 0; k < 2; k++)
                for (int q = 0; q < A[0]->rows; q++)
                    sum[k] += (double)B[k]->x[i * A[0]->rows + q] * (double)A[k]->x[q * s->in + j];
            worst = fmax(worst, fabs(sum[0] - sum[1]));
            largest = fmax(largest, fabs(sum[1]));
        }
    return worst / largest;
}

/* The signs of the vectors are open, their products are not.  The golden is decomposed in double and rounded to 32 bits,
 * but in single precision this program decomposes in them: the rounding depends on the processor's kernels. */
TEST(pissa_and_olora_start_as_in_peft)
{
    static const char *const names[] = {"pissa", "olora"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        run theirs, ours;
        double worst = 0;
        open_run(&theirs, case_of(names[i]));
        open_run(&ours, case_of(names[i]));
        start_here(&ours);
        for (int k = 0; k < pb_model_sites(ours.f.model); k++) {
            const pb_site *s = pb_model_site(ours.f.model, k);
            if (s->w && pb_model_targets(ours.f.model, 0, s))
                worst = fmax(worst, product_difference(&ours, &theirs, s));
        }
        CHECK(worst <= (sizeof(pb_real) < sizeof(double) ? 3e-5 : 3e-7));
        printf("  %-8s B A at the start is off by %.1e\n", names[i], worst);
        close_run(&theirs);
        close_run(&ours);
    }
}
